"""What is left of a call over HTTP that nobody waits for any more: nothing, and the others go on."""

import asyncio
from typing import Any

import anyio
import psutil
import pytest
from aiohttp import web

from tests.fakes.mcp_odd_http import OddServer
from tests.tools.mcp_servers.servers import call, connected, settings, until
from werkzeugkoppler.config.tool_sections import McpServer
from werkzeugkoppler.tools.mcp_servers import transport
from werkzeugkoppler.tools.mcp_servers.server import McpServer as Connection

CALLS = 120
"""More than an HTTP client keeps connections open unless told otherwise."""


def http(url: str, **overrides: Any) -> McpServer:
    return settings(transport="http", url=url, **overrides)


async def silent(request: web.Request, message: dict[str, Any]) -> None:
    """Hang, unless the call's arguments say otherwise."""
    if not message["params"]["arguments"]:
        await asyncio.Event().wait()


async def silent_stream(request: web.Request, message: dict[str, Any]) -> None:
    """The same once a stream has begun, with an event that could be resumed from and half of the next."""
    if not message["params"]["arguments"]:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b"id: 1\ndata:\n\ndata: {")
        await asyncio.Event().wait()


def sockets() -> int:
    return len(psutil.Process().net_connections("tcp"))


def tasks() -> int:
    """How many there are besides those of the server, whose handlers hang on."""
    return sum("RequestHandler.start" not in repr(task.get_coro()) for task in asyncio.all_tasks())


async def give_up(server: Connection, odd: OddServer, calls: int) -> None:
    """Begin so many calls, and leave once all have reached the server."""
    before = odd.count("tools/call")
    async with anyio.create_task_group() as clients:
        for _ in range(calls):
            clients.start_soon(call, server, "act")
        await until(lambda: odd.count("tools/call") == before + calls)
        clients.cancel_scope.cancel()


@pytest.mark.contract("BX-05")
@pytest.mark.parametrize("hang", [silent, silent_stream])
async def test_calls_whose_clients_left_leave_no_connection_and_no_task(hang: Any) -> None:
    odd = OddServer({"tools/call": hang})
    async with odd.serving() as url, connected(http(url)) as server:
        await call(server, "act", answer=True)
        before = sockets(), tasks()
        with anyio.fail_after(10):
            await give_up(server, odd, CALLS)
            assert (await call(server, "act", answer=True)).ok
            await until(lambda: sockets() <= before[0] + 2 and tasks() <= before[1])
        assert odd.sessions == 1 and odd.count("notifications/cancelled") == CALLS


@pytest.mark.contract("WK-91")
@pytest.mark.parametrize("hang", [silent, silent_stream])
async def test_a_call_that_times_out_harms_no_other(hang: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_MARGIN_SECONDS", 0.2)
    odd, results = OddServer({"tools/call": hang}), list[bool]()
    async with odd.serving() as url, connected(http(url, **SHORT)) as server:

        async def run(**arguments: object) -> None:
            results.append((await call(server, "act", **arguments)).ok)

        async with anyio.create_task_group() as clients:
            clients.start_soon(run)
            with anyio.move_on_after(1.5):
                while True:
                    await anyio.sleep(0.05)
                    assert (await call(server, "act", answer=True)).ok
        assert results == [False] and odd.sessions == 1 and server.status().ok


SHORT = {"tool_call_timeout_seconds": 0.5, "read_timeout_seconds": 0.5}


@pytest.mark.contract("WK-91", "WK-92")
async def test_a_server_that_is_silent_for_too_long_fails_that_call_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "READ_MARGIN_SECONDS", -0.2)
    odd = OddServer({"tools/call": silent})
    async with odd.serving() as url, connected(http(url, **SHORT)) as server:
        with anyio.fail_after(5):
            result = await call(server, "act")
        assert result.value == "MCP error on fake/act: it was silent for too long"
        assert (await call(server, "act", answer=True)).ok and odd.sessions == 1
    assert odd.count("tools/call") == 2
