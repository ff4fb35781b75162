"""Completions and chunks turned into each other, for upstreams that answer in the other form."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.wire.assemble import MessageAssembler
from werkzeugkoppler.wire.jsontext import JsonObject

type Chunk = dict[str, Any]
type Completion = dict[str, Any]


def first_choice(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The choice that the client sees (WK-123): the one with index 0; no index counts as 0."""
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return None
    return next((c for c in choices if isinstance(c, dict) and (c.get("index") or 0) == 0), None)


def finish_reason_of(choice: dict[str, Any]) -> str | None:
    """Why the choice ended; anything but a word is none."""
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason else None


def calls_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of a message or a delta, none where there is nothing that looks like some."""
    calls = message.get("tool_calls")
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def parse_completion(body: bytes) -> JsonObject:
    """Read an upstream's answer, which has a first choice with a message.

    Raises:
        UpstreamError: It is not a completion. Where it is an error object, the error holds it.
    """
    try:
        completion = JsonObject.parse(body.decode())
    except (ValueError, TypeError) as error:
        # The beginning of an object, or nothing: it broke off. Any other text will be the same next time.
        cause = Cause.INCOMPLETE if body.strip()[:1] in (b"", b"{") else None
        raise UpstreamError(f"the upstream's answer is not a JSON object: {error}", cause=cause) from error
    choice = first_choice(completion.values)
    if choice is None or not isinstance(choice.get("message"), dict):
        problem = "the upstream's answer is not a chat completion"
        raise UpstreamError.told(problem, body) if completion.values.get("error") else UpstreamError(problem)
    return completion


def to_chunks(completion: Completion) -> Iterator[Chunk]:
    """The stream that would have brought this completion (WK-138)."""
    head = {k: v for k, v in completion.items() if k not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    choice = first_choice(completion) or {}
    message = choice.get("message") or {}
    if calls := calls_of(message):
        message = {**message, "tool_calls": [{**call, "index": i} for i, call in enumerate(calls)]}
    rest = {k: v for k, v in choice.items() if k not in ("message", "finish_reason", "index")}
    yield head | {"choices": [{"index": 0, "delta": message, **rest, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason_of(choice) or "stop"}]}
    if completion.get("usage"):
        yield head | {"choices": [], "usage": completion["usage"]}


def from_chunks(chunks: Iterable[Chunk], new_id: Callable[[], str]) -> Completion:
    """The completion that a stream brought."""
    completion: Completion = {}
    message = MessageAssembler(new_id)
    finish_reason = None
    for chunk in chunks:
        completion |= {
            k: v
            for k, v in chunk.items()
            if k != "choices" and not completion.get(k) or k == "usage" and v is not None
        }
        choice = first_choice(chunk)
        if choice is None:
            continue
        finish_reason = finish_reason_of(choice) or finish_reason
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        message.add(delta)
        for call in calls_of(delta):
            message.add_call(call)
    for draft in message.calls:
        message.ensure_id(draft)
    completion["object"] = "chat.completion"
    completion["choices"] = [{"index": 0, "message": message.message(), "finish_reason": finish_reason}]
    return completion
