"""A scripted OpenAI-compatible upstream, to see what a gateway really asks and makes of the answers.

A request is told by a mark in its messages, so that it is answered by its own script whatever the gateway
adds to it, and however often it asks.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from anyio import move_on_after

from werkzeugkoppler.errors import Headers

MODEL = "doctor-model"
MAX_BODY_BYTES = 64 * 1024 * 1024
GATE_SECONDS = 20.0
"""An answer does not wait longer at a gate: whoever should open it has gone."""

type Piece = bytes | asyncio.Event | float
"""Bytes to send at once, a gate to wait at, or seconds to wait."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the upstream answers.

    Args:
        pieces: Sent in order.
        is_cut: The connection is broken off after the last piece.
        gate: Held back, headers too, until it is open.
    """

    pieces: Sequence[Piece]
    status: int = 200
    headers: Headers = (("Content-Type", "text/event-stream; charset=utf-8"),)
    is_cut: bool = False
    gate: asyncio.Event | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """A chat request as it arrived."""

    raw: bytes
    json: dict[str, Any]
    number: int
    """Counted from 1 within its scenario."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the gateway left before the answer's end."""

    @property
    def is_stream(self) -> bool:
        return bool(self.json.get("stream"))

    @property
    def wants_usage(self) -> bool:
        return bool((self.json.get("stream_options") or {}).get("include_usage"))

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results of tool calls among the messages."""
        return [message for message in self.json["messages"] if message.get("role") == "tool"]

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The functions that are offered."""
        found = [tool.get("function") for tool in self.json.get("tools") or ()]
        return [function for function in found if isinstance(function, dict) and function.get("name")]


type Respond = Callable[[Asked], Reply]


class Scenario:
    """One script, and the requests that it was asked for."""

    def __init__(self, respond: Respond) -> None:
        self.mark = f"doctor-{secrets.token_hex(6)}"
        self.asked: list[Asked] = []
        self.respond = respond
        self._news = asyncio.Event()

    @property
    def prompt(self) -> str:
        """The text that a request of this scenario has to hold."""
        return f"Say hello ({self.mark})."

    def add(self, asked: Asked) -> None:
        self.asked.append(asked)
        self._news.set()

    async def arrived(self, seconds: float) -> Asked | None:
        """The first request, once it is there; None where it is not within the time."""
        with move_on_after(seconds):
            await self._news.wait()
        return self.asked[0] if self.asked else None


class ScriptedUpstream:
    """The server; `url` is its base, without `/v1`."""

    def __init__(self, default: Respond) -> None:
        self.url = ""
        self._default = Scenario(default)
        self._scenarios: dict[str, Scenario] = {}

    @classmethod
    @asynccontextmanager
    async def serving(cls, default: Respond, port: int = 0) -> AsyncIterator[Self]:
        """Listen on 127.0.0.1, on a free port where none is given.

        Args:
            default: Answers what has no mark.

        Raises:
            OSError: The port is taken.
        """
        upstream = cls(default)
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/v1/models", _models)
        app.router.add_post("/v1/chat/completions", upstream._chat)
        app.router.add_route("*", "/{path:.*}", _unknown)
        # Told of a gateway that leaves by its handler's cancellation.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            upstream.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield upstream
        finally:
            await runner.cleanup()

    @contextmanager
    def scene(self, respond: Respond) -> Iterator[Scenario]:
        """A scenario that answers requests with its mark."""
        scenario = Scenario(respond)
        self._scenarios[scenario.mark] = scenario
        try:
            yield scenario
        finally:
            del self._scenarios[scenario.mark]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = _object(raw)
        if body is None or not isinstance(body.get("messages"), list):
            return _refusal(400, "expected a JSON object with messages")
        text = raw.decode("utf-8", "replace")
        scenario = next((s for mark, s in self._scenarios.items() if mark in text), self._default)
        asked = Asked(raw, body, len(scenario.asked) + 1)
        scenario.add(asked)
        try:
            return await _answer(request, scenario.respond(asked))
        except (asyncio.CancelledError, ConnectionError):
            asked.closed.set()
            raise


async def _answer(request: web.Request, reply: Reply) -> web.StreamResponse:
    if reply.gate is not None:
        await _pass(reply.gate)
    response = web.StreamResponse(status=reply.status, headers=dict(reply.headers))
    await response.prepare(request)
    for piece in reply.pieces:
        match piece:
            case bytes():
                await response.write(piece)
            case asyncio.Event():
                await _pass(piece)
            case _:
                await asyncio.sleep(piece)
    if reply.is_cut and request.transport is not None:
        request.transport.abort()
    else:
        await response.write_eof()
    return response


async def _pass(gate: asyncio.Event) -> None:
    with move_on_after(GATE_SECONDS):
        await gate.wait()


async def _models(request: web.Request) -> web.Response:
    model = {"id": MODEL, "object": "model", "created": 1, "owned_by": "doctor"}
    return web.json_response({"object": "list", "data": [model]})


async def _unknown(request: web.Request) -> web.Response:
    return _refusal(404, f"there is no {request.path}")


def _refusal(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return web.json_response({"error": error}, status=status)


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
