"""What of a body may stand in a log or a trace: cut, and without what looks like or is a key (WK-154)."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

REMOVED = "[removed]"
SHORTEST_SECRET = 6
"""Characters; a shorter value stands in many words that give nothing away."""

_VALUE = re.compile(r'"\s*:\s*(\\*)"')
"""What stands before a value: in JSON within JSON there are backslashes before its quotes."""
_NAMES = ("key", "authorization", "password", "passphrase", "secret", "token")
_NAME = re.compile(
    r"(?:(?:api|access|secret|private)[-_]?key|authorization|password|passphrase|secret"
    r"|(?:access|auth|api|refresh|id|session)[-_]?token)\Z"
)
_NAME_CHARS = 64
"""That are looked at, with the backslashes after it."""
_QUOTE = re.compile(r'(?<!\\)\\*"')
_HEADER = re.compile(
    # Bounded: a long run of such words would be looked through from each of them.
    r"(\b(?:x-[\w-]{0,20}?(?:key|token|secret)|api-key|(?:proxy-)?authorization)\s*:\s*(?:(?:Basic|Bearer|Token)\s+)?)"
    r"[^\s\"'\\,;]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bBearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_BASIC = re.compile(r"(\bBasic\s+)(?=[A-Za-z+/]*[\d=])[\w+/]{8,}={0,2}")
_USUAL = re.compile(r"\bsk-[\w-]{8,}")
_IN_QUERY = re.compile(
    r"([?&](?:(?:x-)?api[-_]?key|key|token|(?:access|auth|api|id)[-_]?token|auth|authorization|secret|password)=)"
    r"[^&\s'\"]+",
    re.IGNORECASE,
)
MARGIN = 4096
"""Characters beyond a cut that are looked at too, as long as a key may be: no half of one stays."""


def redacted(content: str | bytes, secrets: Iterable[str], limit: int, missing: int = 0) -> str:
    """A text without keys; of a long one the beginning and the end.

    However long it is, no more than its two ends are looked at.

    Args:
        secrets: Values that are keys, wherever they stand.
        limit: Characters (bytes, where the content is bytes) over which the middle is left out.
        missing: So many were left out before, more than `limit / 2 + MARGIN` away from either end.
    """
    if len(content) <= limit:
        return without_keys(_text(content), secrets)
    half = limit // 2
    head = without_keys(_text(content[: half + MARGIN]), secrets)
    tail = without_keys(_text(content[-half - MARGIN :]), secrets)
    left_out = f" ... {len(content) - 2 * half + missing} left out ... "
    return head[:-MARGIN][:half] + left_out + tail[MARGIN:][-half:]


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode("utf-8", "replace")


def without_keys(text: str, secrets: Iterable[str]) -> str:
    """A text without what looks like or is a key; `secrets` as for `redacted`."""
    text = "".join(_without_named(without_secrets(text, secrets)))
    for pattern in (_HEADER, _BEARER, _BASIC):
        text = pattern.sub(rf"\1{REMOVED}", text)
    return query_without_keys(_USUAL.sub(REMOVED, text))


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text with each of the secrets removed, wherever it stands, also in JSON within JSON."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            written = _written(secret)
            text = text.replace(secret, REMOVED) if written is None else written.sub(REMOVED, text)
    return text


@lru_cache(256)
def _written(secret: str) -> re.Pattern[str] | None:
    """How a secret may stand in JSON text; `None` where that is only as it is."""
    if secret.isascii() and secret.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return None
    # In four texts within each other 15 backslashes stand before a quote, and 16 for a backslash.
    return re.compile("".join(_escaped(run[0]) for run in re.finditer(r"\\+|[^\\]", secret, re.DOTALL)))


def _escaped(run: str) -> str:
    """A pattern for a character, or for backslashes, which each for itself would be tried in every way."""
    if run[0] == "\\":
        return rf"\\{{{len(run)},{16 * len(run)}}}"
    if run.isascii() and run.isalnum():
        return run
    units = run.encode("utf-16-be", "surrogatepass").hex()
    unicode = "".join(rf"\\{{1,16}}u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4))
    letter = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}.get(run)
    return rf"(?:\\{{0,15}}{re.escape(run)}|{unicode}{rf'|\\{{1,16}}{letter}' if letter else ''})"


def _without_named(text: str) -> Iterator[str]:
    at = 0
    for match in _VALUE.finditer(text):
        begin, value = match.span()
        if begin >= at and _is_key(text[max(0, begin - _NAME_CHARS) : begin].rstrip("\\").lower()):
            yield text[at:value]
            at = _end(text, value, len(match[1]))
            yield REMOVED if at > value else ""
    yield text[at:]


def _is_key(name: str) -> bool:
    return name.endswith(_NAMES) and _NAME.search(name) is not None  # the first is quick


def _end(text: str, start: int, escapes: int) -> int:
    """Where a JSON string ends, without its quote.

    Args:
        escapes: Backslashes before the quotes around it.
    """
    for quote in _QUOTE.finditer(text, start):
        there = len(quote[0]) - 1
        # Within the string a backslash is written as 2 * (escapes + 1) of them.
        if there < escapes or there % (2 * (escapes + 1)) == escapes:
            return max(start, quote.end() - 1 - min(there, escapes))
    return len(text)


def query_without_keys(text: str) -> str:
    """A path, or any text with one, whose parameters are empty that are keys by their names."""
    return _IN_QUERY.sub(rf"\1{REMOVED}", text) if "=" in text else text
