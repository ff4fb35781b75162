"""Completions and chunks turned into each other, for upstreams that answer in the other form."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeugkoppler.wire.assemble import MessageAssembler

type Chunk = dict[str, Any]
type Completion = dict[str, Any]


def first_choice(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The choice that the client sees (WK-123): the one with index 0; a missing index counts as 0."""
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return None
    return next((c for c in choices if isinstance(c, dict) and c.get("index", 0) == 0), None)


def to_chunks(completion: Completion) -> Iterator[Chunk]:
    """The stream that would have brought this completion (WK-138)."""
    head = {k: v for k, v in completion.items() if k not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    choice = first_choice(completion) or {}
    message = dict(choice.get("message") or {})
    if isinstance(message.get("tool_calls"), list):
        message["tool_calls"] = [{"index": i, **call} for i, call in enumerate(message["tool_calls"])]
    rest = {k: v for k, v in choice.items() if k not in ("message", "finish_reason", "index")}
    yield head | {"choices": [{"index": 0, "delta": message, **rest, "finish_reason": None}]}
    yield head | {
        "choices": [{"index": 0, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}]
    }
    if completion.get("usage"):
        yield head | {"choices": [], "usage": completion["usage"]}


def from_chunks(chunks: Iterable[Chunk], new_id: Callable[[], str]) -> Completion:
    """The completion that a stream brought."""
    completion: Completion = {}
    message = MessageAssembler(new_id)
    finish_reason = None
    for chunk in chunks:
        completion |= {
            k: v for k, v in chunk.items() if k != "choices" and k not in completion or k == "usage"
        }
        choice = first_choice(chunk)
        if choice is None:
            continue
        finish_reason = choice.get("finish_reason") or finish_reason
        delta = choice.get("delta") or {}
        message.add(delta)
        for call in delta.get("tool_calls") or ():
            message.add_call(call)
    for draft in message.calls:
        message.ensure_id(draft)
    completion["object"] = "chat.completion"
    completion["choices"] = [{"index": 0, "message": message.message(), "finish_reason": finish_reason}]
    return completion
