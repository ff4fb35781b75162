"""Sessions of MCP servers over HTTP, as the server sees them through the running proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.mcp_odd_http import OddServer, moved, unknown
from tests.fakes.upstream import Upstream


@pytest.fixture
async def odd() -> AsyncIterator[OddServer]:
    server = OddServer()
    async with server.serving():
        yield server


@pytest.fixture
async def client(upstream: Upstream, odd: OddServer, tmp_path: Path) -> AsyncIterator[Client]:
    entry = {"server_id": "odd", "transport": "http", "url": odd.url}
    async with running(tmp_path, upstream.url, {"mcp_servers": [entry]}) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            yield Client(session, SERVICE_KEY)


async def told(client: Client, upstream: Upstream) -> str:
    """What the model is told of a call."""
    upstream.script(calls(Call("odd__act")), says("Done."))
    assert (await client.transcript()).text == "Done."
    return str(upstream.chats[-1].json["messages"][-1]["content"])


@pytest.mark.contract("WK-81")
async def test_a_session_is_told_on_each_call_and_made_anew_once_it_has_expired(
    client: Client, upstream: Upstream, odd: OddServer
) -> None:
    assert "acted" in await told(client, upstream)
    odd.odd["tools/call"] = unknown("s1")
    assert "acted" in await told(client, upstream)
    assert "acted" in await told(client, upstream)
    calls_seen = [session for method, session in odd.seen if method == "tools/call"]
    assert calls_seen == ["s1", "s1", "s2", "s2"]


@pytest.mark.contract("WK-92")
async def test_a_call_that_is_redirected_reaches_the_server_once(
    client: Client, upstream: Upstream, odd: OddServer
) -> None:
    odd.odd["tools/call"] = moved("/mcp")
    assert "a call follows none" in await told(client, upstream)
    assert odd.count("tools/call") == 1
