"""The built-in model talks, calls a tool, and tells what it said: all as a model server would."""

import json
from typing import Any

import pytest

from tests.turn.relaying import Relayed
from tests.wire.completed import from_chunks
from werkzeugkoppler.upstreams import demo
from werkzeugkoppler.upstreams.demo import demo_upstream
from werkzeugkoppler.wire.http import HttpRequest, media_type

HELLO = {"role": "user", "content": "hello there"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "TOKEN_SECONDS", 0)


async def ask(path: str = "/v1/chat/completions", **body: Any) -> tuple[int, str, bytes]:
    """The status, the media type and the body of the model's answer."""
    upstream = demo_upstream()
    await upstream.open()
    sent = json.dumps({"messages": [HELLO]} | body).encode()
    async with upstream.send(HttpRequest("POST", f"{upstream.base_url}{path}", (), sent)) as answer:
        got = b"".join([piece async for piece in answer.pieces])
    await upstream.close()
    return answer.status, media_type(answer.headers), got


async def message(**body: Any) -> dict[str, Any]:
    status, type_, got = await ask(**body)
    assert (status, type_) == (200, "application/json")
    told: dict[str, Any] = json.loads(got)["choices"][0]["message"]
    return told


def tool(name: str, *required: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"required": list(required)}}}


async def test_the_model_is_listed() -> None:
    status, _, got = await ask("/v1/models?x=1")
    assert (status, [model["id"] for model in json.loads(got)["data"]]) == (200, ["demo"])


async def test_other_paths_are_not_found() -> None:
    status, _, got = await ask("/v1/embeddings")
    assert (status, "/v1/embeddings" in json.loads(got)["error"]["message"]) == (404, True)


async def test_without_a_tool_the_model_talks() -> None:
    told = await message()
    assert told["content"].startswith("Hello from the built-in demo model.")
    assert "tool_calls" not in told


async def test_the_first_tool_that_needs_no_arguments_is_called() -> None:
    custom = {"type": "custom", "custom": {"name": "patch"}}
    bare = {"type": "function", "function": {"name": "bare"}}
    (call,) = (await message(tools=[custom, tool("needs", "x"), bare, tool("other")]))["tool_calls"]
    assert call["function"] == {"name": "bare", "arguments": "{}"}


@pytest.mark.parametrize(
    "body", [{"tools": [tool("needs", "x")]}, {"tools": [tool("a")], "tool_choice": "none"}]
)
async def test_no_tool_is_called_that_cannot_be(body: dict[str, Any]) -> None:
    assert "tool_calls" not in await message(**body)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"ok": true, "result": ["two", "words"]}', "two words"),
        ('{"ok": true, "result": {"a": 1}}', '{"a":1}'),
        ('{"ok": false, "error": "gone"}', '"gone"'),
        ("plain", "plain"),
        ("[1]", "[1]"),
        (None, "None"),
    ],
)
async def test_the_result_of_a_tool_is_told(content: Any, told: str) -> None:
    result = {"role": "tool", "tool_call_id": "a", "content": content}
    assert f"\n\n    {told}\n\n" in (await message(messages=[HELLO, result], tools=[tool("a")]))["content"]


async def test_usage_is_counted_in_words() -> None:
    _, _, got = await ask()
    usage = json.loads(got)["usage"]
    assert usage["prompt_tokens"] == 2
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("tools", [[], [tool("a")]])
async def test_a_stream_brings_what_a_plain_answer_would(tools: list[dict[str, Any]]) -> None:
    plain = await message(tools=tools)
    status, type_, got = await ask(tools=tools, stream=True)
    assert (status, type_) == (200, "text/event-stream")
    streamed = from_chunks(Relayed(got, ()).chunks, str)["choices"][0]
    assert streamed["message"]["content"] == plain["content"]
    assert len(streamed["message"].get("tool_calls", ())) == len(tools)
    assert streamed["finish_reason"] == ("tool_calls" if tools else "stop")


@pytest.mark.parametrize(("options", "told"), [(None, 0), ({"include_usage": True}, 1)])
async def test_a_stream_tells_its_usage_where_it_is_asked_to(options: Any, told: int) -> None:
    _, _, got = await ask(stream=True, stream_options=options)
    assert len(Relayed(got, ()).usages) == told
