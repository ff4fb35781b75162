"""What of a body may stand in a log or a trace: cut, and without what looks like or is a key (WK-154)."""

import json
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
_MARGIN = 4096
"""Characters beyond a cut that are looked at too, as long as a key may be: no half of one stays."""


def shown(body: bytes, secrets: Iterable[str]) -> str:
    """A body as the log may have it.

    Args:
        secrets: Values that are keys, wherever they stand.
    """
    # Before it is cut: half a key is still half a key.
    text = without_keys(body.decode("utf-8", "replace"), secrets)
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}... cut, {len(text)} characters in all"


def redacted(content: str | bytes, secrets: Iterable[str], limit: int) -> str:
    """A text without keys; of a long one the beginning and the end.

    However long it is, no more than its two ends are looked at.

    Args:
        secrets: Values that are keys, wherever they stand.
        limit: Characters (bytes, where the content is bytes) over which the middle is left out.
    """
    if len(content) <= limit:
        return without_keys(_text(content), secrets)
    half = limit // 2
    head = without_keys(_text(content[: half + _MARGIN]), secrets)
    tail = without_keys(_text(content[-half - _MARGIN :]), secrets)
    left_out = f" ... {len(content) - 2 * half} left out ... "
    return head[:-_MARGIN][:half] + left_out + tail[_MARGIN:][-half:]


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode("utf-8", "replace")


def without_keys(text: str, secrets: Iterable[str]) -> str:
    """A text without what looks like or is a key; `secrets` as for `redacted`."""
    text = without_secrets(text, secrets)
    text = _BEARER.sub(rf"\1{REMOVED}", _NAMED.sub(rf"\1{REMOVED}", text))
    return query_without_keys(_USUAL.sub(REMOVED, text))


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text with each of the secrets removed, wherever it stands."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            # In JSON text a key may be written with escapes.
            for written in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
                text = text.replace(written, REMOVED)
    return text


def query_without_keys(text: str) -> str:
    """A path, or any text with one, whose parameters are empty that are keys by their names."""
    return _IN_QUERY.sub(rf"\1{REMOVED}", text) if "=" in text else text
