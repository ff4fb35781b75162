"""Where an answer goes that no client waits for: to whoever started it in a terminal."""

from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from werkzeugkoppler.endpoints.call import error_reply
from werkzeugkoppler.endpoints.stream import write_stream
from werkzeugkoppler.errors import ApiError, Headers
from werkzeugkoppler.traces import Trace
from werkzeugkoppler.wire.http import JSON_HEADERS


class Collected:
    """An answer as its client would get it; see `endpoints.call.Outlet`.

    Args:
        on_data: Told of each piece of the body as it comes.
    """

    def __init__(self, on_data: Callable[[bytes], None]) -> None:
        self.started = False
        self.last_write = get_running_loop().time()
        self.failure: str | None = None
        self.status: int | None = None
        self.headers: Headers = ()
        self.body = bytearray()
        self._on_data = on_data

    def start(self, status: int, headers: Headers) -> None:
        """Take the head."""
        self.started, self.status, self.headers = True, status, headers

    async def write(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.write_now(data)

    def write_now(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.body += data
        self._on_data(data)

    def has_room(self) -> bool:
        return True

    def end(self) -> None:
        """There is nothing more."""

    def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Take a whole response."""
        self.start(status, headers)
        self.write_now(body)


async def write_answer(
    outlet: Collected, answer: AsyncGenerator[bytes], *, is_stream: bool, trace: Trace
) -> None:
    """Write a turn's answer as its client would get it, without keepalives."""
    if is_stream:
        await write_stream(outlet, answer, keepalive_seconds=0, headers=(), trace=trace)
        return
    try:
        async with aclosing(answer) as items:
            outlet.reply(200, JSON_HEADERS, b"".join([data async for data in items]))
    except ApiError as error:
        trace.add_error(error)
        outlet.failure = error.code or "error"
        reply = error_reply(error)
        outlet.reply(reply.status, reply.headers, reply.body)
