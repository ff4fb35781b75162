"""MCP servers that answer nothing else while they are busy with a call."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.tools.mcp_servers.servers import FAKES, call, connected, settings, until
from werkzeugkoppler.config import tool_sections as config
from werkzeugkoppler.tools.mcp_servers.server import McpServer
from werkzeugkoppler.tools.tool import ToolResult


def busy(log: Path, **overrides: Any) -> config.McpServer:
    """Settings that wait for a list of tools for less time than a call takes."""
    server = {"args": [FAKES + "/mcp_busy_server.py"], "env": {"WK_FAKE_LOG": str(log)}}
    return settings(**server | {"read_timeout_seconds": 0.3} | overrides)


def starts(log: Path) -> int:
    return log.read_text().splitlines().count("start")


def is_done(result: ToolResult) -> bool:
    return result.ok and "done" in str(result.value)


@pytest.mark.contract("WK-90")
async def test_a_server_that_announces_tools_while_it_is_busy_finishes_its_call(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with connected(busy(log)) as server:
        listed = server.status().last_refresh
        assert is_done(await call(server, "busy", seconds=3))
        await until(lambda: server.status().last_refresh != listed)
        assert starts(log) == 1


async def test_a_list_that_is_late_because_of_several_calls_ends_none_of_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    results: list[ToolResult] = []

    async def call_once() -> None:
        results.append(await call(server, "busy", seconds=0.8))

    async with connected(busy(log), refresh_seconds=0.01) as server:
        async with anyio.create_task_group() as callers:
            for _ in range(3):
                callers.start_soon(call_once)
        assert [is_done(result) for result in results] == [True] * 3
        assert starts(log) == 1


async def test_a_server_that_is_silent_for_good_is_given_up_though_it_is_called(tmp_path: Path) -> None:
    async with connected(busy(tmp_path / "log", tool_call_timeout_seconds=0.5)) as server:
        async with anyio.create_task_group() as callers:
            for delay in (0, 0.25):
                callers.start_soon(call_again_and_again, server, delay)
            await until(lambda: not server.status().ok)
            callers.cancel_scope.cancel()


async def call_again_and_again(server: McpServer, delay: float) -> None:
    """Keep it busy for longer than anybody waits."""
    await anyio.sleep(delay)  # so that there is always a call under way
    while True:
        await call(server, "busy", seconds=1000)
