"""The stages of a turn: how each is brought about, known to have been reached, and known to be over."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio

from tests.e2e.client import Client
from tests.e2e.proxy import POLL_SECONDS
from tests.fakes.answers import SSE_TYPE, Answer, Hang, Json, Sse, calls, says
from tests.fakes.chunks import Call, chunk, event
from tests.fakes.http1 import Connection, Recorded
from tests.fakes.lifelines import PROGRAM, Lifelines
from tests.fakes.upstream import Upstream

FAKES: Final = Path(__file__).parents[1] / "fakes"
SCRIPT: Final = Path(__file__).parent / "scripts" / "holder.py"
GENERATIONS: Final = 3
"""Of the processes that run at a stage: the command itself, its child, and the child of that."""


def settings(lifelines: Lifelines, log: Path) -> dict[str, Any]:
    """Settings under which all stages can be reached; `log` is what the MCP server writes."""
    note = {"name": "NOTE", "type": "insecure_string", "default": ""}
    line = f"{sys.executable} {PROGRAM} {lifelines.port} {GENERATIONS}"
    reading = f"if grep -q 'a slow reader'; then {line}; fi"
    return {
        "max_concurrent_requests": 1,
        "stream_keepalive_seconds": 0.1,
        "upstream_connect_retries": -1,
        "upstream_retry_interval_ms": 3_600_000,
        "allowed_direct_commands": ["*"],
        "actions": [
            lifelines.action("hold", GENERATIONS, parameters=[note]),
            shell("stubborn", f"trap '' TERM; {line}; true"),
        ],
        "last_user_message_readers": [{"name": "notes", "command": "sh", "arguments": ["-c", reading]}],
        "mcp_servers": [
            {
                "server_id": "fake",
                "transport": "stdio",
                "command": sys.executable,
                "args": [str(FAKES / "mcp_stdio_server.py")],
                "env": {"WK_FAKE_LOG": str(log)},
            }
        ],
    }


def shell(name: str, script: str) -> dict[str, Any]:
    """An action that is a script for the shell."""
    return {"name": name, "description": "Runs", "command": "/bin/sh", "arguments": ["-c", script]}


@dataclass(frozen=True)
class World:
    """What a test can see of a turn from outside."""

    client: Client
    """Somebody else's than the one whose turn it is."""
    upstream: Upstream
    lifelines: Lifelines
    log: Path

    async def exchanges(self) -> list[dict[str, Any]]:
        """All flows of the turn, oldest first; see `scripts/holder.py`."""
        return list(json.loads((await self.client.get("/exchanges")).body))

    async def an_exchange(self, **state: Any) -> None:
        """Wait until there is an exchange of that state."""
        while not any(state.items() <= exchange.items() for exchange in await self.exchanges()):  # noqa: ASYNC110
            await anyio.sleep(POLL_SECONDS)

    async def all_ended(self) -> None:
        """Wait until no flow is held, and none is under way."""
        while any(exchange["held"] or exchange["live"] for exchange in await self.exchanges()):  # noqa: ASYNC110
            await anyio.sleep(POLL_SECONDS)

    async def logged(self, event: str) -> None:
        """Wait until the MCP server has written an event of that kind."""
        while not any(line.startswith(event) for line in self.log.read_text().splitlines()):  # noqa: ASYNC110
            await anyio.sleep(POLL_SECONDS)


type Wait = Callable[[World], Awaitable[None]]


async def nothing(world: World) -> None:
    """Nothing to wait for."""


async def leg_closed(world: World) -> None:
    await world.upstream.chats[-1].closed.wait()


async def models_asked(world: World) -> None:
    while not any(request.path == "/v1/models" for request in world.upstream.requests):  # noqa: ASYNC110
        await anyio.sleep(POLL_SECONDS)


async def models_closed(world: World) -> None:
    await world.upstream.requests[-1].closed.wait()


async def processes_run(world: World) -> None:
    await world.lifelines.running(GENERATIONS)


async def processes_ended(world: World) -> None:
    await world.lifelines.running(0)


