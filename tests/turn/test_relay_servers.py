"""Streams as real servers write them: their text passes, and the calls that they meant are found."""

import json
from typing import Any, Final

import pytest

from tests.fakes.chunks import DONE, chunk, text_chunks
from tests.turn.relaying import relay, stream

ADD: Final = "server__add"
EDIT: Final = "edit_file"


def lines(*data: str) -> bytes:
    """The bytes of events with these data, and the end mark."""
    return b"".join(b"data: " + line.encode() + b"\n\n" for line in data) + DONE


def opened(head: str, *choices: str, usage: str, more: str = "") -> bytes:
    """A stream whose chunks begin with `head`, one for each choice, and then one for the usage.

    `more` ends the chunks with a choice.
    """
    return lines(*(f'{head},"choices":[{c}]{more}}}' for c in choices), f'{head},"choices":[],{usage}}}')


OPENAI_HEAD: Final = (
    '{"id":"chatcmpl-B9","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4.1",'
    '"service_tier":"default","system_fingerprint":"fp_07"'
)
LLAMA_HEAD: Final = (
    '{"created":1741569952,"id":"chatcmpl-l1","model":"qwen3","system_fingerprint":"b4567",'
    '"object":"chat.completion.chunk"'
)
VLLM_HEAD: Final = '{"id":"chatcmpl-v","object":"chat.completion.chunk","created":1741569952,"model":"q"'
USAGE: Final = '"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}'

UNTOUCHED: Final = {
    "OpenAI": opened(
        OPENAI_HEAD,
        '{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}',
        '{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}',
        '{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}',
        usage=USAGE,
        more=',"usage":null,"obfuscation":"k3"',
    ),
    "llama.cpp": opened(
        LLAMA_HEAD,
        '{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}',
        '{"finish_reason":null,"index":0,"delta":{"reasoning_content":"hm"}}',
        '{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}',
        '{"finish_reason":"stop","index":0,"delta":{}}',
        usage=f'{USAGE},"timings":{{"predicted_per_second":31.0}}',
    ),
    "vLLM": opened(
        VLLM_HEAD,
        '{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}',
        '{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null,"token_ids":null}',
        '{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null}',
        usage=USAGE,
    ),
    "Azure": lines(
        '{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}',
        f'{VLLM_HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"Hi"}},'
        '"content_filter_results":{},"finish_reason":null}]}',
        f'{VLLM_HEAD},"choices":[{{"index":0,"delta":{{}},"content_filter_results":{{}},"finish_reason":"stop"}}]}}',
        f'{VLLM_HEAD},"choices":[],{USAGE}}}',
    ),
    "Mistral": lines(
        f'{VLLM_HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"Hi"}},"finish_reason":null}}]}}',
        f'{VLLM_HEAD},"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"stop"}}],{USAGE}}}',
    ),
    "DeepSeek": lines(
        f'{VLLM_HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant","content":null,'
        '"reasoning_content":""},"logprobs":null,"finish_reason":null}]}',
        f'{VLLM_HEAD},"choices":[{{"index":0,"delta":{{"content":"Hi","reasoning_content":null}},'
        '"logprobs":null,"finish_reason":null}]}',
        f'{VLLM_HEAD},"choices":[{{"index":0,"delta":{{"content":"","reasoning_content":null}},'
        f'"logprobs":null,"finish_reason":"stop"}}],{USAGE}}}',
    ),
}


@pytest.mark.parametrize("written", UNTOUCHED.values(), ids=UNTOUCHED)
def test_a_text_passes_as_the_server_wrote_it(written: bytes) -> None:
    relayed = relay(written)
    assert relayed.shown == written
    assert (relayed.text, relayed.finishes, len(relayed.usages)) == ("Hi", ["stop"], 1)


@pytest.mark.parametrize("written", UNTOUCHED.values(), ids=UNTOUCHED)
def test_the_usage_of_every_server_is_known_and_shown_to_who_asked(written: bytes) -> None:
    relayed = relay(written, wants_usage=False)
    assert relayed.usages == []
    assert relayed.legs[0].usage == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


@pytest.mark.parametrize("last", UNTOUCHED.values(), ids=UNTOUCHED)
def test_after_a_call_every_server_goes_on_the_same_message(last: bytes) -> None:
    call = chunk(
        {"role": "assistant", "tool_calls": [{"index": 0, "id": "a", "function": {"name": ADD}}]}, id="first"
    )
    relayed = relay(stream(call, chunk({}, finish="tool_calls", id="first")), last)
    assert {c["id"] for c in relayed.chunks} == {"first"}
    assert [delta["role"] for delta in relayed.deltas if delta.get("role")] == ["assistant"]
    assert (relayed.text, relayed.finishes, len(relayed.usages)) == ("Hi", ["stop"], 1)


