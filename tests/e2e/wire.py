"""A socket to the proxy, for what an HTTP client would not let a test do."""

import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.e2e.client import CHAT_PATH
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import Proxy

MAX_HEAD_BYTES: Final = 65536


class Wire:
    """One connection."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._reader = BufferedByteReceiveStream(stream)

    async def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        await self._stream.send(data)

    async def half_close(self) -> None:
        """Say that nothing more will be sent; what comes can still be read."""
        await self._stream.send_eof()

    async def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        raw: socket.socket = self._stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self._stream.aclose()

    async def close(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def until(self, text: bytes) -> bytes:
        """Read until a text has come."""
        return await self._reader.receive_until(text, MAX_HEAD_BYTES)

    async def receive(self) -> bytes:
        """Read what has come, at least a byte; raises at the end as the stream does."""
        return await self._reader.receive()

    async def head(self) -> bytes:
        """Read a status line and headers, without the blank line."""
        return await self._reader.receive_until(b"\r\n\r\n", MAX_HEAD_BYTES)

    async def answer(self) -> tuple[int, bytes]:
        """Read an answer that tells its length: the status and the body."""
        status_line, *lines = (await self.head()).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self._reader.receive_exactly(int(headers["content-length"]))
        return int(status_line.split(" ")[1]), body

    async def rest(self) -> bytes:
        """Read until the proxy closes the connection."""
        data = b""
        try:
            while True:
                data += await self._reader.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return data


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Wire]:
    """Open a connection to the proxy."""
    host, port = proxy.url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        yield Wire(stream)


def chat_head(*headers: str, version: str = "1.1") -> bytes:
    """The head of a chat request with the right key and these headers more."""
    key = f"Authorization: Bearer {SERVICE_KEY}"
    lines = [f"POST {CHAT_PATH} HTTP/{version}", "Host: 127.0.0.1", key, *headers, "", ""]
    return "\r\n".join(lines).encode()


def chat_request(body: Any) -> bytes:
    """A whole chat request."""
    data = json.dumps(body).encode()
    return chat_head("Content-Type: application/json", f"Content-Length: {len(data)}") + data
