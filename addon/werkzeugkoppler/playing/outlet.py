"""Where an answer goes that no client waits for: to whoever started it in a terminal."""

from asyncio import get_running_loop
from collections.abc import Callable

from werkzeugkoppler.errors import Headers


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