def test_ollamas_role_in_every_chunk_is_told_once() -> None:
    chunks = [chunk({"role": "assistant", "content": text}) for text in ("H", "i")]
    relayed = relay(stream(*chunks, chunk({"role": "assistant", "content": ""}, finish="stop")))
    assert relayed.deltas == [{"role": "assistant", "content": "H"}, {"content": "i"}, {"content": ""}]


def call_shapes(name: str) -> dict[str, list[dict[str, Any]]]:
    """Two calls of a tool, with the arguments {"n": 1} and {"n": 2}, in the deltas of each server."""
    one, two = '{"n": 1}', '{"n": 2}'

    def whole(arguments: Any, **members: Any) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "arguments": arguments}} | members

    def pieces(index: int, id: str, arguments: str) -> list[dict[str, Any]]:
        rest = [{"index": index, "function": {"arguments": part}} for part in (arguments[:3], arguments[3:])]
        return [{"tool_calls": [item]} for item in [whole("", index=index, id=id), *rest]]

    return {
        "OpenAI": [{"role": "assistant", "content": None}, *pieces(0, "a", one), *pieces(1, "b", two)],
        "llama.cpp": [
            {"role": "assistant", "content": None},
            *pieces(0, "aB3dE6gH9", one),
            *pieces(1, "b", two),
        ],
        "vLLM, the role late": [*pieces(0, "a", one), {"role": "assistant"}, *pieces(1, "b", two)],
        "Ollama": [
            {"role": "assistant", "content": "", "tool_calls": [whole(one, index=0, id="a")]},
            {"role": "assistant", "content": "", "tool_calls": [whole(two, index=0, id="b")]},
        ],
        "Ollama, in one chunk": [
            {"role": "assistant", "tool_calls": [whole(one, index=0, id="a"), whole(two, index=0, id="b")]}
        ],
        "Mistral": [
            {"content": "", "tool_calls": [whole(one, id="a", index=0), whole(two, id="b", index=1)]}
        ],
        "Gemini": [{"role": "assistant", "tool_calls": [whole(one, id=""), whole(two, id="")]}],
        "arguments as objects": [{"tool_calls": [whole({"n": 1}, index=0), whole({"n": 2}, index=1)]}],
    }


@pytest.mark.parametrize("server", call_shapes(ADD))
@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_our_calls_are_run_and_not_seen(server: str, finish: str) -> None:
    deltas = call_shapes(ADD)[server]
    relayed = relay(stream(*map(chunk, deltas), chunk({}, finish=finish)), stream(*text_chunks("Hi")))
    assert [json.loads(call.arguments) for call in relayed.legs[0].calls] == [{"n": 1}, {"n": 2}]
    assert len({call.id for call in relayed.legs[0].calls}) == 2
    assert (relayed.text, relayed.calls) == ("Hi", [])


@pytest.mark.parametrize("server", call_shapes(EDIT))
def test_a_clients_calls_are_told_as_openai_tells_them(server: str) -> None:
    relayed = relay(stream(*map(chunk, call_shapes(EDIT)[server]), chunk({}, finish="stop")))
    arguments = {0: "", 1: ""}
    for call in relayed.calls:
        arguments[call["index"]] += call["function"]["arguments"]
    assert [json.loads(text) for text in arguments.values()] == [{"n": 1}, {"n": 2}]
    assert len({call["id"] for call in relayed.calls if "id" in call}) == 2
    assert (relayed.finishes, relayed.legs[0].calls) == (["tool_calls"], ())


def test_ids_of_nine_characters_reach_the_next_leg() -> None:
    deltas = call_shapes(ADD)["llama.cpp"]
    (leg, _) = relay(stream(*map(chunk, deltas), chunk({}, finish="stop")), stream(*text_chunks("Hi"))).legs
    assert [call.id for call in leg.calls] == ["aB3dE6gH9", "b"]
    assert [call["id"] for call in leg.message["tool_calls"]] == ["aB3dE6gH9", "b"]


def test_what_gemini_puts_beside_a_call_goes_back_to_it() -> None:
    signed = {
        "function": {"name": ADD, "arguments": "{}"},
        "id": "a",
        "extra_content": {"google": {"thought_signature": "xyz"}},
    }
    relayed = relay(
        stream(chunk({"tool_calls": [signed]}), chunk({}, finish="stop")), stream(*text_chunks("Hi"))
    )
    assert relayed.legs[0].message["tool_calls"][0]["extra_content"] == signed["extra_content"]
