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


def shown(body: bytes, secrets: Iterable[str]) -> str:
    """A body as the log may have it.

    Args:
        secrets: Values that are keys, wherever they stand.
    """
    text = without_secrets(body.decode("utf-8", "replace"), secrets)
    # Before it is cut: half a key is still half a key.
    text = _USUAL.sub(REMOVED, _BEARER.sub(rf"\1{REMOVED}", _NAMED.sub(rf"\1{REMOVED}", text)))
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}... cut, {len(text)} characters in all"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text with each of the secrets removed, wherever it stands."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, REMOVED)
    return text
