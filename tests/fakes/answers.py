"""What a scripted upstream can be told to answer, one class for each manner of answering."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import anyio

from tests.fakes import chunks
from tests.fakes.http1 import Connection, Pairs, Recorded

SSE_TYPE = "text/event-stream; charset=utf-8"


class Answer(Protocol):
    """One scripted answer."""

    async def send(self, connection: Connection, request: Recorded) -> None:
        """Answer the request; the connection is kept open after this unless it was broken off here."""


class _Reset:
    """The type of `RESET`."""


RESET: Final = _Reset()
"""Among the pieces of an answer: the connection is reset here."""

type Piece = dict[str, Any] | bytes | anyio.Event | _Reset
"""A chunk to send as an event, bytes to send as they are, a gate to wait at, or `RESET`."""


@dataclass(frozen=True)
class Sse:
    """A stream of events, each an HTTP chunk of its own, as the usual servers send them.

    Args:
        pieces: In order. A dict is sent as `data: {json}`, bytes are sent as they are; at an event the
            answer waits until a test sets it.
        done: Whether `data: [DONE]` follows the last piece.
    """

    pieces: Sequence[Piece]
    done: bool = True
    status: int = 200
    headers: Pairs = ()

    async def send(self, connection: Connection, request: Recorded) -> None:
        framing = (("content-type", SSE_TYPE), ("transfer-encoding", "chunked"))
        await connection.start(self.status, framing + self.headers)
        for piece in self.pieces:
            match piece:
                case anyio.Event():
                    await piece.wait()
                case _Reset():
                    return await connection.reset()
                case bytes():
                    await connection.chunk(piece)
                case _:
                    await connection.chunk(chunks.event(piece))
        if self.done:
            await connection.chunk(chunks.DONE)
        await connection.chunk(b"")


@dataclass(frozen=True)
class Raw:
    """A status, headers and body bytes with a length; `gate` holds the answer back until it is set."""

    status: int
    headers: Pairs
    body: bytes
    gate: anyio.Event | None = None

    async def send(self, connection: Connection, request: Recorded) -> None:
        if self.gate:
            await self.gate.wait()
        await connection.start(self.status, (*self.headers, ("content-length", str(len(self.body)))))
        await connection.send(self.body)


@dataclass(frozen=True)
class Json:
    """A JSON body: a value, or bytes that are JSON already."""

    body: Any
    status: int = 200
    headers: Pairs = ()
    gate: anyio.Event | None = None

    async def send(self, connection: Connection, request: Recorded) -> None:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = (("content-type", "application/json"), *self.headers)
        await Raw(self.status, headers, body, self.gate).send(connection, request)


@dataclass(frozen=True)
class Cut:
    """Bytes as they are, status line and all, and then the connection ends."""

    data: bytes

    async def send(self, connection: Connection, request: Recorded) -> None:
        await connection.send(self.data)
        await connection.reset()


@dataclass(frozen=True)
class Hang:
    """Nothing at all, until it is released; then the connection ends."""

    released: anyio.Event = field(default_factory=anyio.Event)

    async def send(self, connection: Connection, request: Recorded) -> None:
        await self.released.wait()
        await connection.reset()


@dataclass(frozen=True)
class Says:
    """A text, streamed or plain as the request asks, with usage where a real server would send it.

    Args:
        parts: The text in the pieces in which it is streamed; a gate between them is waited at.
        overrides: Passed to the builder in `chunks`: id, model, finish, usage, ...
    """

    parts: tuple[str | anyio.Event, ...]
    overrides: dict[str, Any] = field(default_factory=dict)

    async def send(self, connection: Connection, request: Recorded) -> None:
        if request.json.get("stream"):
            pieces = chunks.text_chunks(*self.parts, **_with_usage_if_asked(self.overrides, request))
            return await Sse(pieces).send(connection, request)
        for part in self.parts:
            if isinstance(part, anyio.Event):
                await part.wait()
        texts = [part for part in self.parts if isinstance(part, str)]
        await Json(chunks.completion("".join(texts), **self.overrides)).send(connection, request)


@dataclass(frozen=True)
class Calls:
    """Tool calls, streamed or plain as the request asks.

    Args:
        calls: Each a name, the arguments as text, and the call's id.
        overrides: Passed to the builder in `chunks`: text, id, model, usage, ...
    """

    calls: tuple[chunks.Call, ...]
    overrides: dict[str, Any] = field(default_factory=dict)

    async def send(self, connection: Connection, request: Recorded) -> None:
        if request.json.get("stream"):
            pieces = chunks.calls_chunks(*self.calls, **_with_usage_if_asked(self.overrides, request))
            return await Sse(pieces).send(connection, request)
        await Json(chunks.calls_completion(*self.calls, **self.overrides)).send(connection, request)


def says(*parts: str | anyio.Event, **overrides: Any) -> Says:
    """A `Says` with its overrides as keywords."""
    return Says(parts, overrides)


def calls(*wanted: chunks.Call, **overrides: Any) -> Calls:
    """A `Calls` with its overrides as keywords."""
    return Calls(wanted, overrides)


def _with_usage_if_asked(overrides: dict[str, Any], request: Recorded) -> dict[str, Any]:
    if (request.json.get("stream_options") or {}).get("include_usage"):
        return overrides
    return overrides | {"usage": None}
