"""JSON text that is changed only where a value changed (BX-07).

Whoever edits what an upstream sent works on parsed values; `rewritten` brings the edits back into the
text. Numbers, escapes, the order of keys and white space of everything else stay as they were written.
"""

from typing import Any

from werkzeugkoppler.wire.jsontext import JsonObject, dumps, item_spans
from werkzeugkoppler.wire.sse import SseEvent, event


def rewritten(text: str, old: Any, new: Any) -> str:
    """The text of `old` with the changes that make it `new`.

    Args:
        text: JSON, as the standard reader takes it.
        old: What it says.
        new: What it is to say. Parts of `old` that are kept should be the same objects.
    """
    if _is_same(old, new):
        return text
    if isinstance(old, dict) and isinstance(new, dict):
        return _object(text, old, new)
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return _array(text, old, new)
    return dumps(new)


def aligned(old: Any, new: Any) -> Any:
    """The new value with the very objects of the old one wherever it says the same.

    So `rewritten` knows what was kept of a value that was parsed anew, as after somebody edited its text.
    """
    if _is_same(old, new):
        return old
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: aligned(old[key], value) if key in old else value for key, value in new.items()}
    if not isinstance(old, list) or not isinstance(new, list):
        return new
    if len(old) == len(new):
        return [aligned(before, value) for before, value in zip(old, new, strict=True)]
    return [next((item for item in old if _is_same(item, value)), value) for value in new]


def rewritten_event(written: SseEvent, old: Any, new: Any) -> bytes:
    """The bytes of an event whose data said `old` and is to say `new`."""
    before = written.data.decode()
    after = rewritten(before, old, new)
    return written.raw if after == before else event(after, written.raw)


def _is_same(old: Any, new: Any) -> bool:
    if old is new:
        return True
    if type(old) is not type(new):
        return False  # 1, 1.0 and true are equal
    if isinstance(old, dict):
        return len(old) == len(new) and all(key in new and _is_same(old[key], new[key]) for key in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_is_same, old, new))
    return bool(old == new)


def _object(text: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    written = JsonObject.parse(text, lenient=True)
    changes: dict[str, str | None] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            changes[key] = dumps(value)
        elif not _is_same(old[key], value):
            changes[key] = rewritten(written.raw(key) or "null", old[key], value)
    return written.edited(changes)


def _array(text: str, old: list[Any], new: list[Any]) -> str:
    spans = item_spans(text)
    if len(old) != len(new):
        places = [_origin(old, value) for value in new]
        items = [
            rewritten(text[slice(*spans[at])], old[at], value) for at, value in zip(places, new, strict=True)
        ]
        return "[" + ",".join(items) + "]"
    parts: list[str] = []
    previous_end = 0
    for (start, end), before, value in zip(spans, old, new, strict=True):
        parts += [text[previous_end:start], rewritten(text[start:end], before, value)]
        previous_end = end
    return "".join([*parts, text[previous_end:]])


def _origin(old: list[Any], value: Any) -> int:
    """Which of the old items a new one was made from: the one that it shares most with."""

    def shared(item: Any) -> int:
        if item is value:
            return 1 << 30
        if not isinstance(item, dict) or not isinstance(value, dict):
            return 0
        kept = [part for key, part in value.items() if item.get(key) is part]
        # Small numbers and null are the same object wherever they stand: they say little.
        return sum(1 if part is None or isinstance(part, int) else 10 for part in kept)

    return max(range(len(old)), key=lambda at: shared(old[at]))
