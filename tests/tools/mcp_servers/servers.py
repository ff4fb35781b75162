"""Settings of MCP servers and the fakes that they lead to."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from werkzeugkoppler.config import tool_sections as config
from werkzeugkoppler.tools.mcp_servers.server import McpServer
from werkzeugkoppler.tools.tool import Tool, ToolResult

FAKES = str(Path(__file__).parents[2] / "fakes")


def settings(**overrides: Any) -> config.McpServer:
    """What the config says of a server; it leads to the fake stdio server."""
    patient = {"connect_timeout_seconds": 20, "read_timeout_seconds": 20, "tool_call_timeout_seconds": 20}
    if overrides.get("transport") != "http":
        stdio = {"transport": "stdio", "command": sys.executable, "args": [FAKES + "/mcp_stdio_server.py"]}
        overrides = stdio | overrides
    return config.McpServer.model_validate({"server_id": "fake"} | patient | overrides)


@asynccontextmanager
async def connected(settings: config.McpServer, refresh_seconds: float = 300) -> AsyncIterator[McpServer]:
    """The server, open and settled, that tries again at once when it is lost."""
    server = McpServer(settings, refresh_seconds=refresh_seconds, first_retry_seconds=0.01)
    with anyio.fail_after(40):
        await server.open()
        try:
            await server.settled()
            yield server
        finally:
            await server.close()


@asynccontextmanager
async def fake_http_server(folder: Path, *options: str) -> AsyncIterator[str]:
    """The URL of a running fake, which logs to `folder/log`."""
    port_file = folder / "port"
    argv = [sys.executable, FAKES + "/mcp_http_server.py", str(port_file), *options]
    environ = os.environ | {"WK_FAKE_LOG": str(folder / "log")}
    async with await anyio.open_process(argv, env=environ, stdout=None, stderr=None) as process:
        try:
            with anyio.fail_after(20):
                while not port_file.exists():  # noqa: ASYNC110 - another process makes it
                    await anyio.sleep(0.01)
            yield f"http://127.0.0.1:{port_file.read_text()}/mcp"
        finally:
            if process.returncode is None:
                process.kill()


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks run until the condition holds; `connected` bounds the wait."""
    while not condition():
        await anyio.lowlevel.checkpoint()


def events_but_listings(log: Path) -> list[str]:
    """What a fake server noted, a word each: after a call that was given up its tools are asked for."""
    words = [line.split()[0] for line in log.read_text().splitlines()]
    return [word for word in words if word != "list"]


def tool(server: McpServer, name: str) -> Tool:
    """The server's tool of that name."""
    return next(tool for tool in server.tools if tool.name == name)


async def call(server: McpServer, name: str, /, **arguments: object) -> ToolResult:
    """Call a tool, deaf to its progress."""
    return await tool(server, name).run(arguments, lambda line: None)


async def cancel_when_under_way(server: McpServer) -> None:
    """Begin a call that would take an hour and cancel its task once it reports progress."""
    under_way = asyncio.Event()

    async def begin() -> ToolResult:
        return await tool(server, "slow").run({"seconds": 3600}, lambda line: under_way.set())

    running = asyncio.get_running_loop().create_task(begin())
    await under_way.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
