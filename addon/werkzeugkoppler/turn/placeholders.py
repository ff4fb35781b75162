"""Put the date and what the readers found into our own messages, never into the client's (WK-36 to WK-41).

One pass over the text as it was configured: what a placeholder became is not looked into again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

_PLACEHOLDER = re.compile(
    r"\{\s*(?:"
    r"today(?:\s*:\s*(?P<form>[^{}\s](?:[^{}]*[^{}\s])?))?"
    r"|last_user_message_reader_(?:result|output)\s*:\s*(?P<reader>[^{}\s](?:[^{}]*[^{}\s])?)"
    r")\s*\}"
)

_WEEKDAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag")
_MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni"),
    *("Juli", "August", "September", "Oktober", "November", "Dezember"),
)


def fill(
    messages: Sequence[dict[str, Any]], *, now: datetime, readings: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The messages with every placeholder in their texts replaced; all else in them stays.

    Args:
        now: The time that `{today}` shows, in the zone that it is to be shown in.
        readings: What each reader found; a reader that is not in it is empty (WK-39).
    """

    def value(match: re.Match[str]) -> str:
        if match["reader"] is not None:
            return readings.get(match["reader"], "")
        return german(now) if match["form"] is None else _formatted(now, match["form"], match[0])

    return [_with_texts(message, lambda text: _PLACEHOLDER.sub(value, text)) for message in messages]


def readers_named(messages: Sequence[dict[str, Any]]) -> set[str]:
    """The names of all readers that the messages have a placeholder for."""
    names: set[str] = set()

    def note(text: str) -> str:
        names.update(match["reader"] for match in _PLACEHOLDER.finditer(text) if match["reader"])
        return text

    for message in messages:
        _with_texts(message, note)
    return names


def german(now: datetime) -> str:
    """Such as `Freitag, 20. November 2026, 19:01:36`, whatever the locale (F22)."""
    return f"{_WEEKDAYS[now.weekday()]}, {now.day}. {_MONTHS[now.month - 1]} {now:%Y, %H:%M:%S}"


def _formatted(now: datetime, form: str, otherwise: str) -> str:
    try:
        return now.strftime(form)
    except ValueError:  # what is no format on every system stays as it was written
        return otherwise


def _with_texts(message: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The message with `change` applied to its text, or to that of each of its parts."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if isinstance(content, list):
        return {**message, "content": [_changed_part(part, change) for part in content]}
    return message


def _changed_part(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {**part, "text": change(part["text"])}
    return part
