"""What answers a leg, and a scripted one that ships: the demo and tests are made of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from werkzeugkoppler.wire.http import HttpAnswer, HttpRequest, MadeAnswer


@dataclass(slots=True)
class UpstreamState:
    """What is known of an upstream from the last time it was asked, for `/healthz`."""

    ok: bool | None = None
    """`None`: not asked yet."""
    error: str | None = None


class Upstream(Protocol):
    """A model server, or what stands for one."""

    base_url: str
    """Without `/v1` and without a slash at the end."""
    state: UpstreamState

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def send(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpAnswer]:
        """Send one request; leaving the context early breaks it off.

        Raises:
            UpstreamError: It could not be asked, or broke off.
        """
        ...


class ScriptedUpstream:
    """An upstream whose answers come from a function in this process.

    Args:
        base_url: What its flows show.
        respond: Takes a request, gives an answer. A body's pieces may be as slow as they like.
    """

    def __init__(self, base_url: str, respond: Callable[[HttpRequest], MadeAnswer]) -> None:
        self.base_url = base_url
        self.state = UpstreamState(ok=True)
        self._respond = respond

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def send(self, request: HttpRequest) -> AsyncIterator[HttpAnswer]:
        yield self._respond(request)
