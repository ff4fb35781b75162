"""The server half of HTTP/1.1, as much as a scripted server needs, with every byte in its own hands."""

import json
import socket
import struct
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

type Pairs = tuple[tuple[str, str], ...]

MAX_HEAD_BYTES = 65536
MAX_LINE_BYTES = 1024

GONE: Final = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)
"""What reading or writing raises once the connection has ended."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A request as it arrived."""

    method: str
    path: str
    """The request target: path and query."""
    headers: Pairs
    """Names in lower case, in the order they came."""
    body: bytes
    closed: anyio.Event = field(default_factory=anyio.Event)
    """Set when the connection that this request came on has ended."""

    @property
    def json(self) -> Any:
        """The body as JSON; raises ValueError where it is none."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The last value of a header, named in lower case."""
        return dict(self.headers).get(name)


class Connection:
    """One accepted socket: requests are read from it, and anything at all is written to it.

    The writing methods raise one of `GONE` once the connection has ended.
    """

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._reader = BufferedByteReceiveStream(stream)

    async def request(self) -> Recorded:
        """Read the next request whole.

        Raises:
            One of `GONE`: The connection has ended.
        """
        head = await self._reader.receive_until(b"\r\n\r\n", MAX_HEAD_BYTES)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _version = first.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines)
        headers = tuple((name.lower(), value.strip()) for name, value in pairs)
        return Recorded(method, path, headers, await self._body(dict(headers)))

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self._reader.receive_exactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int(await self._reader.receive_until(b"\r\n", MAX_LINE_BYTES), 16):
            body += await self._reader.receive_exactly(size)
            await self._reader.receive_until(b"\r\n", MAX_LINE_BYTES)
        await self._reader.receive_until(b"\r\n", MAX_LINE_BYTES)
        return body

    async def gone(self) -> None:
        """Return when the connection has ended; what comes meanwhile is kept for the next request."""
        while True:
            try:
                self._reader.feed_data(await self._stream.receive())
            except GONE:
                return

    async def send(self, data: bytes) -> None:
        """Write bytes as they are, in one piece."""
        await self._stream.send(data)

    async def start(self, status: int, headers: Pairs) -> None:
        """Write a status line and headers."""
        reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        """Write one chunk of a chunked body; empty data ends the body."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def close(self) -> None:
        """End the connection; what was written arrives."""
        await self._stream.aclose()

    async def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        raw: socket.socket = self._stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self._stream.aclose()
