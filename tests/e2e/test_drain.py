"""The end of the proxy: requests under way may end, new ones are refused, a second signal forces it."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.e2e.client import TIMEOUT, Client, Transcript
from tests.e2e.launch import SERVICE_KEY, Command, free_url, write_config
from tests.e2e.proxy import POLL_SECONDS, READY_SECONDS, Proxy, running
from tests.fakes.answers import Hang, calls, says
from tests.fakes.chunks import Call
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream

DRAINING = "draining in-flight requests (5s max)..."
SERVER = Path(__file__).parents[1] / "fakes" / "mcp_stdio_server.py"
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@asynccontextmanager
async def client_of(proxy: Proxy) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(proxy.url, timeout=TIMEOUT) as session:
        yield Client(session, SERVICE_KEY)


async def told(proxy: Proxy, number: signal.Signals) -> None:
    """Send a signal, and wait until the drain has begun."""
    proxy.process.send_signal(number)
    with anyio.fail_after(5):
        await proxy.until_written(DRAINING)


@pytest.mark.contract("OW-69", "WK-33")
@SIGNALS
async def test_a_proxy_without_requests_stops_at_once(
    upstream: Upstream, tmp_path: Path, number: signal.Signals
) -> None:
    async with running(tmp_path, upstream.url, {}) as proxy:
        proxy.process.send_signal(number)
        with anyio.fail_after(3):
            assert await proxy.process.wait() == 0
        assert proxy.output.rstrip().endswith(f"{DRAINING}\nstopped.")


@pytest.mark.contract("OW-69")
@SIGNALS
async def test_a_stream_under_way_may_end(upstream: Upstream, tmp_path: Path, number: signal.Signals) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo"))
    async with running(tmp_path, upstream.url, {}) as proxy, client_of(proxy) as client:
        async with client.streamed() as stream:
            await stream.until("Hel")
            await told(proxy, number)
            gate.set()
            rest = await stream.rest()
        assert rest.text == "lo" and rest.done == 1 and not rest.errors
        assert await proxy.process.wait() == 0


@pytest.mark.contract("OW-69")
async def test_a_plain_answer_under_way_may_end(upstream: Upstream, tmp_path: Path) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo"))
    async with running(tmp_path, upstream.url, {}) as proxy, client_of(proxy) as client:
        answers = []

        async def ask() -> None:
            answers.append(await client.chat())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await upstream.chat()
            await told(proxy, signal.SIGTERM)
            gate.set()
        assert answers[0].json["choices"][0]["message"]["content"] == "Hello"
        assert await proxy.process.wait() == 0


@pytest.mark.contract("OW-69")
async def test_a_new_request_is_refused_meanwhile(upstream: Upstream, tmp_path: Path) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo"))
    async with running(tmp_path, upstream.url, {}) as proxy, client_of(proxy) as client:
        async with client.streamed() as stream:
            await stream.until("Hel")
            await told(proxy, signal.SIGTERM)
            answer = await client.chat("Too late?")
            assert answer.status == 503 and answer.error["code"] == "stopping"
            assert answer.headers["Retry-After"] == "1" and answer.headers["Connection"] == "close"
            gate.set()
            await stream.rest()
    assert len(upstream.chats) == 1


@pytest.mark.contract("OW-69", "WK-33")
async def test_what_does_not_end_in_time_is_told_so(
    upstream: Upstream, lifelines: Lifelines, tmp_path: Path
) -> None:
    upstream.script(calls(Call("actions__hold"), text="Wait."), Hang())
    settings = {"actions": [lifelines.action("hold", generations=2)]}
    async with running(tmp_path, upstream.url, settings) as proxy, client_of(proxy) as client:
        transcripts: list[Transcript] = []
        answers = []

        async def ask(**fields: Any) -> None:
            answers.append(await client.chat(**fields))

        async with anyio.create_task_group() as tasks, client.streamed() as stream:
            await stream.until("Wait.")
            await lifelines.running(2)
            tasks.start_soon(ask)
            await upstream.chat(2)
            await told(proxy, signal.SIGTERM)
            transcripts.append(await stream.rest())
            with anyio.fail_after(1):
                await lifelines.running(0)
        (rest,) = transcripts
        assert rest.errors[0]["code"] == "stopping" and rest.done == 1
        assert [(answer.status, answer.error["code"]) for answer in answers] == [(503, "stopping")]
        assert await proxy.process.wait() == 0
    upstream.reset()


@pytest.mark.contract("OW-69")
@SIGNALS
async def test_a_second_signal_ends_it_at_once_with_all_that_runs(
    upstream: Upstream, lifelines: Lifelines, tmp_path: Path, number: signal.Signals
) -> None:
    upstream.script(calls(Call("actions__hold")))
    demo = {"server_id": "demo", "transport": "stdio", "command": sys.executable, "args": [str(SERVER)]}
    settings = {"actions": [lifelines.action("hold", generations=2)], "mcp_servers": [demo]}
    async with running(tmp_path, upstream.url, settings) as proxy, client_of(proxy) as client:
        async with client.streamed():
            await lifelines.running(2)
            await told(proxy, signal.SIGINT)
            children = children_of(proxy.process.pid)
            proxy.process.send_signal(number)
            with anyio.fail_after(1):
                assert await proxy.process.wait() == 130
                await lifelines.running(0)
        assert '"cancelled_by": "shutdown"' in proxy.traces
        assert children
        assert not [pid for pid in children if is_alive(pid)]


def children_of(pid: int) -> list[int]:
    """The children of a process, by their ids."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one may still wait to be looked at by its new parent."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.contract("OW-69")
async def test_plain_mitmdump_lets_streams_end_too(upstream: Upstream, tmp_path: Path) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo"))
    async with running(tmp_path, upstream.url, {}, Command(plain=True)) as proxy, client_of(proxy) as client:
        async with client.streamed() as stream:
            await stream.until("Hel")
            proxy.process.terminate()
            with anyio.fail_after(5):
                while (await client.chat("Too late?")).status != 503:
                    upstream.script(says("Not yet."))
            gate.set()
            assert (await stream.rest()).text == "lo"
    upstream.reset()


@pytest.mark.contract("OW-69")
async def test_json_logs_stay_json_to_the_end(upstream: Upstream, tmp_path: Path) -> None:
    async with running(tmp_path, upstream.url, {"logging": {"json": True}}) as proxy:
        assert await proxy.stop() == 0
        last = [json.loads(line)["message"] for line in proxy.output.splitlines()[-2:]]
    assert last == [DRAINING, "stopped."]


@pytest.mark.contract("OW-69")
async def test_a_proxy_that_can_not_write_its_log_ends(tmp_path: Path) -> None:
    url = free_url()
    command = Command()
    config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": "demo"})
    line = command.line(config, int(url.rpartition(":")[2]))
    reader, writer = os.pipe()
    process = await anyio.open_process(line, stdout=writer, env=command.environment(tmp_path))
    os.close(writer)
    async with process, client_of(Proxy(url, tmp_path, process)) as client:
        with anyio.fail_after(READY_SECONDS):
            while not await is_up(client):  # noqa: ASYNC110 - it is another process
                await anyio.sleep(POLL_SECONDS)
        os.close(reader)
        await is_up(client)  # which is logged
        with anyio.fail_after(10):
            assert await process.wait() == 1


async def is_up(client: Client) -> bool:
    with suppress(aiohttp.ClientError):
        return (await client.get("/healthz")).status == 200
    return False
