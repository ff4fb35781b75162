"""The load generator's end: one keep-alive HTTP connection that notes when an answer began and ended."""

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
_FIRST_EVENT = b"data: {"


class MeasurementError(Exception):
    """An answer that is not the one asked for, so that its time says nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response; times in ns of the monotonic clock."""

    raw: bytes
    sent_ns: int
    first_event_ns: int | None
    """When the first SSE event with data arrived."""
    done_ns: int

    @property
    def seconds(self) -> float:
        """From sending the request to the last byte of the answer."""
        return (self.done_ns - self.sent_ns) / 1e9

    @property
    def seconds_to_first_event(self) -> float:
        """From sending the request to the first SSE event.

        Raises:
            MeasurementError: There was none.
        """
        if self.first_event_ns is None:
            raise MeasurementError(f"no event in the answer: {self.raw[:300]!r}")
        return (self.first_event_ns - self.sent_ns) / 1e9

    def body(self) -> bytes:
        """The body without its transfer coding.

        Raises:
            MeasurementError: The status is not 200.
        """
        head, _, rest = self.raw.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise MeasurementError(f"not a 200: {self.raw[:300]!r}")
        return b"".join(_chunks(rest)) if _CHUNKED.search(head) else rest

    def text(self) -> str:
        """What the deltas of a streamed answer add up to."""
        events = [line[6:] for line in self.body().split(b"\n") if line.startswith(_FIRST_EVENT)]
        choices = [choice for event in events for choice in json.loads(event).get("choices", [])]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


def _chunks(rest: bytes) -> list[bytes]:
    chunks: list[bytes] = []
    position = 0
    while True:
        line_end = rest.index(b"\r\n", position)
        size = int(rest[position:line_end], 16)
        if size == 0:
            return chunks
        chunks.append(rest[line_end + 2 : line_end + 2 + size])
        position = line_end + 2 + size + 2


class Connection(asyncio.Protocol):
    """One connection; `ask` one request at a time."""

    def __init__(self, on_data: Callable[[bytes], None] | None = None) -> None:
        self._on_data = on_data
        self._received = bytearray()
        self._head_read = False
        self._complete_at: int | None = None
        """Length of the whole answer, head included; None where the body is chunked."""
        self._sent_ns = 0
        self._first_event_ns: int | None = None
        self._answer: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, port: int, on_data: Callable[[bytes], None] | None = None) -> Self:
        """Connect to a port of this machine; `on_data` sees every piece as it arrives."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: cls(on_data), "127.0.0.1", port)
        return connection

    async def ask(self, request: bytes) -> Answer:
        """Send the request and wait for its whole answer.

        Raises:
            ConnectionError: The connection closed before that.
        """
        if self._transport.is_closing():
            raise ConnectionError("the connection was closed between two requests")
        self._received.clear()
        self._head_read = False
        self._complete_at = self._first_event_ns = None
        self._answer = asyncio.get_running_loop().create_future()
        self._sent_ns = time.monotonic_ns()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def leave(self, *, abruptly: bool) -> None:
        """Close whatever is under way; abruptly is with a reset."""
        if abruptly:
            linger = struct.pack("ii", 1, 0)
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._received += data
        if self._on_data is not None:
            self._on_data(data)
        if self._first_event_ns is None and _FIRST_EVENT in self._received:
            self._first_event_ns = now
        if not self._head_read:
            self._read_head()
        if self._is_complete() and self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(bytes(self._received), self._sent_ns, self._first_event_ns, now))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            head = bytes(self._received[:300])
            self._answer.set_exception(ConnectionError(f"closed within an answer: {head!r}"))

    def _read_head(self) -> None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        self._head_read = True
        length = _LENGTH.search(self._received, 0, end)
        if length:
            self._complete_at = end + 4 + int(length[1])

    def _is_complete(self) -> bool:
        if self._complete_at is not None:
            return len(self._received) >= self._complete_at
        # No event holds a carriage return, so this is the last chunk and nothing else.
        return self._received.endswith(b"\r\n0\r\n\r\n")
