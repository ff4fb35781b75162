"""The fake upstream: a process that answers canned bytes as fast as a socket takes them.

A raw protocol without an HTTP library, so that the ways to it are measured and not the server itself.
It prints the port it listens on and serves until it is killed.
"""

import asyncio
import gc
import re
import socket
import time

from bench import canned

_MODEL = re.compile(rb'"model":\s*"bench-([a-z]+)(?:-(\d+)-(\d+))?"')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_PHASE = 0.618
"""Part of an interval by which each slow stream starts later than the one before, so that they spread."""


class Upstream(asyncio.Protocol):
    """One connection, any number of requests one after the other."""

    last_chat = b"{}"
    """The newest chat request's body, of all connections; `GET /last` shows it."""
    slow_streams = 0
    """Slow streams begun so far, of all connections."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) >= whole:
            path = self._received.split(b" ", 2)[1]
            body = self._received[end + 4 : whole]
            self._received = self._received[whole:]
            self._answer(path, body)

    def _answer(self, path: bytes, body: bytes) -> None:
        if path == b"/last":
            self._transport.write(canned.json_answer(Upstream.last_chat))
            return
        model = _MODEL.search(body)
        if model is None:
            self._transport.write(canned.json_answer(b'{"object": "list", "data": []}'))
            return
        Upstream.last_chat = body
        match model[1]:
            case b"plain":
                self._transport.write(canned.plain_answer())
            case b"fast":
                self._transport.write(canned.text_stream(int(model[2])))
            case b"slow":
                self._stream_slowly(interval=1 / int(model[2]), events=int(model[3]))
            case b"soak" if b'"tool_call_id"' in body:
                self._stream_slowly(interval=1 / int(model[2]), events=int(model[3]))
            case b"soak" | b"tool":
                answered = b'"tool_call_id"' in body
                self._transport.write(canned.text_stream(3) if answered else canned.tool_call_stream())
            case _:
                self._transport.abort()

    def _stream_slowly(self, *, interval: float, events: int) -> None:
        """Send one stamped event every `interval` seconds."""
        loop = asyncio.get_running_loop()
        Upstream.slow_streams += 1
        start = loop.time() + interval * (1 + Upstream.slow_streams * _PHASE % 1)

        def send(number: int) -> None:
            if self._transport.is_closing():
                return
            if number == events:
                self._transport.write(canned.stream_finish("stop"))
                return
            self._transport.write(canned.stamped_chunk(time.monotonic_ns()))
            loop.call_at(start + (number + 1) * interval, send, number + 1)

        self._transport.write(canned.STREAM_START)
        loop.call_at(start, send, 0)


async def serve() -> None:
    """Print the port, then serve for ever."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = await asyncio.get_running_loop().create_server(Upstream, sock=listener)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    gc.disable()  # nothing here makes cycles, and a collection would show as somebody's delay
    asyncio.run(serve())