@dataclass(frozen=True)
class Half:
    """The first half of a plain answer, and then nothing more."""

    sent: anyio.Event = field(default_factory=anyio.Event)

    async def send(self, connection: Connection, request: Recorded) -> None:
        await connection.start(200, (("content-type", "application/json"), ("content-length", "100")))
        await connection.send(b'{"id": "x"')
        self.sent.set()
        await anyio.sleep_forever()


class Flood:
    """A stream that never ends, as fast as it is taken."""

    async def send(self, connection: Connection, request: Recorded) -> None:
        await connection.start(200, (("content-type", SSE_TYPE), ("transfer-encoding", "chunked")))
        while True:
            await connection.chunk(event(chunk({"content": "x" * 10_000})))


@dataclass(frozen=True)
class Stage:
    """A moment of a turn at which it stays until somebody leaves."""

    name: str
    reached: Wait
    question: str = "Hello?"
    """May hold `%d`, for the port of the lifelines."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request."""
    answers: tuple[Callable[[], Answer], ...] = ()
    """Makers of what the upstream is scripted with."""
    models: Answer | None = None
    """What the upstream answers where it is asked for its models."""
    gone: Wait = nothing
    """Waits until what ran is over."""
    streams: tuple[bool, ...] = (False, True)
    """Whether it is reached by plain and by streamed chats."""

    def __str__(self) -> str:
        return self.name


def held(kind: str, hook: str, **more: Any) -> Stage:
    """A stage at which a flow is held."""

    async def reached(world: World) -> None:
        await world.an_exchange(kind=kind, held=True)

    words = f"please hold {kind} {hook}"
    return Stage(f"{kind} {hook} held", reached, **({"question": words} | more))


def call_hold(note: str = "") -> Answer:
    return calls(Call("actions__hold", json.dumps({"NOTE": note})))


async def asked(world: World) -> None:
    await world.upstream.chat()


async def mcp_called(world: World) -> None:
    await world.logged("call slow")


async def mcp_told(world: World) -> None:
    await world.logged("cancelled")


async def refused(world: World) -> None:
    await world.an_exchange(kind="leg", status=503, live=False)


SLOW: Final = Call("fake__slow", '{"seconds": 3600}')
HOLD_LINE: Final = f"@@ {sys.executable} {PROGRAM} %d {GENERATIONS}"

STAGES: Final = (
    Stage("model list", models_asked, fields={"model": ""}, models=Hang(), gone=models_closed),
    Stage("unanswered", asked, answers=(Hang,), gone=leg_closed),
    Stage("prefill", asked, answers=(lambda: Sse([anyio.Event()]),), gone=leg_closed),
    Stage("mid-answer", asked, answers=(lambda: says("Hel", anyio.Event()),), gone=leg_closed),
    Stage("flood", asked, answers=(Flood,), gone=leg_closed, streams=(True,)),
    Stage("mid-answer, plain", asked, answers=(Half,), gone=leg_closed, streams=(False,)),
    Stage("mcp call", mcp_called, answers=(lambda: calls(SLOW),), gone=mcp_told),
    Stage("action", processes_run, answers=(call_hold,), gone=processes_ended),
    Stage(
        "stubborn action",
        processes_run,
        answers=(lambda: calls(Call("actions__stubborn")),),
        gone=processes_ended,
    ),
    Stage("reader", processes_run, question="a slow reader", gone=processes_ended),
    Stage("direct command", processes_run, question=HOLD_LINE, gone=processes_ended),
    Stage("retry wait", refused, answers=(lambda: Json({}, 503),)),
    held("client", "request"),
    held("leg", "request"),
    held("leg", "response", answers=(lambda: says("Hello."),)),
    held("tool", "request", answers=(lambda: call_hold("please hold tool request"),), question="Hello?"),
    held(
        "tool",
        "response",
        answers=(lambda: calls(Call("fake__echo", '{"text": "please hold tool response"}')),),
        question="Hello?",
    ),
    held("reader", "request"),
    held("reader", "response"),
    held("command", "request", question="@@ echo please hold command request"),
    held("command", "response", question="@@ echo please hold command response"),
)
