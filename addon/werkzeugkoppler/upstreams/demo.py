"""The built-in demo model: a small script that streams token by token and really calls a tool."""

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from anyio import sleep

from werkzeugkoppler.upstreams.base import ScriptedUpstream
from werkzeugkoppler.wire.http import EVENT_STREAM, JSON_HEADERS, HttpRequest, MadeAnswer, whole
from werkzeugkoppler.wire.jsontext import dumps
from werkzeugkoppler.wire.sse import DONE, event

MODEL = "demo"
TOKEN_SECONDS = 0.02
"""Between two tokens: fast enough not to wait for, slow enough to be seen."""

type Reply = tuple[str, list[dict[str, Any]]]
"""A text, and the tool calls after it."""


def demo_upstream() -> ScriptedUpstream:
    return ScriptedUpstream("http://demo.model", _respond)


def _respond(request: HttpRequest) -> MadeAnswer:
    path = request.url.partition("?")[0].removeprefix("http://demo.model")
    if path == "/v1/models":
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "werkzeugkoppler"}
        return _json({"object": "list", "data": [model]})
    if path != "/v1/chat/completions":
        return _json(
            {"error": {"message": f"the demo model has no {path}", "type": "invalid_request_error"}}, 404
        )
    body = json.loads(request.body)
    text, calls = _reply(body)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": MODEL}
    words = sum(len(str(message.get("content") or "").split()) for message in body["messages"])
    spoken = len(_tokens(text)) + 8 * len(calls)
    usage = {"prompt_tokens": words, "completion_tokens": spoken, "total_tokens": words + spoken}
    if body.get("stream"):
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return MadeAnswer(
            200, (("content-type", EVENT_STREAM),), _stream(head, text, calls, usage, wants_usage)
        )
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(calls)}
    return _json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def _reply(body: dict[str, Any]) -> Reply:
    last = body["messages"][-1]
    if last.get("role") == "tool":
        told = "That call was run by Werkzeugkoppler, within this one answer."
        return f"The tool answered:\n\n    {_result(last)}\n\n{told}", []
    tool = _callable_tool(body)
    if tool is None:
        return (
            "Hello from the built-in demo model. No tool was offered that it can call, so it just talks.",
            [],
        )
    function = {"name": tool, "arguments": "{}"}
    call = {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
    return f"Hello from the built-in demo model. I will call the tool {tool}.\n\n", [call]


def _result(message: dict[str, Any]) -> str:
    try:
        outcome = json.loads(message["content"])
    except (KeyError, TypeError, ValueError):
        return str(message.get("content"))
    if not isinstance(outcome, dict):
        return str(outcome)
    result = outcome.get("result", outcome.get("error"))
    return " ".join(map(str, result)) if isinstance(result, list) else dumps(result)


def _callable_tool(body: dict[str, Any]) -> str | None:
    """The first tool that can be called without arguments."""
    if body.get("tool_choice") == "none":
        return None
    functions = [tool.get("function") or {} for tool in body.get("tools") or ()]
    return next(
        (f["name"] for f in functions if f.get("name") and not (f.get("parameters") or {}).get("required")),
        None,
    )


async def _stream(
    head: dict[str, Any], text: str, calls: list[dict[str, Any]], usage: dict[str, int], wants_usage: bool
) -> AsyncIterator[bytes]:
    for delta in _deltas(text, calls):
        yield _chunk(head, [{"index": 0, "delta": delta, "finish_reason": None}])
        await sleep(TOKEN_SECONDS)
    yield _chunk(head, [{"index": 0, "delta": {}, "finish_reason": _finish_reason(calls)}])
    if wants_usage:
        yield _chunk(head, [], usage=usage)
    yield DONE


def _deltas(text: str, calls: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for token in _tokens(text):
        yield {"content": token}
    for index, call in enumerate(calls):
        yield {"tool_calls": [{"index": index, **call, "function": {**call["function"], "arguments": ""}}]}
        yield {"tool_calls": [{"index": index, "function": {"arguments": call["function"]["arguments"]}}]}


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def _finish_reason(calls: list[dict[str, Any]]) -> str:
    return "tool_calls" if calls else "stop"


def _chunk(head: dict[str, Any], choices: list[dict[str, Any]], **more: Any) -> bytes:
    return event(dumps({**head, "object": "chat.completion.chunk", "choices": choices, **more}))


def _json(body: dict[str, Any], status: int = 200) -> MadeAnswer:
    return MadeAnswer(status, JSON_HEADERS, whole(dumps(body).encode()))
