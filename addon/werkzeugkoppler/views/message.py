"""A chat message as lines, in requests and in answers alike."""

from collections.abc import Iterable
from typing import Any

from werkzeugkoppler.turn.asides import FIELDS
from werkzeugkoppler.views.paper import block, members, short
from werkzeugkoppler.wire.completion import calls_of
from werkzeugkoppler.wire.glance import size

_TOLD = frozenset({"role", "content", "tool_calls", "tool_call_id", "name", "index"})


def content_text(content: Any) -> str:
    """The text of a content, with a word for each part that is none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else short(content)
    return "\n".join(_part(part) for part in content)


def message_lines(head: str, message: dict[str, Any]) -> list[str]:
    """A message under its head: its text, or its members where there is more than text."""
    text, calls = content_text(message.get("content")), calls_of(message)
    others = {
        key: value for key, value in message.items() if key not in _TOLD and value not in (None, "", [])
    }
    if not calls and not others:
        return block(head, text)
    lines = [f"{head}:"]
    first = sorted(others, key=lambda key: key not in FIELDS)
    lines += _indented(members({key: others[key] for key in first}))
    lines += _indented(block("content", text)) if text else []
    return [*lines, *_indented(line for call in calls for line in call_lines(call))]


def call_lines(call: dict[str, Any]) -> list[str]:
    """A tool call: the name, the id and the arguments."""
    function = call.get("function") or call.get("custom")
    function = function if isinstance(function, dict) else {}
    arguments = function.get("arguments", function.get("input"))
    head = " ".join(["call", *(short(word) for word in (function.get("name"), call.get("id")) if word)])
    return block(head, arguments if isinstance(arguments, str) else short(arguments, 2000))


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return short(part)
    if isinstance(text := part.get("text"), str):
        return text
    kind = part.get("type")
    value = part.get(kind) if isinstance(kind, str) else None
    data = value.get("url", value.get("data")) if isinstance(value, dict) else None
    if not isinstance(data, str):
        return f"[{short(kind)}]"
    return (
        f"[{kind}, {size(len(data))}]"
        if data.startswith("data:") or kind == "input_audio"
        else f"[{kind} {short(data)}]"
    )


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
