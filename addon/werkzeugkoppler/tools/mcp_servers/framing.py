"""Cut what a server prints into messages: a JSON-RPC message a line, none of them beyond a bound.

Three outcomes for a line: a message; an error in a message's place, where it is too large; or noise, which is
handed back as text. Nothing is scanned twice, and of a message that is too large only both ends are kept.
"""

import re

import mcp_types as types
from mcp.shared.message import SessionMessage

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""Of one message from a server: no model reads more, and reading it would hold all other turns up."""

END_BYTES = 512
"""What is kept of both ends of a message that is too large: its id stands at one of them."""

_ID_FIRST = re.compile(rb'^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+)\s*,')
_ID_LAST = re.compile(rb'[,{]\s*"id"\s*:\s*(\d+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')
"""Servers made with the TypeScript SDK write the result first and the id last. A quote inside a text would
have a backslash before it, so neither is found inside a result."""


class Framing:
    """The lines of one server, as they come in."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._line = bytearray()
        # Of a line beyond the bound: how long it is, and its end. `_line` then is its beginning.
        self._size = 0
        self._end = b""

    def feed(self, data: bytes) -> list[SessionMessage | str]:
        """The messages that the bytes complete, with noise as text; blank lines count for nothing."""
        *ended, rest = data.split(b"\n")
        found: list[SessionMessage | str] = []
        for piece in ended:
            self._add(piece)
            if (message := self._taken()) is not None:
                found.append(message)
        self._add(rest)
        return found

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._max_bytes:
            self._line += piece
            return
        self._end = ((self._end or bytes(self._line[-END_BYTES:])) + piece)[-END_BYTES:]
        self._line += piece[:END_BYTES]
        del self._line[END_BYTES:]

    def _taken(self) -> SessionMessage | str | None:
        line, size, end = bytes(self._line), self._size, self._end
        self._line, self._size, self._end = bytearray(), 0, b""
        if size > self._max_bytes:
            return _refused(line, end, size, self._max_bytes)
        return _read(line) if line.strip() else None


def too_large(size: str, max_bytes: int = MAX_MESSAGE_BYTES) -> str:
    """The text of the error for a message of that size."""
    return f"the result is too large: {size}, and at most {max_bytes} bytes are taken; ask for less"


def _read(line: bytes) -> SessionMessage | str:
    # A stray byte in a tool's text must not cost the message.
    text = line.decode("utf-8", "replace")
    try:
        return SessionMessage(types.jsonrpc_message_adapter.validate_json(text, by_name=False))
    except ValueError:
        return text


def _refused(start: bytes, end: bytes, size: int, max_bytes: int) -> SessionMessage | str:
    found = _ID_FIRST.search(start) or _ID_LAST.search(end)
    if found is None:
        return f"a line of {size} bytes"
    error = types.ErrorData(code=types.INTERNAL_ERROR, message=too_large(f"{size} bytes", max_bytes))
    return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=int(found[1]), error=error))
