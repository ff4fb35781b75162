"""What the config says of each MCP server by itself: its tools, variables, folder and headers."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import ROOT, SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream
from tests.tools.mcp_servers.servers import fake_http_server


def stdio(log: Path) -> dict[str, Any]:
    """The config's entry for a server that is found only in its `cwd`."""
    return {
        "server_id": "io",
        "transport": "stdio",
        "command": sys.executable,
        "args": ["mcp_stdio_server.py"],
        "cwd": str(ROOT / "tests" / "fakes"),
        "env": {"GIVEN": "on purpose", "WK_FAKE_LOG": str(log)},
        "allowed_tools": ["e*", "add*", "Slow"],
        "blocked_tools": ["add.*", "echo"],
    }


@pytest.fixture
async def chooser(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a proxy that offers some tools of one server over stdio and of one over HTTP."""
    async with fake_http_server(tmp_path) as url:
        net = {"server_id": "net", "transport": "http", "url": url, "headers": {"X-Team": "blue"}}
        settings = {"mcp_servers": [stdio(tmp_path / "io"), net | {"allowed_tools": ["header"]}]}
        async with running(tmp_path, upstream.url, settings) as proxy:
            async with aiohttp.ClientSession(proxy.url) as session:
                yield Client(session, SERVICE_KEY)


async def told(client: Client, upstream: Upstream, call: Call) -> str:
    """What the model is told of a call."""
    upstream.script(calls(call), says("Done."))
    assert (await client.transcript()).text == "Done."
    return str(upstream.chats[-1].json["messages"][-1]["content"])


@pytest.mark.contract("BX-21")
async def test_each_server_gives_the_tools_that_were_chosen(
    chooser: Client, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(says("Hello."))
    await chooser.chat()
    offered = [tool["function"]["name"] for tool in upstream.chats[0].json["tools"]]
    assert sorted(offered) == ["io__add", "io__env", "net__header"]
    assert "3" in await told(chooser, upstream, Call("io__add", '{"a": 1, "b": 2}'))
    assert "call echo" not in (tmp_path / "io").read_text()


@pytest.mark.contract("BX-21")
async def test_a_tool_that_was_not_chosen_is_not_run(
    chooser: Client, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(calls(Call("io__echo", '{"text": "hi"}')), says("Done."))
    await chooser.transcript()
    assert "call echo" not in (tmp_path / "io").read_text()


@pytest.mark.contract("BX-21")
async def test_each_server_has_its_own_variables_folder_and_headers(
    chooser: Client, upstream: Upstream
) -> None:
    assert "on purpose" in await told(chooser, upstream, Call("io__env", '{"name": "GIVEN"}'))
    assert "blue" in await told(chooser, upstream, Call("net__header", '{"name": "X-Team"}'))
