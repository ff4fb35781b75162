"""Values as lines of text that look like YAML, long ones folded.

What somebody may have to approve is `whole`: nothing in it is folded. No text or key can look like a member
beside it: texts are indented or alone on their line, and a key that is no plain word is written as JSON.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

MAX_LINES = 40
"""Of one text; mitmproxy's own views show all of it."""
HEAD_LINES, TAIL_LINES = 25, 8
MAX_LINE = 2000
"""Characters; more is a picture in base64, or the like."""
MAX_ITEMS = 200
"""Of one list or object."""
MAX_DEPTH = 12
MAX_TREE_LINES = 2000
"""Of all members together: they are made on the event loop."""

MORE = "… more lines …"

_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Whatever some screen begins a new line at."""
_PLAIN_KEY = re.compile(r"[\w$@/.-]+( [\w$@/.-]+)*")


def fold(text: str, *, whole: bool = False) -> list[str]:
    """The text's lines; of many or long ones the beginning and the end, with a count of what is not shown."""
    lines = _BREAK.split(text)
    if whole:
        return lines
    lines = [_cut(line) for line in lines]
    if len(lines) <= MAX_LINES:
        return lines
    hidden = len(lines) - HEAD_LINES - TAIL_LINES
    return [*lines[:HEAD_LINES], f"… {hidden} more lines …", *lines[-TAIL_LINES:]]


def block(head: str, text: str, *, whole: bool = False) -> list[str]:
    """A text under its head: beside it where it is short, else indented below."""
    lines = fold(text, whole=whole)
    if len(lines) == 1 and len(lines[0]) <= 80:
        return [f"{_named(head)} {lines[0]}"]
    return [f"{_named(head)} |", *(f"  {line}" for line in lines)]


def members(values: Mapping[str, Any], limit: int = MAX_TREE_LINES, *, whole: bool = False) -> list[str]:
    """An object's members, each under its key; the last line tells if there are more than `limit` lines."""
    lines = (line for key, item in _keyed(values) for line in tree(key, item, whole=whole))
    return bounded(lines, limit)


def bounded(lines: Iterable[str], limit: int = MAX_TREE_LINES) -> list[str]:
    """No more than so many lines, and one that says that there are more."""
    lines = iter(lines)
    kept = list(islice(lines, limit))
    return [*kept, MORE] if next(lines, None) is not None else kept


def tree(head: str, value: Any, depth: int = 0, *, whole: bool = False) -> Iterator[str]:
    """Any JSON value under its head, an object's members and a list's items each on lines of their own."""
    if isinstance(value, str):
        yield from block(head, value, whole=whole)
    elif not isinstance(value, dict | list) or not value or depth >= MAX_DEPTH:
        yield f"{_named(head)} {inline(value, whole=whole)}"
    else:
        yield _named(head)
        items = [("-", item) for item in value] if isinstance(value, list) else _keyed(value)
        shown = items if whole else items[:MAX_ITEMS]
        for key, item in shown:
            yield from (f"  {line}" for line in tree(key, item, depth + 1, whole=whole))
        if len(items) > len(shown):
            yield f"  … {len(items) - len(shown)} more …"


def inline(value: Any, *, whole: bool = False) -> str:
    """Any JSON value on one line."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        text = repr(type(value))
    return text if whole else _cut(text)


def short(value: Any, limit: int = 80) -> str:
    """The beginning of a text, on one line."""
    text = " ".join((value if isinstance(value, str) else inline(value)).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _keyed(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key if _PLAIN_KEY.fullmatch(key) else json.dumps(key), item) for key, item in values.items()]


def _named(head: str) -> str:
    return head if head == "-" else f"{head}:"  # an item of a list has no name


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}… {len(line) - MAX_LINE} more characters"
