"""A gateway before a gateway, which does one thing wrong: to see that the probe finds just that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from werkzeugkoppler.wire.http import EVENT_STREAM, whole
from werkzeugkoppler.wire.sse import SseReader

PASSED_ON = ("Content-Type", "Retry-After")
"""Headers of an answer that the relay keeps."""

type Bytes = Callable[[bytes], bytes]


def as_it_is(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Fault:
    """What a relay does wrong; without arguments nothing."""

    request: Bytes = as_it_is
    """Changes the body of a request."""
    event: Bytes = as_it_is
    """Changes an event of a stream, its blank line included; empty bytes drop it."""
    piece: Bytes | None = None
    """In place of `event`: changes pieces of a stream that end anywhere."""
    refusal: Bytes = as_it_is
    """Changes the body of an answer from status 400 on."""
    is_buffered: bool = False
    """A stream is sent when it has ended."""
    is_serial: bool = False
    """One request at a time."""
    is_stubborn: bool = False
    """A request is carried on after its client has left."""


@asynccontextmanager
async def relaying(target: str, fault: Fault) -> AsyncIterator[str]:
    """Serve in front of a gateway; gives the relay's base URL."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        relay = _Relay(session, target, fault)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", relay.handle)
        runner = web.AppRunner(app, handler_cancellation=not fault.is_stubborn, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


class _Relay:
    def __init__(self, session: aiohttp.ClientSession, target: str, fault: Fault) -> None:
        self._session = session
        self._target = target
        self._fault = fault
        self._turn = asyncio.Lock()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        async with self._turn if self._fault.is_serial else nullcontext():
            headers = {name: request.headers[name] for name in ("Authorization",) if name in request.headers}
            async with self._session.request(
                request.method,
                self._target + request.path_qs,
                data=self._fault.request(await request.read()),
                headers={"Content-Type": "application/json", **headers},
            ) as answer:
                return await self._pass_on(request, answer)

    async def _pass_on(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        if answer.content_type != EVENT_STREAM:
            body = await answer.read()
            body = self._fault.refusal(body) if answer.status >= 400 else body
            return web.Response(status=answer.status, body=body, headers=headers)
        response = web.StreamResponse(status=answer.status, headers=headers)
        pieces = self._pieces(answer)
        if self._fault.is_buffered:
            pieces = whole(b"".join([piece async for piece in pieces]))
        try:
            await response.prepare(request)
            async for piece in pieces:
                await response.write(piece)
        except ConnectionError:
            if not self._fault.is_stubborn:
                raise
            await answer.read()
        return response

    async def _pieces(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        if self._fault.piece is not None:
            async for piece in answer.content.iter_chunked(5):
                yield self._fault.piece(piece)
            return
        reader = SseReader()
        async for piece in answer.content.iter_any():
            for event in reader.feed(piece):
                if changed := self._fault.event(event.raw):
                    yield changed
