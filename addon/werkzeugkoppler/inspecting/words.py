"""Figures and events in words."""

import json
from typing import Any

from werkzeugkoppler.inspecting.blocks import Cell
from werkzeugkoppler.inspecting.reading import Event
from werkzeugkoppler.wire.glance import MAX_FINISH_CHARS
from werkzeugkoppler.wire.printable import cut

MAX_VALUE_CHARS = 60
"""Of one value in a line that shows an event."""
TYPE_WIDTH = 18

_GOOD = ("ok", "stop", "tool_calls", "ended", "exit 0")
_BUSY = ("running",)


def duration(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def size(count: int) -> str:
    """Of bytes, or of characters."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB"


def state(word: str) -> Cell:
    """A status code, or how something ended, in its colour; a long word is cut."""
    word = cut(word, MAX_FINISH_CHARS)
    if word.isdigit():
        return Cell(word, "good" if word < "400" else "bad")
    return Cell(word, "good" if word in _GOOD else "busy" if word in _BUSY else "bad")


def event_line(event: Event, *, whole: bool = False) -> str:
    """An event in one line: when, what, and what is known of it.

    Args:
        whole: Cut no value.
    """
    values = (f"{key}={_value(value, whole)}" for key, value in event.items() if key not in ("type", "at"))
    return f"{event['at']}  {event['type']:<{TYPE_WIDTH}}  {'  '.join(values)}".rstrip()


def _value(value: Any, whole: bool) -> str:
    is_word = isinstance(value, str) and value and not any(c.isspace() or c == '"' for c in value)
    text = str(value) if is_word else json.dumps(value, ensure_ascii=False)
    return text if whole or len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}..."
