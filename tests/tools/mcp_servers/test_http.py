"""MCP servers over streamable HTTP."""

import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.mcp_tools import TOOLS
from tests.tools.mcp_servers.servers import (
    call,
    cancel_when_under_way,
    connected,
    events_but_listings,
    fake_http_server,
    settings,
    until,
)
from werkzeugkoppler.config.tool_sections import McpServer
from werkzeugkoppler.tools.mcp_servers.server import McpServer as Connection


def http(url: str, **overrides: Any) -> McpServer:
    return settings(transport="http", url=url, **overrides)


@pytest.mark.contract("WK-80")
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["event streams", "json"])
async def test_tools_are_listed_and_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    async with fake_http_server(tmp_path, *options) as url, connected(http(url)) as server:
        assert len(server.tools) == len(TOOLS)
        result = await call(server, "add", a=2, b=3)
    assert result.value["content"] == [{"type": "text", "text": "5"}]


async def test_configured_headers_are_sent_with_each_call(tmp_path: Path) -> None:
    async with fake_http_server(tmp_path) as url:
        async with connected(http(url, headers={"x-team": "blue"})) as server:
            result = await call(server, "header", name="x-team")
    assert result.value["content"][0]["text"] == "blue"


@pytest.mark.contract("WK-91")
async def test_a_call_beyond_its_time_is_an_error_and_the_server_is_told(tmp_path: Path) -> None:
    async with fake_http_server(tmp_path) as url:
        async with connected(http(url, tool_call_timeout_seconds=0.5)) as server:
            result = await call(server, "slow", seconds=3600)
            assert result.value == "Tool timeout on fake/slow"
            await call(server, "echo", text="what was sent before has arrived")
    assert events_but_listings(tmp_path / "log")[-2:] == ["cancelled", "call"]


@pytest.mark.contract("BX-05")
async def test_cancelling_a_call_tells_the_server(tmp_path: Path) -> None:
    async with fake_http_server(tmp_path) as url, connected(http(url)) as server:
        await cancel_when_under_way(server)
        await call(server, "echo", text="what was sent before has arrived")
    assert [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()][-2:] == [
        "cancelled",
        "call",
    ]


@pytest.mark.contract("WK-88", "WK-92")
async def test_a_server_that_dies_fails_the_call_once_and_then_counts_as_down(tmp_path: Path) -> None:
    async with fake_http_server(tmp_path) as url, connected(http(url)) as server:
        crashed = await call(server, "crash")
        assert not crashed.ok
        await until(lambda: not server.status().ok)
        assert not (await call(server, "echo", text="anyone there?")).ok
    assert (tmp_path / "log").read_text().splitlines().count("call crash") == 1


@pytest.mark.contract("WK-88")
async def test_a_refused_connection_only_degrades() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with connected(http(f"http://127.0.0.1:{unused.getsockname()[1]}/mcp")) as server:
            assert not server.status().ok
            assert server.status().error


@pytest.mark.contract("WK-81", "WK-92")
async def test_a_call_whose_session_has_expired_runs_once_with_a_new_one(tmp_path: Path) -> None:
    async with fake_http_server(tmp_path) as url, connected(http(url)) as server:
        first = await session_id(server)
        assert first and await session_id(server) == first
        async with aiohttp.ClientSession() as session, session.post(url.replace("/mcp", "/forget")):
            pass
        assert (await call(server, "add", a=1, b=2)).ok
        assert await session_id(server) not in ("", first)
        assert server.status().ok
    events = (tmp_path / "log").read_text().splitlines()
    assert (events.count("refused"), events.count("call add")) == (1, 1)


async def session_id(server: Connection) -> str:
    """What the server was told as its session."""
    result = await call(server, "header", name="mcp-session-id")
    assert result.ok, result.value
    return str(result.value["content"][0]["text"])
