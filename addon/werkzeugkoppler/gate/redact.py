"""What of a body may stand in the log: cut, and without what looks like or is a key (WK-154)."""

import re
from collections.abc import Iterable

MAX_CHARS = 8000
"""A conversation may have megabytes; its beginning tells what it is."""
REMOVED = "[removed]"
SHORTEST_SECRET = 6
"""Characters; a shorter value stands in many words that give nothing away."""

_NAMED = re.compile(
    r'((?:api[-_]?key|authorization|password|secret|(?:access|auth|api)[-_]?token)\\?"\s*:\s*\\?")[^"\\]+',
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bBearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_USUAL = re.compile(r"\bsk-[\w-]{8,}")


_IN_QUERY = re.compile(
    r"([?&](?:(?:x-)?api[-_]?key|key|token|(?:access|auth|api|id)[-_]?token|auth|authorization|secret|password)=)"
    r"[^&\s'\"]+",
    re.IGNORECASE,
)


def without_keys(text: str, secrets: Iterable[str]) -> str:
    """A text without what looks like or is a key.

    Args:
        secrets: Values that are keys, wherever they stand.
    """
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, REMOVED)
    text = _BEARER.sub(rf"\1{REMOVED}", _NAMED.sub(rf"\1{REMOVED}", text))
    return query_without_keys(_USUAL.sub(REMOVED, text))


def query_without_keys(text: str) -> str:
    """A path, or any text with one, whose parameters are empty that are keys by their names."""
    return _IN_QUERY.sub(rf"\1{REMOVED}", text) if "=" in text else text


def shown(body: bytes, secrets: Iterable[str]) -> str:
    """A body as the log may have it; `secrets` as for `without_keys`."""
    text = without_keys(body.decode("utf-8", "replace"), secrets)  # before it is cut: half a key is a key
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}... cut, {len(text)} characters in all"
