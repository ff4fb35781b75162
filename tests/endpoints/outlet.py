"""An outlet that keeps what was written to it."""

import anyio

from werkzeugkoppler.errors import Headers


class KeptOutlet:
    """The client's side of an answer, in memory."""

    def __init__(self) -> None:
        self.started = False
        self.began = anyio.Event()
        """Set when the head is out."""
        self.last_write = anyio.current_time()
        self.status: int | None = None
        self.headers: Headers = ()
        self.body = b""
        self.ended = False
        self.failure: str | None = None
        self.is_last = False
        self.room = True
        self._written = anyio.Event()

    def start(self, status: int, headers: Headers) -> None:
        assert not self.started
        self.started = True
        self.began.set()
        self.status, self.headers = status, headers
        self._note(b"")

    async def write(self, data: bytes) -> None:
        self.write_now(data)

    def write_now(self, data: bytes) -> None:
        assert self.started
        assert not self.ended
        assert data, "nothing would end the body"
        self._note(data)

    def has_room(self) -> bool:
        return self.room

    def end(self) -> None:
        assert self.started
        assert not self.ended
        self.ended = True

    def reply(self, status: int, headers: Headers, body: bytes) -> None:
        self.start(status, headers)
        self._note(body)
        self.end()

    async def wait_for(self, text: bytes, times: int = 1) -> None:
        """Wait until a text stands in the body so many times."""
        while self.body.count(text) < times:
            await self._written.wait()

    def _note(self, data: bytes) -> None:
        self.body += data
        self.last_write = anyio.current_time()
        self._written.set()
        self._written = anyio.Event()
