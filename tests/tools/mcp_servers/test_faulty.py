"""MCP servers that do everything wrong: a call ends with an honest result, and the next one works."""

import logging
from typing import Any

import anyio
import psutil
import pytest

from tests.fakes.mcp_faulty_server import RESULTS
from tests.tools.mcp_servers.servers import FAKES, call, connected, settings, tool, until
from werkzeugkoppler.config.tool_sections import McpServer

FATAL = ("die", "die_in_a_line", "hang", "go_deaf", "odd_error")
UNREADABLE = ("result_text", "result_null", "content_text", "content_odd", "content_numbers", "error_word")
SOUND = ("flood_news", "flood_changes", "flood_stderr", "garbage", "twice", "other_id", "ask_back")


def faulty(**overrides: Any) -> McpServer:
    return settings(args=[FAKES + "/mcp_faulty_server.py"], **{"tool_call_timeout_seconds": 3} | overrides)


@pytest.mark.contract("WK-87", "WK-88")
async def test_tools_that_cannot_be_used_take_no_others_with_them(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(faulty()) as server:
        names = [tool.name for tool in server.tools]
        assert server.status().ok
        assert names[:2] == ["schema is a text", "wørds / ünd 😀"]
        assert "die" in names and len(names) == len(set(names))
        assert tool(server, "schema is a text").parameters == {"type": "object", "properties": {}}
        assert (await call(server, "wørds / ünd 😀")).ok
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@pytest.mark.contract("WK-94")
@pytest.mark.parametrize("name", [*FATAL, *UNREADABLE])
async def test_a_call_that_goes_wrong_is_an_error_and_the_next_one_works(name: str) -> None:
    async with connected(faulty()) as server:
        with anyio.fail_after(10):
            result = await call(server, name)
        assert not result.ok and isinstance(result.value, str) and "fake/" in result.value
        if name not in ("hang", "go_deaf"):
            assert (await call(server, "twice")).ok
    assert not [child for child in psutil.Process().children() if "mcp_faulty_server" in str(child.cmdline())]


@pytest.mark.contract("WK-82", "WK-91")
async def test_a_server_that_hangs_after_a_call_was_given_up_is_started_again() -> None:
    hasty = faulty(read_timeout_seconds=0.5)
    async with connected(hasty) as server:
        assert not (await call(server, "hang")).ok
        await until(lambda: not server.status().ok)
        assert (await call(server, "twice")).ok


@pytest.mark.parametrize("name", SOUND)
async def test_noise_around_a_result_does_not_hide_it(name: str) -> None:
    async with connected(faulty(tool_call_timeout_seconds=30)) as server:  # a flood takes a busy machine long
        for _ in range(2):
            result = await call(server, name)
            assert result.ok and result.value["content"][0]["text"] == "well"
        assert server.status().ok


async def test_a_huge_result_arrives_whole() -> None:
    async with connected(faulty()) as server:
        result = await call(server, "huge")
    assert result.value["content"] == RESULTS["huge"]["content"]
