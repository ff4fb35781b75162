"""Values as lines of text that look like YAML, long ones folded."""

import json
from collections.abc import Iterator
from typing import Any

MAX_LINES = 40
"""Of one text; mitmproxy's own views show all of it."""
HEAD_LINES, TAIL_LINES = 25, 8
MAX_LINE = 2000
"""Characters; more is a picture in base64, or the like."""
MAX_ITEMS = 200
"""Of one list or object."""
MAX_DEPTH = 12


def fold(text: str) -> list[str]:
    """The text's lines; of many or long ones the beginning and the end, with a count of what is not shown."""
    lines = [_cut(line.rstrip("\r")) for line in text.split("\n")]
    if len(lines) <= MAX_LINES:
        return lines
    hidden = len(lines) - HEAD_LINES - TAIL_LINES
    return [*lines[:HEAD_LINES], f"… {hidden} more lines …", *lines[-TAIL_LINES:]]


def block(head: str, text: str) -> list[str]:
    """A text under its head: beside it where it is short, else indented below."""
    lines = fold(text)
    if len(lines) == 1 and len(lines[0]) <= 80:
        return [f"{_named(head)} {lines[0]}"]
    return [f"{_named(head)} |", *(f"  {line}" for line in lines)]


def tree(head: str, value: Any, depth: int = 0) -> Iterator[str]:
    """Any JSON value under its head, an object's members and a list's items each on lines of their own."""
    if isinstance(value, str):
        yield from block(head, value)
    elif not isinstance(value, dict | list) or not value or depth >= MAX_DEPTH:
        yield f"{_named(head)} {inline(value)}"
    else:
        yield _named(head)
        items = list(value.items()) if isinstance(value, dict) else [("-", item) for item in value]
        for key, item in items[:MAX_ITEMS]:
            yield from (f"  {line}" for line in tree(str(key), item, depth + 1))
        if len(items) > MAX_ITEMS:
            yield f"  … {len(items) - MAX_ITEMS} more …"


def inline(value: Any) -> str:
    """Any JSON value on one line."""
    try:
        return _cut(json.dumps(value, ensure_ascii=False))
    except (ValueError, TypeError, RecursionError):
        return _cut(repr(type(value)))


def short(value: Any, limit: int = 80) -> str:
    """The beginning of a text, on one line."""
    text = " ".join((value if isinstance(value, str) else inline(value)).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _named(head: str) -> str:
    return head if head == "-" else f"{head}:"  # an item of a list has no name


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}… {len(line) - MAX_LINE} more characters"
