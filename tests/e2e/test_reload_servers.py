"""What a changed config file does to MCP servers."""

import sys
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import ROOT, SERVICE_KEY
from tests.e2e.proxy import running
from tests.e2e.rewrite import reload
from tests.e2e.server_log import ServerLog
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

SERVER = str(ROOT / "tests" / "fakes" / "mcp_stdio_server.py")


def entry(log: ServerLog, **overrides: Any) -> dict[str, Any]:
    """The config's entry for a server that logs to a file of its own."""
    stdio = {"transport": "stdio", "command": sys.executable, "args": [SERVER]}
    return {"server_id": log.path.name, **stdio, "env": {"WK_FAKE_LOG": str(log.path)}, **overrides}


@pytest.mark.contract("BX-15")
async def test_only_servers_whose_entry_changed_start_again(upstream: Upstream, tmp_path: Path) -> None:
    kept, changed = ServerLog(tmp_path / "kept"), ServerLog(tmp_path / "changed")
    settings = {"mcp_servers": [entry(kept), entry(changed)]}
    async with running(tmp_path, upstream.url, settings) as proxy:
        await kept.until("list", 4)
        await changed.until("list", 4)
        await reload(proxy, mcp_servers=[entry(changed, tool_call_timeout_seconds=7), entry(kept)])
        await changed.until("start", 2)
        async with aiohttp.ClientSession(proxy.url) as session:
            client = Client(session, SERVICE_KEY)
            upstream.script(calls(Call("kept__echo", '{"text": "here"}')), says("Done."))
            await client.chat()
            assert "here" in upstream.chats[-1].json["messages"][-1]["content"]
        assert (kept.count("start"), changed.count("start")) == (1, 2)


@pytest.mark.contract("BX-15", "WK-31")
async def test_a_call_under_way_ends_though_its_server_has_left_the_config(
    upstream: Upstream, tmp_path: Path
) -> None:
    log = ServerLog(tmp_path / "leaving")
    async with running(tmp_path, upstream.url, {"mcp_servers": [entry(log)]}) as proxy:
        upstream.script(calls(Call("leaving__slow", '{"seconds": 2}')), says("Done."))
        async with aiohttp.ClientSession(proxy.url) as session, anyio.create_task_group() as tasks:
            client = Client(session, SERVICE_KEY)

            async def ask() -> None:
                assert (await client.transcript()).text == "Done."

            tasks.start_soon(ask)
            await log.until("call slow", 1)
            await reload(proxy, mcp_servers=None)
        assert "done" in upstream.chats[-1].json["messages"][-1]["content"]


@pytest.mark.contract("WK-89")
async def test_lists_of_tools_are_read_again_as_often_as_the_file_says(
    upstream: Upstream, tmp_path: Path
) -> None:
    log = ServerLog(tmp_path / "often")
    settings = {"mcp_servers": [entry(log)], "mcp_servers_refresh_seconds": 1}
    async with running(tmp_path, upstream.url, settings):
        # Four pages each time.
        await log.until("list", 8)
        assert log.count("start") == 1
