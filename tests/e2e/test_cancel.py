"""A client that goes away takes everything with it that was done for it."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import Proxy, running
from tests.fakes.answers import Hang, Sse, calls, says
from tests.fakes.chunks import Call, chunk
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines) -> dict[str, Any]:
    return {"actions": [lifelines.action("hold", generations=2)], "stream_keepalive_seconds": 0.1}


@pytest.mark.contract("WK-144", "BX-05")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_leg_that_has_not_answered_is_closed(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(Hang())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.chat(stream=stream))
        leg = await upstream.chat()
        tasks.cancel_scope.cancel()
    await leg.closed.wait()


@pytest.mark.contract("WK-144", "BX-05")
@pytest.mark.parametrize("text", ["", "Hel"])
async def test_a_leg_that_streams_is_closed(client: Client, upstream: Upstream, text: str) -> None:
    """With a text that the client has seen, and where only the headers and comments have come."""
    pieces = [chunk({"role": "assistant", "content": text})] if text else []
    upstream.script(Sse([*pieces, anyio.Event()]))
    async with client.streamed() as stream:
        assert await stream.event()
    await upstream.chats[0].closed.wait()


@pytest.mark.contract("WK-144", "BX-05")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_killed_with_its_children_and_no_leg_follows(
    client: Client, upstream: Upstream, lifelines: Lifelines, stream: bool
) -> None:
    upstream.script(calls(Call("actions__hold")))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.chat(stream=stream))
        await lifelines.running(2)
        tasks.cancel_scope.cancel()
    with anyio.fail_after(1):
        await lifelines.running(0)
    upstream.script(says("Hello."))
    assert (await client.chat()).status == 200
    assert len(upstream.chats) == 2


@pytest.mark.contract("WK-33", "BX-05")
async def test_stopping_the_proxy_ends_what_runs_for_it(
    upstream: Upstream, lifelines: Lifelines, tmp_path: Path
) -> None:
    upstream.script(calls(Call("actions__hold")))
    settings = {"actions": [lifelines.action("hold", generations=2)]}
    async with running(tmp_path, upstream.url, settings) as proxy, anyio.create_task_group() as tasks:
        tasks.start_soon(abandoned_chat, proxy)
        await lifelines.running(2)
        await proxy.stop()
        with anyio.fail_after(1):
            await lifelines.running(0)


async def abandoned_chat(proxy: Proxy) -> None:
    """A chat that is never answered, as the proxy ends first."""
    async with aiohttp.ClientSession(proxy.url) as session:
        with suppress(aiohttp.ClientError):
            await Client(session, SERVICE_KEY).chat()
