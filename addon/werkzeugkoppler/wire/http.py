"""HTTP messages as the exchanges and the upstreams hand them on."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from werkzeugkoppler.errors import Headers

EVENT_STREAM = "text/event-stream"
JSON_HEADERS: Headers = (("content-type", "application/json"),)
EXPLAIN_HEADER = "X-Werkzeugkoppler-Explain"
"""With `1`, or any value that does not say no: nothing is asked, what would be is told (BX-13)."""
TEXT_HEADERS: Headers = (("content-type", "text/plain; charset=utf-8"),)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its whole body."""

    method: str
    url: str
    headers: Headers
    body: bytes


class HttpAnswer(Protocol):
    """An answer whose body is coming in."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, to be read once."""
        ...

    def abort(self) -> None:
        """Break the answer off: whoever waits for the next piece is told so by an error."""
        ...


@dataclass(frozen=True, slots=True)
class MadeAnswer:
    """An answer that is made here, or read from somewhere else than the network."""

    status: int
    headers: Headers
    pieces: AsyncIterator[bytes]
    break_off: Callable[[], None] | None = None
    """What `abort` does; without it nothing, for a body that is here already."""

    def abort(self) -> None:
        if self.break_off is not None:
            self.break_off()


def media_type(headers: Headers) -> str:
    """The content type in lower case, without its parameters."""
    value = next((value for name, value in headers if name.lower() == "content-type"), "")
    return value.partition(";")[0].strip().lower()


async def whole(body: bytes) -> AsyncIterator[bytes]:
    """A body in one piece."""
    yield body
