"""A start without a config: a model server is found, or the demo model answers."""

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import LAUNCHER, Command
from tests.e2e.proxy import Proxy, spawned
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream

OLLAMA_PORT = 11434
LISTENS = re.compile(r"listens +(http://[\d.]+:\d+)/v1")


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Proxy]:
    """Start without a config and without a flag, on whatever port it says."""
    async with spawned(folder, LAUNCHER, Command()) as process:
        proxy = Proxy("", folder, process)
        await proxy.until_written("Try it:")
        listens = LISTENS.search(proxy.output)
        assert listens is not None, proxy.output
        yield Proxy(listens[1], folder, process)
        await proxy.stop()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


async def asked(proxy: Proxy) -> str:
    """What a streamed answer says."""
    async with aiohttp.ClientSession(proxy.url) as session, Client(session).streamed() as stream:
        return (await stream.rest()).text


@pytest.mark.contract("BX-18")
@pytest.mark.skipif(not is_free(OLLAMA_PORT), reason="an Ollama runs on this machine")
async def test_a_model_server_on_its_usual_port_is_used(tmp_path: Path) -> None:
    async with Upstream.serving(OLLAMA_PORT) as upstream:
        upstream.script(says("I am Ollama."))
        async with started(tmp_path) as proxy:
            assert "Ollama, found on its usual port" in proxy.output
            assert await asked(proxy) == "I am Ollama."


@pytest.mark.contract("BX-18", "OW-11")
async def test_without_one_the_demo_model_calls_a_tool_on_the_loopback_alone(tmp_path: Path) -> None:
    async with started(tmp_path) as proxy:
        assert "the built-in demo model" in proxy.output and "1 from actions" in proxy.output
        text = await asked(proxy)
        assert "actions__local_time" in text and "The tool answered:" in text
        listening = [c.laddr.ip for c in psutil.Process(proxy.process.pid).net_connections("tcp")]
        assert set(listening) == {"127.0.0.1"}


async def test_a_port_that_is_taken_is_no_hindrance(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    async with started(tmp_path / "first") as first, started(tmp_path / "second") as second:
        assert first.url != second.url
        assert "demo" in await asked(second)
