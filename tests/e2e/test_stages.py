"""At every stage of a turn a stream is kept alive, and a client that leaves takes everything with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.e2e import stages
from tests.e2e.client import Client, question
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import POLL_SECONDS, Proxy, running
from tests.e2e.stages import STAGES, Stage, World
from tests.e2e.trace_files import of, trace, trace_names
from tests.e2e.wire import Wire, chat_head, chat_request, connected
from tests.fakes.answers import Hang, says
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mcp") / "log"


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines, log: Path) -> dict[str, Any]:
    return stages.settings(lifelines, log)


@pytest.fixture(scope="module")
def command() -> Command:
    return Command(arguments=["-s", str(stages.SCRIPT)])


@pytest.fixture
def world(client: Client, upstream: Upstream, lifelines: Lifelines, log: Path) -> World:
    log.write_text("")
    return World(client, upstream, lifelines, log)


LOUD = ("client request held", "flood", "mid-answer, plain")
"""Stages with nothing to keep alive: the answer has not begun, comes all the time, or is no stream."""


@dataclass
class Ear:
    """Listens to a stream all the time, and counts its comments."""

    comments: int = 0

    async def listen(self, wire: Wire) -> None:
        while True:
            self.comments += (await wire.receive()).count(b": keepalive")

    async def hear(self, more: int) -> None:
        """Wait for that many comments more."""
        before = self.comments
        while self.comments < before + more:  # noqa: ASYNC110
            await anyio.sleep(POLL_SECONDS)


def silent(lifelines: Lifelines) -> dict[str, Any]:
    """The command of an MCP server that never says a word."""
    program = lifelines.reader("mute")
    return {"command": program["command"], "args": program["arguments"]}


async def told_to_be_cancelled(proxy: Proxy, before: set[str]) -> None:
    """Wait until a new trace says that its turn was cancelled."""
    while True:
        for name in trace_names(proxy) - before:
            if of("proxy_response", await trace(proxy, name))[0]["cancelled"] is True:
                return
        await anyio.sleep(POLL_SECONDS)


async def served(world: World) -> None:
    """Prove that a place is free and that the next one is answered."""
    legs = len(world.upstream.chats)
    world.upstream.script(says("Hello."))
    while (status := (await world.client.chat()).status) == 429:  # noqa: ASYNC110
        await anyio.sleep(POLL_SECONDS)
    assert status == 200
    assert len(world.upstream.chats) == legs + 1


@asynccontextmanager
async def send(stage: Stage, proxy: Proxy, world: World, stream: bool) -> AsyncIterator[Wire]:
    """The connection of a client whose turn will stay at a stage."""
    await world.client.get("/forget")
    world.upstream.script(*(make() for make in stage.answers))
    if stage.models:
        world.upstream.models = stage.models
    text = stage.question.replace("%d", str(world.lifelines.port))
    async with connected(proxy) as wire:
        await wire.send(chat_request(question(text, stream=stream, **stage.fields)))
        yield wire


type Way = Callable[[Wire], Awaitable[None]]


async def leave(proxy: Proxy, world: World, stage: Stage, stream: bool, way: Way = Wire.close) -> None:
    """Go to a stage, leave, and see that all is over."""
    before = trace_names(proxy)
    async with send(stage, proxy, world, stream) as wire:
        await stage.reached(world)
        legs = len(world.upstream.chats)
        await way(wire)
        with anyio.fail_after(1):
            await stage.gone(world)
        with anyio.fail_after(3):
            await world.all_ended()
            await told_to_be_cancelled(proxy, before)
    assert len(world.upstream.chats) == legs
    await served(world)


@pytest.mark.contract("BX-05", "WK-144", "OW-17", "OW-29")
@pytest.mark.parametrize(
    ("stage", "stream"), [(stage, stream) for stage in STAGES for stream in stage.streams], ids=str
)
async def test_a_client_that_leaves_takes_everything_with_it(
    proxy: Proxy, world: World, stage: Stage, stream: bool
) -> None:
    await leave(proxy, world, stage, stream)


@pytest.mark.contract("BX-05")
@pytest.mark.parametrize("way", [Wire.reset, Wire.half_close])
@pytest.mark.parametrize("name", ["prefill", "action", "leg response held"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_breaks_off_or_sends_no_more_has_left_too(
    proxy: Proxy, world: World, name: str, stream: bool, way: Way
) -> None:
    """A half-closed connection could still be read, but mitmproxy takes a FIN as leaving:
    mitmproxy/layers/http/_http1.py, `Http1Connection.wait`."""
    (stage,) = (stage for stage in STAGES if stage.name == name)
    await leave(proxy, world, stage, stream, way)


@pytest.mark.contract("BX-05")
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_a_client_may_leave_before_it_has_sent_all(proxy: Proxy, world: World, framing: str) -> None:
    before = trace_names(proxy)
    async with connected(proxy) as wire:
        await wire.send(chat_head("Content-Type: application/json", framing) + b"9\r\n{")
        while (await world.client.chat()).status != 429:  # noqa: ASYNC110
            await anyio.sleep(POLL_SECONDS)
    await told_to_be_cancelled(proxy, before)
    await served(world)


@pytest.mark.contract("BX-05")
async def test_a_client_that_leaves_a_list_of_models_closes_the_request(world: World) -> None:
    world.upstream.models = Hang()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.client.get, "/v1/models")
        await stages.models_asked(world)
        tasks.cancel_scope.cancel()
    await stages.models_closed(world)


@pytest.mark.contract("BX-08", "WK-127")
@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage.name not in LOUD], ids=str)
async def test_a_stream_is_kept_alive(proxy: Proxy, world: World, stage: Stage) -> None:
    ear = Ear()
    async with send(stage, proxy, world, stream=True) as wire, anyio.create_task_group() as tasks:
        tasks.start_soon(ear.listen, wire)
        await stage.reached(world)
        await ear.hear(5)
        tasks.cancel_scope.cancel()
    await served(world)


@pytest.mark.contract("BX-05", "BX-08")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_may_leave_before_the_mcp_servers_are_there(
    upstream: Upstream, lifelines: Lifelines, tmp_path: Path, stream: bool
) -> None:
    mute = {"server_id": "mute", "transport": "stdio", "connect_timeout_seconds": 3600, **silent(lifelines)}
    settings = {"mcp_servers": [mute], "max_concurrent_requests": 1, "stream_keepalive_seconds": 0.1}
    scripted = Command(arguments=["-s", str(stages.SCRIPT)])
    async with (
        running(tmp_path, upstream.url, settings, scripted, waits_for_servers=False) as proxy,
        connected(proxy) as wire,
    ):
        await wire.send(chat_request(question(stream=stream)))
        async with aiohttp.ClientSession(proxy.url) as session:
            world = World(Client(session, SERVICE_KEY), upstream, lifelines, tmp_path)
            await world.an_exchange(kind="client", live=True)
            if stream:
                await wire.until(b": keepalive")
            await wire.close()
            await told_to_be_cancelled(proxy, set())
            async with world.client.streamed() as another:
                assert (another.status, await another.event()) == (200, b": keepalive")
