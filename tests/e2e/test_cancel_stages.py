"""A client that goes away at any stage of its turn takes everything with it, to the bottom."""

from collections.abc import Awaitable, Callable
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
from tests.e2e.test_traces import of, trace, trace_names
from tests.e2e.wire import Wire, chat_request, connected
from tests.fakes.answers import says
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


type Way = Callable[[Wire], Awaitable[None]]


async def leave(proxy: Proxy, world: World, stage: Stage, stream: bool, way: Way = Wire.close) -> None:
    """Go to a stage, leave, and see that all is over."""
    await world.client.get("/forget")
    world.upstream.script(*(make() for make in stage.answers))
    before = trace_names(proxy)
    text = stage.question.replace("%d", str(world.lifelines.port))
    async with connected(proxy) as wire:
        await wire.send(chat_request(question(text, stream=stream)))
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


@pytest.mark.contract("BX-05", "BX-08")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_may_leave_before_the_mcp_servers_are_there(
    upstream: Upstream, lifelines: Lifelines, tmp_path: Path, stream: bool
) -> None:
    mute = {"server_id": "mute", "transport": "stdio", "connect_timeout_seconds": 3600, **silent(lifelines)}
    settings = {"mcp_servers": [mute], "max_concurrent_requests": 1, "stream_keepalive_seconds": 0.1}
    scripted = Command(arguments=["-s", str(stages.SCRIPT)])
    async with running(tmp_path, upstream.url, settings, scripted) as proxy, connected(proxy) as wire:
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
