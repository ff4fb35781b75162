"""What an endpoint is given, and what it gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from werkzeugkoppler.errors import ApiError, Headers
from werkzeugkoppler.labels import Link
from werkzeugkoppler.stack import Stack
from werkzeugkoppler.traces import Trace
from werkzeugkoppler.wire.http import JSON_HEADERS


@dataclass(frozen=True, slots=True)
class Call:
    """A client's request that was let in."""

    stack: Stack
    """The stack of the moment; it stays the call's until the end."""
    link: Link
    trace: Trace
    body: bytes
    has_key: bool
    """The request came with the service key, or none is set."""
    config_error: str | None = None
    """Why the config file is not what runs."""
    wants_explanation: bool = False
    """The request is not to be answered: what would be asked is to be told (BX-13)."""


class Outlet(Protocol):
    """Where a streamed answer goes; see `source.Outlet`."""

    started: bool
    last_write: float
    failure: str | None
    is_last: bool

    def start(self, status: int, headers: Headers) -> None: ...

    async def write(self, data: bytes) -> None: ...

    def write_now(self, data: bytes) -> None: ...

    def has_room(self) -> bool: ...

    def end(self) -> None: ...

    def reply(self, status: int, headers: Headers, body: bytes) -> None: ...


type Write = Callable[[Outlet, Headers], Awaitable[None]]
"""Writes an answer; takes the outlet, and headers to add."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Streamed:
    """A response that is written as it comes."""

    write: Write


type Endpoint = Callable[[Call], Awaitable[Reply | Streamed]]


def error_reply(error: ApiError) -> Reply:
    return Reply(error.status, (*JSON_HEADERS, *error.headers), error.body())
