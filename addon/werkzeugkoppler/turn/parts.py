"""Contents that are lists of parts: made text in deltas, the reasoning apart from the answer (WK-129)."""

from typing import Any

_REASONING_TYPES = frozenset({"summary", "summary_text", "thinking"})
_REASONING_KEYS = ("reasoning", "reasoning_content", "summary", "thinking")

type Delta = dict[str, Any]


def as_text(delta: Delta, field: str) -> Delta:
    """The delta with texts in place of its parts.

    Parts that are no text, such as an image, stay a list, together with the text around them.

    Args:
        field: The key for the reasoning.

    Returns:
        The delta itself where its content is no list, or holds nothing that can be made text.
    """
    parts = delta.get("content")
    if not isinstance(parts, list):
        return delta
    thoughts = [part for part in parts if _is_reasoning(part) and _text(part) is not None]
    others = [part for part in parts if part not in thoughts]
    texts = [_text(part) for part in others]
    if None in texts and not thoughts:
        return delta
    answer = others if None in texts else "".join(map(str, texts))
    reasoning = "".join([str(delta.get(field) or ""), *(str(_text(part)) for part in thoughts)])
    rest = {key: value for key, value in delta.items() if key not in ("content", field)}
    return rest | ({field: reasoning} if reasoning else {}) | ({"content": answer} if answer else {})


def joined(first: Any, second: Any) -> Any:
    """The values that two legs have under one key: texts, or arrays of parts."""
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return first + second
    return [*_parts(first), *_parts(second)]


def last_words(content: Any, words: str) -> str:
    """Words of ours as they follow an answer's content: a paragraph of their own."""
    return f"\n\n{words}" if content else words


def _is_reasoning(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    kind = str(part.get("type") or "").lower()
    return "reason" in kind or kind in _REASONING_TYPES or any(key in part for key in _REASONING_KEYS)


def _text(part: Any) -> str | None:
    """The text of a part, or of the parts that it holds; `None` where it has none."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        texts = [_text(inner) for inner in part]
        return None if None in texts else "".join(map(str, texts))
    if not isinstance(part, dict):
        return None
    return next((_text(part[key]) for key in ("text", *_REASONING_KEYS) if part.get(key) is not None), None)


def _parts(value: Any) -> Any:
    return value if isinstance(value, list) else [{"type": "text", "text": value}]
