"""Streamed tool calls in the shapes in which real servers send them, each with the place that shows it.

Ids, texts and names are shortened; what is odd about a shape is as it was recorded. `NAME` stands for
the tool's name. For Anthropic's compatible endpoint no recorded stream with calls was found: its page
(https://docs.anthropic.com/en/api/openai-sdk) promises OpenAI's own form.
"""

from dataclasses import dataclass
from typing import Any, Final

ONE: Final = '{"n": 1}'
TWO: Final = '{"n": 2}'


@dataclass(frozen=True)
class Shape:
    """A leg's deltas, and the calls that they mean."""

    source: str
    """Where it was seen: an address, or a repository and a file."""
    deltas: tuple[Any, ...]
    """Each of one chunk; what is no object is sent as it is."""
    calls: tuple[tuple[str | None, str], ...]
    """The id, `None` for one that is made here, and the arguments."""
    repairs: frozenset[str] = frozenset()
    finish: Any = "tool_calls"


def item(arguments: Any = None, name: Any = None, **members: Any) -> dict[str, Any]:
    """One item of `tool_calls`; what is `...` stands there as null."""
    function = {"name": name, "arguments": arguments}
    function = {key: None if value is ... else value for key, value in function.items() if value is not None}
    told = {key: None if value is ... else value for key, value in members.items()}
    return told | ({"function": function} if function else {})


def calls(*items: Any, **beside: Any) -> dict[str, Any]:
    """A delta."""
    return beside | {"tool_calls": list(items)}


FN: Final[dict[str, Any]] = {"type": "function"}
SIGNED: Final = {"google": {"thought_signature": "xyz"}}

