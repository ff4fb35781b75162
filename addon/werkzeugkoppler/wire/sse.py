"""Server-sent events: bytes in, events out, and events to bytes.

`SseReader.feed` has three outcomes: events, `ValueError` for an event that grows without end, or an
empty list for "need more". Every event keeps its bytes, so that what no rule touches is passed on as
it came. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""An event may hold a whole image in base64, and nothing larger is known."""

DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": keepalive\n\n"

# A blank line. A carriage return at the end of what has come may be half of "\r\n": it waits.
_END = re.compile(rb"(?:\r\n|\n|\r(?=[^\n]))(?:\r\n|\n|\r(?=[^\n]))")
_CLOSED = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)\Z")
_LINE = re.compile(rb"\r\n|\n|\r")
_MARK = b"\xef\xbb\xbf"
"""The byte order mark, which may stand at the beginning of a stream."""


class SseEvent(NamedTuple):
    """One event, and its bytes with the blank line that ends it."""

    data: bytes
    """The data lines joined by newlines; empty where there were none, as in a comment."""
    raw: bytes


class SseReader:
    """Splits a byte stream into events, whatever the pieces it comes in."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # no event ends before this offset

    def feed(self, piece: bytes) -> list[SseEvent]:
        """The events that `piece` completes.

        Raises:
            ValueError: An event is larger than `MAX_EVENT_BYTES`.
        """
        self._buffer += piece
        events: list[SseEvent] = []
        start = 0
        for end in [match.end() for match in _END.finditer(self._buffer, self._searched)]:
            events.append(_event(bytes(self._buffer[start:end])))
            start = end
        if start:
            del self._buffer[:start]
        if len(self._buffer) > MAX_EVENT_BYTES:
            raise ValueError(f"an event is larger than {MAX_EVENT_BYTES} bytes")
        self._searched = max(0, len(self._buffer) - 3)
        return events

    def close(self) -> list[SseEvent]:
        """The last event, where the stream ended without the blank line after it."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        self._searched = 0
        if not rest.strip():
            return []
        # Behind the last event no carriage return can be half of anything.
        return [_event(rest if _CLOSED.search(rest) else rest + b"\n\n")]


def event(data: str, beside: bytes = b"") -> bytes:
    """The bytes of an event.

    Args:
        data: Its lines, without a carriage return.
        beside: The raw event in whose place it stands: its lines that are no data are kept.
    """
    kept = b""
    if beside and not _is_plain(beside):
        lines = _LINE.split(beside)
        kept = b"".join(line + b"\n" for line in lines if line and line.partition(b":")[0] != b"data")
    return kept + b"data: " + data.encode().replace(b"\n", b"\ndata: ") + b"\n\n"


def _event(raw: bytes) -> SseEvent:
    raw = raw.removeprefix(_MARK)
    if not raw.isascii():
        raw = raw.decode("utf-8", "replace").encode()  # as the specification has it
    if _is_plain(raw):
        return SseEvent(raw[6:-2], raw)
    lines: list[bytes] = []
    for line in _LINE.split(raw):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"error":
            # How llama.cpp told errors in 2025: https://github.com/ggml-org/llama.cpp/pull/16109
            lines.append(b'{"error":' + value.strip() + b"}")
    return SseEvent(b"\n".join(lines), raw)


def _is_plain(raw: bytes) -> bool:
    """Whether an event is one line of data, as nearly all are."""
    return raw.startswith(b"data: ") and raw.count(b"\n") == 2 and b"\r" not in raw
