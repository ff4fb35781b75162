"""End the HTTP exchange of an MCP request that is given up, at any point, without harm to the session.

The SDK tells the server that nobody waits, but goes on reading: the connection would stay open for as
long as the server is silent. An error where it reads would end the whole session. So it reads an answer
instead, which nobody waits for, and the connection is closed.
"""

import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

import anyio
import httpx2
import mcp_types as types

REMEMBERED = 1000
"""Requests that were given up: word of that may come before the request itself."""

_current = ContextVar["Request | None"]("mcp_request", default=None)
"""The request that a task of the SDK sends: it may ask for the rest of an answer in a second exchange."""


class Request:
    """One JSON-RPC request, in all its exchanges."""

    def __init__(self, number: Any) -> None:
        self._number = number
        self._is_given_up = False
        self._scope = anyio.CancelScope()

    def give_up(self) -> None:
        """Have whatever is awaited for it end at once."""
        self._is_given_up = True
        self._scope.cancel()

    async def response(self, ask: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
        """The response, its body as it comes; an answer in its place where the request is given up."""
        with self._waiting():
            response = await ask()
            is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
            return _with_body(response, _Body(self, response)) if is_stream else response
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=self.event())

    async def next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        """The next piece; None: there is none, or none that anybody waits for."""
        with self._waiting(), suppress(StopAsyncIteration):
            return await anext(pieces)
        return None

    def event(self) -> bytes:
        """An event that ends the SDK's reading."""
        error = {"code": types.INTERNAL_ERROR, "message": "the call was given up"}
        reply = {"jsonrpc": "2.0", "id": self._number, "error": error}
        # What came before may be half an event.
        return b"\n\ndata: " + json.dumps(reply).encode() + b"\n\n"

    @property
    def is_given_up(self) -> bool:
        return self._is_given_up

    def _waiting(self) -> anyio.CancelScope:
        self._scope = anyio.CancelScope()
        if self._is_given_up:
            self._scope.cancel()
        return self._scope


class Requests:
    """The requests under way on one connection."""

    def __init__(self) -> None:
        # A task of the SDK holds its own for as long as it runs.
        self._by_number: WeakValueDictionary[Any, Request] = WeakValueDictionary()
        self._given_up: deque[Request] = deque(maxlen=REMEMBERED)

    def begin(self, number: Any) -> Request:
        """The request of that JSON-RPC id, which the task that runs begins to send."""
        request = self._by_number.setdefault(number, Request(number))
        _current.set(request)
        return request

    def current(self) -> Request | None:
        """What the task that runs has sent."""
        return _current.get()

    def give_up(self, number: Any) -> None:
        """End the exchange of that request, also if it has yet to begin."""
        request = self._by_number.setdefault(number, Request(number))
        self._given_up.append(request)
        request.give_up()


class _Body(httpx2.AsyncByteStream):
    """The body of a response, until its request is given up."""

    def __init__(self, request: Request, response: httpx2.Response) -> None:
        self._request = request
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._response.aiter_bytes()
        while (piece := await self._request.next(pieces)) is not None:
            yield piece
        if self._request.is_given_up:
            await self.aclose()
            yield self._request.event()

    async def aclose(self) -> None:
        await self._response.aclose()


def _with_body(response: httpx2.Response, body: _Body) -> httpx2.Response:
    coded = ("content-encoding", "content-length", "transfer-encoding")
    headers = {name: value for name, value in response.headers.items() if name not in coded}
    return httpx2.Response(response.status_code, headers=headers, stream=body, request=response.request)