SHAPES: Final[dict[str, Shape]] = {
    "OpenAI": Shape(
        "https://github.com/simonw/llm/issues/988",
        (
            calls(item("", "NAME", index=0, id="a", **FN), role="assistant", content=None),
            calls(item('{"n"', index=0)),
            calls(item(": 1}", index=0)),
            calls(item("", "NAME", index=1, id="b", **FN)),
            calls(item(TWO, index=1)),
            {},
        ),
        (("a", ONE), ("b", TWO)),
    ),
    "llama.cpp": Shape(
        "ggml-org/llama.cpp:common/chat.cpp, common_chat_msg_diff_to_json_oaicompat",
        (
            {"role": "assistant", "content": None},
            calls(item("{", "NAME", index=0, id="aB3dE6gH9aB3dE6gH9aB3dE6gH9aB3dE", **FN)),
            calls(item('"n": 1}', index=0)),
            {},
        ),
        (("aB3dE6gH9aB3dE6gH9aB3dE6gH9aB3dE", ONE),),
    ),
    "vLLM": Shape(
        "https://github.com/sgl-project/sglang/issues/4700",
        (
            {"role": "assistant", "content": ""},
            calls(item(None, "NAME", index=0, id="chatcmpl-tool-a", **FN)),
            calls(item('{"n"', index=0)),
            calls(item(": 1}", index=0)),
            {"content": ""},
        ),
        (("chatcmpl-tool-a", ONE),),
    ),
    "vLLM, one index and empty ids": Shape(
        "https://github.com/InternLM/lmdeploy/issues/3412",
        (
            calls(item("", "NAME", index=0, id="a", **FN)),
            calls(item(ONE, index=0, id="", **FN)),
            calls(item("", "NAME", index=0, id="b", **FN)),
            calls(item(TWO, index=0, id="", **FN)),
            {},
        ),
        (("a", ONE), ("b", TWO)),
        frozenset({"calls shared an index"}),
    ),
    "vLLM, the id in every chunk": Shape(
        "https://github.com/spring-projects/spring-ai/issues/5974",
        (
            calls(item("", "NAME", index=0, id="a", **FN)),
            calls(item('{"n"', index=0, id="a", **FN)),
            calls(item(": 1}", index=0, id="a", **FN)),
            {},
        ),
        (("a", ONE),),
        frozenset({"an id came again"}),
    ),
    "vLLM, no id at all": Shape(
        "https://github.com/vllm-project/vllm/issues/18412",
        (calls(item("", "NAME", index=0, **FN)), calls(item(ONE, index=0)), {}),
        ((None, ONE),),
        frozenset({"a call had no id"}),
    ),
    "SGLang, one index and the id in every chunk": Shape(
        "https://github.com/InternLM/lmdeploy/issues/3412",
        (
            calls(item("", "NAME", index=0, id="0", **FN)),
            calls(item(ONE, index=0, id="0", **FN)),
            calls(item("", "NAME", index=0, id="1", **FN)),
            calls(item(TWO, index=0, id="1", **FN)),
            {},
        ),
        (("0", ONE), ("1", TWO)),
        frozenset({"calls shared an index", "an id came again"}),
    ),
    "SGLang, nulls": Shape(
        "https://github.com/sgl-project/sglang/pull/35542",
        (
            calls(item("", "NAME", index=0, id="call_a", **FN), role="assistant", content=None),
            calls(item(ONE, ..., index=0, id=..., type=...), role=None, content=None),
            {"role": None, "content": None, "tool_calls": None},
        ),
        (("call_a", ONE),),
    ),
    "Ollama, one index": Shape(
        "https://github.com/ollama/ollama/issues/15457",
        (
            calls(item(ONE, "NAME", index=0, id="call_a", **FN), role="assistant", content=""),
            calls(item(TWO, "NAME", index=0, id="call_b", **FN), role="assistant", content=""),
            {"role": "assistant", "content": ""},
        ),
        (("call_a", ONE), ("call_b", TWO)),
        frozenset({"calls shared an index"}),
    ),
    "Ollama, one index in one chunk": Shape(
        "https://github.com/ai-dynamo/dynamo/pull/4723, which had the same",
        (
            calls(
                item(ONE, "NAME", index=0, id="call_a", **FN), item(TWO, "NAME", index=0, id="call_b", **FN)
            ),
            {},
        ),
        (("call_a", ONE), ("call_b", TWO)),
        frozenset({"calls shared an index"}),
    ),
    "Ollama before 0.4.7, no index": Shape(
        "https://github.com/ollama/ollama/issues/7881",
        (
            calls(item(ONE, "NAME", id="call_a", **FN), role="assistant", content=""),
            calls(item(TWO, "NAME", id="call_b", **FN), role="assistant", content=""),
            {"role": "assistant", "content": ""},
        ),
        (("call_a", ONE), ("call_b", TWO)),
        frozenset({"calls had no index", "finish_reason was stop after calls"}),
        finish="stop",
    ),
    "LM Studio": Shape(
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/649",
        (
            calls(item("", "NAME", index=0, id="193629320", **FN), role="assistant"),
            calls(item('{"n"', "", index=0, **FN)),
            calls(item(": 1}", "", index=0, **FN)),
            {},
        ),
        (("193629320", ONE),),
    ),
    "Gemini": Shape(
        "https://github.com/THU-MAIC/OpenMAIC/issues/1556, "
        "https://github.com/googleapis/python-genai/issues/2868",
        (
            calls(item(ONE, "NAME", id="call_a", extra_content=SIGNED, **FN), role="assistant"),
            calls(item(TWO, "NAME", id="call_b", **FN)),
            {"role": "assistant"},
        ),
        (("call_a", ONE), ("call_b", TWO)),
        frozenset({"calls had no index", "finish_reason was stop after calls"}),
        finish="stop",
    ),
    "Gemini, in pieces and the signature alone": Shape(
        "https://github.com/open-webui/computer/issues/224",
        (
            calls(item('{"n"', "NAME", id="function-call-1", **FN)),
            calls(item(": 1}")),
            calls({"extra_content": SIGNED}),
            {},
        ),
        (("function-call-1", ONE),),
        frozenset({"calls had no index", "finish_reason was stop after calls"}),
        finish="stop",
    ),
    "a proxy before Gemini": Shape(
        "https://github.com/AstrBotDevs/AstrBot/issues/6661",
        (
            calls(item("", "NAME", id="call_a", **FN)),
            calls(item(ONE, id="", type="")),
            {},
        ),
        (("call_a", ONE),),
        frozenset({"calls had no index"}),
    ),
    "Mistral": Shape(
        "https://github.com/comet-ml/opik/pull/7385",
        (
            {"role": "assistant", "content": ""},
            calls(item(ONE, "NAME", id="aB3dE6gH9", index=0), item(TWO, "NAME", id="bC4eF7hI0", index=1)),
        ),
        (("aB3dE6gH9", ONE), ("bC4eF7hI0", TWO)),
    ),
    "Mistral, the id a word": Shape(
        "mistralai/client-python:src/mistralai/models/toolcall.py",
        (calls(item(ONE, "NAME", id="null"), item({"n": 2}, "NAME", id="null"), content=""),),
        ((None, ONE), (None, '{"n":2}')),
        frozenset({"calls had no index", "a call had no id", "arguments were no text"}),
    ),
    "Groq": Shape(
        "https://github.com/BerriAI/litellm/issues/7621",
        (
            {"role": "assistant"},
            calls(item(ONE, "NAME", index=0, id="call_785j", **FN)),
            calls(item(TWO, "NAME", index=1, id="call_786k", **FN)),
            {},
        ),
        (("call_785j", ONE), ("call_786k", TWO)),
    ),
    "the name again with the last piece": Shape(
        "https://github.com/agentscope-ai/agentscope-java/pull/1223",
        (
            calls(item("", "NAME", index=0, id="call_a", **FN)),
            calls(item('{"n": 1', index=0)),
            calls(item("}", "NAME", index=0, id=...)),
            {},
        ),
        (("call_a", ONE),),
        frozenset({"a name came again"}),
    ),
    "vMLX, the name late": Shape(
        "https://github.com/jjang-ai/vmlx/pull/244",
        (
            calls(item("", "", index=0, id="call_a", **FN)),
            calls(item(ONE, "NAME", index=0, id="call_a", **FN)),
            {},
        ),
        (("call_a", ONE),),
        frozenset({"a name came late", "an id came again"}),
    ),
    "Kimi, one call in two items of a chunk": Shape(
        "https://github.com/openai/openai-python/issues/3201",
        (
            calls(item(None, "NAME", index=0, id="functions.add:0", **FN), item('{"n"', index=0)),
            calls(item(": 1}", index=0)),
            {},
        ),
        (("functions.add:0", ONE),),
    ),
    "LiteLLM's bridge, the first index is 1": Shape(
        "https://github.com/pipecat-ai/pipecat/issues/4987",
        (
            calls(item("", "NAME", index=1, id="call_a", **FN)),
            calls(item(ONE, ..., index=1, id=...)),
            {},
        ),
        (("call_a", ONE),),
    ),
    "LocalAI, one call at several indexes": Shape(
        "https://github.com/mudler/LocalAI/issues/9722",
        (
            calls(item("", "NAME", index=0, id="LipwoT0p", **FN), role="assistant", content=None),
            calls(item('{"n"', index=1, id="LipwoT0p", **FN)),
            calls(item(": 1}", "NAME", index=2, id="LipwoT0p", **FN)),
            {},
        ),
        (("LipwoT0p", ONE),),
        frozenset({"a call had several indexes", "an id came again", "a name came again"}),
    ),
    "Bedrock, one index": Shape(
        "https://github.com/langchain-ai/langchain/pull/34809",
        (
            calls(item("", "NAME", index=0, id="tooluse_a", **FN)),
            calls(item(ONE, index=0)),
            calls(item("", "NAME", index=0, id="tooluse_b", **FN)),
            calls(item(TWO, index=0)),
            {},
        ),
        (("tooluse_a", ONE), ("tooluse_b", TWO)),
        frozenset({"calls shared an index"}),
    ),
    "llama-server, arguments as objects": Shape(
        "https://github.com/ggml-org/llama.cpp/issues/20198",
        (calls(item({"n": 1}, "NAME", index=0, id="a", **FN)), {}),
        (("a", '{"n":1}'),),
        frozenset({"arguments were no text"}),
    ),
    "Azure, the finish without a delta": Shape(
        "https://github.com/openai/openai-python/issues/1677",
        (calls(item(ONE, "NAME", index=0, id="call_a", **FN)), None),
        (("call_a", ONE),),
        frozenset({"the finish had no delta"}),
    ),
}
"""Two calls or one, with the arguments of `ONE` and `TWO`."""


def chunks(shape: Shape, name: str) -> list[dict[str, Any]]:
    """The chunks of a shape, with a tool's name; the last has the finish."""
    last = len(shape.deltas) - 1
    head = {"id": "chatcmpl-s", "object": "chat.completion.chunk", "created": 1741569952, "model": "m"}
    return [
        head
        | {
            "choices": [
                {
                    "index": 0,
                    "delta": _named(delta, name),
                    "finish_reason": shape.finish if n == last else None,
                }
            ]
        }
        for n, delta in enumerate(shape.deltas)
    ]


def _named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _named(part, name) for key, part in value.items()}
    if isinstance(value, list):
        return [_named(part, name) for part in value]
    return name if value == "NAME" else value
