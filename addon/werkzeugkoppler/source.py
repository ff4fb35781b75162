"""The loopback source: where mitmproxy pulls streamed answers from.

A mitmproxy addon cannot stream a response that it makes (mitmproxy issue 8103). So an answer is parked
here under a one-time path that cannot be guessed, the client's flow is pointed at that path, and
mitmproxy streams what it gets from here. mitmproxy is the only peer, and what it sends is small and
regular: a head, and a body that is not looked at. Anything that does not know a path is cut off.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from werkzeugkoppler.errors import Headers

MAX_HEAD_BYTES = 256 * 1024
"""A client's request head, which mitmproxy hands on, fits many times."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)

logger = logging.getLogger(__name__)

type Answerer = Callable[["Outlet"], Awaitable[None]]
"""Writes one whole answer to the outlet. Cancelled when the client leaves."""


class Source:
    """The server, and the answers that wait to be pulled."""

    def __init__(self) -> None:
        self._parked: dict[bytes, Answerer] = {}
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._parked, self._connections), "127.0.0.1", 0
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop serving; answers under way are cancelled."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()

    def park(self, answerer: Answerer) -> str:
        """Keep an answer until it is pulled.

        Returns:
            The path to pull it from, once.
        """
        path = f"/{secrets.token_urlsafe(32)}"
        self._parked[path.encode()] = answerer
        return path

    def forget(self, path: str) -> None:
        """Drop an answer that nobody will pull any more."""
        self._parked.pop(path.encode(), None)


class Outlet:
    """The response side of one pulled answer."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()
        self.started = False
        """The status line is out."""
        self.status = 0
        """What it says."""
        self.failure: str | None = None
        """Why a stream that had begun broke off."""
        self.is_last = False
        """The request's body never comes, so nothing can follow on this connection."""
        self.last_write = self._loop.time()
        """When the last bytes went out, on the loop's clock in seconds."""
        self.written = 0
        """Body bytes so far."""

    def start(self, status: int, headers: Headers) -> None:
        """Send the head of a streamed response."""
        self._head(status, (*headers, ("transfer-encoding", "chunked")))

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; waits while the client is slower."""
        self.write_now(data)
        if not self._room.is_set():
            await self._room.wait()

    def write_now(self, data: bytes) -> None:
        """Send a piece of the body without waiting; none where the client has not taken the last ones."""
        self.last_write = self._loop.time()
        if self._transport.is_closing():
            return  # the client left; the turn is about to be told
        self.written += len(data)
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """Send the end of a streamed response."""
        self._transport.write(b"0\r\n\r\n")

    def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole response."""
        self.written += len(body)
        self._head(status, (*headers, ("content-length", str(len(body)))))
        self._transport.write(body)

    def has_room(self) -> bool:
        """Whether the client keeps up."""
        return self._room.is_set()

    def pause(self) -> None:
        self._room.clear()

    def resume(self) -> None:
        self._room.set()

    def _head(self, status: int, headers: Headers) -> None:
        self.started, self.status = True, status
        self.last_write = self._loop.time()
        reason = HTTPStatus(status).phrase if status in HTTPStatus else ""
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        self._transport.write("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))


class _Connection(asyncio.Protocol):
    """One connection of mitmproxy's: requests on it come one after another."""

    def __init__(self, parked: dict[bytes, Answerer], connections: "set[_Connection]") -> None:
        self._parked = parked
        self._connections = connections
        self._buffer = b""
        self._skip = 0  # bytes of a request body that are still to come
        self._reusable = True  # where the next request begins is known
        self._outlet: Outlet | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if not data:
            return
        self._buffer += data
        if self._task is None:
            self._next_request()
        elif len(self._buffer) > MAX_HEAD_BYTES:
            self._buffer = b""  # a body without a length, of a request that is answered already
            self._reusable = False

    def _next_request(self) -> None:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            if len(self._buffer) > MAX_HEAD_BYTES:
                self.abort()
            return
        words = head.split(b" ", 2)
        answerer = self._parked.pop(words[1], None) if len(words) == 3 else None
        if answerer is None:
            self.abort()
            return
        length = _LENGTH.search(head + b"\r\n")
        self._reusable = length is not None or b"transfer-encoding" not in head.lower()
        body_length = int(length[1]) if length else 0
        self._skip = max(0, body_length - len(rest))
        self._buffer = rest[body_length:]
        self._outlet = Outlet(self._transport)
        task = asyncio.get_running_loop().create_task(
            self._answer(answerer, self._outlet), name="streamed answer"
        )
        if not task.done():  # mitmproxy's loop starts tasks at once, and the next may be under way
            self._task = task

    async def _answer(self, answerer: Answerer, outlet: Outlet) -> None:
        try:
            await answerer(outlet)
        except Exception:  # boundary: an answerer tells its own errors, what comes here is a fault in it
            logger.exception("A streamed answer failed")
            self.abort()
        self._task = self._outlet = None
        if not self._reusable or outlet.is_last:
            self._transport.close()
        elif self._buffer:
            self._next_request()

    def pause_writing(self) -> None:
        if self._outlet is not None:
            self._outlet.pause()

    def resume_writing(self) -> None:
        if self._outlet is not None:
            self._outlet.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        self._transport.abort()
