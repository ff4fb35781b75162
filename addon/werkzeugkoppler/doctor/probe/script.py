"""The words of the scripted upstream: chunks, completions and replies in the forms of real servers."""

import json
from collections.abc import Sequence
from typing import Any

from werkzeugkoppler.doctor.probe.scripted import MODEL, Asked, Piece, Reply, Respond
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.wire.http import JSON_HEADERS
from werkzeugkoppler.wire.sse import DONE

USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}

type Json = dict[str, Any]


def head(asked: Asked) -> Json:
    """What all chunks of an answer have in common; another one for each request of a scenario."""
    return {"id": f"chatcmpl-doctor{asked.number}", "created": 1700000000 + asked.number, "model": MODEL}


def event(value: Json) -> bytes:
    """One server-sent event with JSON."""
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def chunk(asked: Asked, delta: Json, finish: str | None = None, **more: Any) -> bytes:
    """One chunk with one choice; `more` are further keys at the top."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({**head(asked), "object": "chat.completion.chunk", "choices": [choice], **more})


def framed(
    asked: Asked, middle: Sequence[Piece], finish: str | None = "stop", usage: Json | None = USAGE
) -> list[Piece]:
    """A whole stream as the usual servers send it: the role, `middle`, the finish in an empty delta,
    usage where it was asked for, the end mark."""
    pieces: list[Piece] = [chunk(asked, {"role": "assistant", "content": ""}), *middle]
    if finish is not None:
        pieces.append(chunk(asked, {}, finish))
    if usage is not None and asked.wants_usage:
        pieces.append(
            event({**head(asked), "object": "chat.completion.chunk", "choices": [], "usage": usage})
        )
    return [*pieces, DONE]


def completion(asked: Asked, message: Json, finish: str = "stop", usage: Json | None = USAGE) -> Reply:
    """A plain answer."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {**head(asked), "object": "chat.completion", "choices": [choice], "usage": usage}
    return whole(json.dumps(body, ensure_ascii=False).encode())


def whole(body: bytes, status: int = 200, headers: Headers = JSON_HEADERS) -> Reply:
    """A body with its length."""
    return Reply([body], status, (*headers, ("Content-Length", str(len(body)))))


def said(asked: Asked, *parts: str | Piece, usage: Json | None = USAGE) -> Reply:
    """A text, streamed or plain as it was asked for; a gate between its parts is waited at."""
    texts = [part for part in parts if isinstance(part, str)]
    if not asked.is_stream:
        return completion(asked, {"content": "".join(texts)}, usage=usage)
    middle = [chunk(asked, {"content": part}) if isinstance(part, str) else part for part in parts]
    return Reply(framed(asked, middle, usage=usage))


def says(*parts: str | Piece, usage: Json | None = USAGE) -> Respond:
    """The script of an upstream that says a text."""
    return lambda asked: said(asked, *parts, usage=usage)


def call(name: str, arguments: str = "{}", id: str = "aB3dE5gH7") -> Json:
    """A tool call as a message holds it."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def called(asked: Asked, *calls: Json, text: str = "", usage: Json | None = USAGE) -> Reply:
    """A text and tool calls, streamed or plain as it was asked for."""
    if not asked.is_stream:
        return completion(asked, {"content": text or None, "tool_calls": list(calls)}, "tool_calls", usage)
    middle: list[Piece] = [chunk(asked, {"content": text})] if text else []
    for index, one in enumerate(calls):
        middle += call_chunks(asked, index, one)
    return Reply(framed(asked, middle, "tool_calls", usage))


def call_chunks(asked: Asked, index: int, one: Json) -> list[Piece]:
    """A call in three deltas: the name, and the arguments in two pieces."""
    arguments = one["function"]["arguments"]
    middle = len(arguments) // 2
    first = {**one, "index": index, "function": {"name": one["function"]["name"], "arguments": ""}}
    return [
        chunk(asked, {"tool_calls": [first]}),
        *(
            chunk(asked, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
            for piece in (arguments[:middle], arguments[middle:])
        ),
    ]


def refused(status: int, error: Json, headers: Headers = ()) -> Respond:
    """The script of an upstream that refuses with an error."""
    body = json.dumps({"error": error}).encode()
    return lambda asked: whole(body, status, (*JSON_HEADERS, *headers))
