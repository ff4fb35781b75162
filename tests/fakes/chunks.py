"""Chat completions and their chunks, in the shape in which OpenAI's own server sends them."""

import json
from typing import Any, Final, NamedTuple

DONE: Final = b"data: [DONE]\n\n"
ID: Final = "chatcmpl-upstream1"
MODEL: Final = "fake-model"
CREATED: Final = 1700000000
USAGE: Final = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


class Call(NamedTuple):
    """A tool call of the model."""

    name: str
    arguments: str = "{}"
    """JSON as text, as on the wire."""
    id: str = "call_1"

    def wire(self) -> dict[str, Any]:
        """The call as a message holds it."""
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }


def event(data: Any) -> bytes:
    """One server-sent event with JSON data."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def chunk(
    delta: dict[str, Any],
    *,
    id: str = ID,
    model: str = MODEL,
    created: int = CREATED,
    finish: str | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """One chunk with one choice; `extra` are further top-level keys."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
    return head | {"choices": [choice]} | extra


def text_chunks(
    *parts: Any, finish: str = "stop", usage: dict[str, Any] | None = USAGE, **head: Any
) -> list[Any]:
    """A streamed text: the role, the parts, an empty delta with the finish, then usage where there is any.

    A part that is no text (a gate, bytes) stays among the chunks as it is.
    """
    texts = [chunk({"content": part}, **head) if isinstance(part, str) else part for part in parts]
    role = chunk({"role": "assistant", "content": ""}, **head)
    return [role, *texts, chunk({}, finish=finish, **head), *_usage_chunk(usage, head)]


def calls_chunks(
    *calls: Call,
    text: str = "",
    finish: str = "tool_calls",
    usage: dict[str, Any] | None = USAGE,
    **head: Any,
) -> list[Any]:
    """Streamed tool calls: each begins with its name and empty arguments, which then come in two pieces."""
    pieces: list[Any] = [chunk({"role": "assistant", "content": text or None}, **head)]
    for index, call in enumerate(calls):
        middle = len(call.arguments) // 2
        first = call.wire() | {"index": index, "function": {"name": call.name, "arguments": ""}}
        pieces.append(chunk({"tool_calls": [first]}, **head))
        for part in (call.arguments[:middle], call.arguments[middle:]):
            delta = {"tool_calls": [{"index": index, "function": {"arguments": part}}]}
            pieces.append(chunk(delta, **head))
    return [*pieces, chunk({}, finish=finish, **head), *_usage_chunk(usage, head)]


def completion(text: str | None, **overrides: Any) -> dict[str, Any]:
    """A plain answer with a text."""
    return _completion({"role": "assistant", "content": text, "refusal": None}, "stop", **overrides)


def calls_completion(*calls: Call, text: str | None = None, **overrides: Any) -> dict[str, Any]:
    """A plain answer with tool calls."""
    message = {"role": "assistant", "content": text, "tool_calls": [call.wire() for call in calls]}
    return _completion(message, "tool_calls", **overrides)


def _completion(
    message: dict[str, Any],
    default_finish: str,
    *,
    id: str = ID,
    model: str = MODEL,
    created: int = CREATED,
    finish: str | None = None,
    usage: dict[str, Any] | None = USAGE,
    **extra: Any,
) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish or default_finish}
    head = {"id": id, "object": "chat.completion", "created": created, "model": model}
    return head | {"choices": [choice], "usage": usage} | extra


def _usage_chunk(usage: dict[str, Any] | None, head: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if usage is None else [chunk({}, **head) | {"choices": [], "usage": usage}]
