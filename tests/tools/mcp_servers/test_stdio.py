"""MCP servers as child processes."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from tests.fakes.mcp_tools import TOOLS
from tests.tools.mcp_servers.servers import (
    FAKES,
    call,
    cancel_when_under_way,
    connected,
    events_but_listings,
    settings,
    tool,
    until,
)
from werkzeugkoppler.tools.mcp_servers.server import McpServer


def text_of(value: object) -> object:
    assert isinstance(value, dict)
    return value["content"][0]["text"]


@pytest.mark.contract("WK-82", "WK-83")
async def test_the_tools_of_all_pages_are_listed_in_order_and_run() -> None:
    async with connected(settings()) as server:
        assert [tool.name for tool in server.tools][:4] == ["add", "add.it", "echo", "slow"]
        assert len(server.tools) == len(TOOLS)
        assert (await call(server, "add", a=2, b=3)).value == {
            "content": [{"type": "text", "text": "5"}],
            "isError": False,
        }


async def test_the_servers_own_schema_and_description_are_the_tools() -> None:
    async with connected(settings()) as server:
        echo = tool(server, "echo")
    assert echo.description == "The fake tool echo."
    assert echo.parameters["properties"] == {"text": {"type": "string"}}


@pytest.mark.contract("WK-82")
async def test_a_crash_is_noticed_though_a_child_holds_the_pipes() -> None:
    async with connected(settings()) as server:
        crashed = await call(server, "crash_held")
        assert (crashed.ok, crashed.value) == (False, "MCP error on fake/crash_held: Connection closed")
        assert text_of((await call(server, "echo", text="back")).value) == "back"


@pytest.mark.contract("WK-82")
async def test_a_server_that_crashes_is_started_again_and_keeps_its_tools() -> None:
    async with connected(settings()) as server:
        before = [tool.name for tool in server.tools]
        crashed = await call(server, "crash")
        assert (crashed.ok, crashed.value) == (False, "MCP error on fake/crash: Connection closed")
        assert text_of((await call(server, "echo", text="back")).value) == "back"
        assert [tool.name for tool in server.tools] == before
        assert server.status().ok


@pytest.mark.contract("WK-93")
async def test_a_failure_that_the_tool_reports_is_an_error_with_its_text() -> None:
    async with connected(settings()) as server:
        result = await call(server, "fail")
    assert (result.ok, result.value) == (False, "this tool always fails")


@pytest.mark.contract("WK-94")
async def test_a_json_rpc_error_is_an_error_with_its_text() -> None:
    async with connected(settings()) as server:
        result = await call(server, "refuse")
    assert (result.ok, result.value) == (False, "MCP error on fake/refuse: this call is refused")


@pytest.mark.contract("WK-92")
async def test_a_failing_call_is_sent_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with connected(settings(env={"WK_FAKE_LOG": str(log)})) as server:
        await call(server, "fail")
        await call(server, "crash")
        await call(server, "echo", text="")
    lines = log.read_text().splitlines()
    assert (lines.count("call fail"), lines.count("call crash"), lines.count("start")) == (1, 1, 2)


@pytest.mark.contract("WK-91")
async def test_a_call_beyond_its_time_is_an_error_and_the_server_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    hasty = settings(tool_call_timeout_seconds=0.5, env={"WK_FAKE_LOG": str(log)})
    async with connected(hasty) as server:
        result = await call(server, "slow", seconds=3600)
        assert (result.ok, result.value) == (False, "Tool timeout on fake/slow")
        await call(server, "echo", text="what was sent before has arrived")
    assert events_but_listings(log)[-3:] == ["call", "cancelled", "call"]


@pytest.mark.contract("BX-05")
async def test_cancelling_a_call_tells_the_server(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with connected(settings(env={"WK_FAKE_LOG": str(log)})) as server:
        await cancel_when_under_way(server)
        await call(server, "echo", text="what was sent before has arrived")
    assert [line.split()[0] for line in log.read_text().splitlines()][-3:] == ["call", "cancelled", "call"]


async def test_progress_arrives_as_lines() -> None:
    lines: list[str] = []
    async with connected(settings()) as server:
        await tool(server, "slow").run({"seconds": 0}, lines.append)
    assert lines[0] == "1/2 half done"


@pytest.mark.contract("WK-90")
async def test_a_tool_that_the_server_announces_appears() -> None:
    async with connected(settings()) as server:
        before = server.tools
        await call(server, "grow")
        await until(lambda: server.tools is not before)
        assert server.tools[-1].name == "grown"


@pytest.mark.contract("WK-89")
async def test_tools_are_listed_anew_after_a_while() -> None:
    async with connected(settings(), refresh_seconds=0.01) as server:
        first, tools = server.status().last_refresh, server.tools
        await until(lambda: server.status().last_refresh != first)
        assert server.tools is tools


async def test_a_server_that_is_busy_with_a_call_is_not_asked_for_its_tools(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with connected(settings(env={"WK_FAKE_LOG": str(log)}), refresh_seconds=0.2) as server:
        await call(server, "slow", seconds=0.7)
        since = log.read_text().rpartition("call slow")[2]
    # A listing that was under way when the call came goes on to its last page.
    assert since.split().count("list") < 4


async def test_a_server_that_knows_only_the_newest_protocol_is_spoken_to_in_it() -> None:
    async with connected(settings(env={"WK_FAKE_MODERN": "1"})) as server:
        await until(lambda: server.status().ok)
        assert text_of((await call(server, "echo", text="hello")).value) == "hello"


async def test_servers_work_in_a_loop_that_runs_its_tasks_eagerly() -> None:
    """As mitmproxy's does."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    async with connected(settings()) as server:
        await cancel_when_under_way(server)
        assert (await call(server, "add", a=1, b=2)).ok


@pytest.mark.contract("BX-17")
async def test_a_server_sees_its_own_environment_and_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WERKZEUGKOPPLER_UPSTREAM_API_KEY", "sk-secret")
    async with connected(settings(env={"TOKEN": "its own"})) as server:
        own = await call(server, "env", name="TOKEN")
        ours = await call(server, "env", name="WERKZEUGKOPPLER_UPSTREAM_API_KEY")
    assert (text_of(own.value), text_of(ours.value)) == ("its own", "")


async def test_what_a_server_writes_to_stderr_is_logged_with_its_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "werkzeugkoppler.mcp")
    async with connected(settings()):
        pass
    assert "fake: the fake is ready" in caplog.messages


@pytest.mark.contract("WK-88")
async def test_a_server_that_cannot_be_started_only_degrades(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(settings(command="/no/such/command")) as server:
        status = server.status()
        assert (status.ok, status.last_refresh, server.tools) == (False, None, ())
        assert status.error is not None and "/no/such/command" in status.error
    assert {record.levelname for record in caplog.records if record.name.startswith("werkz")} == {"WARNING"}


async def test_a_server_that_never_answers_is_given_up_after_its_connect_timeout() -> None:
    mute = settings(args=["-c", "import sys; sys.stdin.read()"], connect_timeout_seconds=0.3)
    async with connected(mute) as server:
        await until(lambda: server.status().error != "not connected yet")
        assert server.status().error == "no connection within 0.3 seconds"


LISTS_NOTHING = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["method"] == "initialize":
        info = {"name": "x", "version": "1"}
        result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


async def test_a_server_that_never_lists_its_tools_is_told_of_in_a_sentence() -> None:
    async with connected(settings(args=["-c", LISTS_NOTHING], read_timeout_seconds=0.3)) as server:
        assert (
            server.status().error
            == "its list of tools did not come within 0.3 seconds (`read_timeout_seconds`)"
        )


@pytest.mark.contract("WK-87")
async def test_a_tool_without_a_schema_takes_no_arguments(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(settings(args=[FAKES + "/mcp_sloppy_server.py"])) as server:
        assert tool(server, "bare").parameters == {"type": "object", "properties": {}}
    assert any("does not end its tool list" in message for message in caplog.messages)


@pytest.mark.contract("WK-83")
async def test_a_tool_that_is_listed_twice_is_one_tool() -> None:
    async with connected(settings(args=[FAKES + "/mcp_sloppy_server.py"])) as server:
        assert [tool.name for tool in server.tools] == ["bare"]


async def test_noise_on_a_servers_stdout_is_never_logged_as_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected(settings(args=[FAKES + "/mcp_sloppy_server.py"])) as server:
        assert server.status().ok
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


async def test_the_end_of_a_server_leaves_no_process(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = (
        f"import os, runpy; open({str(pid_file)!r}, 'w').write(str(os.getpid()));"
        f"runpy.run_path({FAKES + '/mcp_stdio_server.py'!r}, run_name='__main__')"
    )
    async with connected(settings(command=sys.executable, args=["-c", script])) as server:
        assert server.status().ok
        os.kill(int(pid_file.read_text()), 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "3600"])
with open(sys.argv[1] + ".part", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(3600)
"""
"""A server that heeds nothing, with a child."""


@asynccontextmanager
async def stubborn(pid_file: Path) -> AsyncIterator[tuple[McpServer, list[int]]]:
    """Such a server once it runs, and its processes."""
    entry = settings(command=sys.executable, args=["-c", STUBBORN, str(pid_file)])
    server = McpServer(entry)
    with anyio.fail_after(30):
        await server.open()
        await until(pid_file.exists)
        yield server, pids_in(pid_file)


def pids_in(file: Path) -> list[int]:
    return [int(pid) for pid in file.read_text().split()]


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux who is running")


@needs_proc
async def test_a_server_that_heeds_nothing_is_killed_with_its_children(tmp_path: Path) -> None:
    async with stubborn(tmp_path / "pids") as (server, pids):
        assert all(map(is_running, pids))
        await server.close()
        await until(lambda: not any(map(is_running, pids)))


@needs_proc
async def test_a_server_is_killed_also_where_its_closing_is_cut_short(tmp_path: Path) -> None:
    async with stubborn(tmp_path / "pids") as (server, pids):
        owner = server._owner
        assert owner is not None
        closing = asyncio.get_running_loop().create_task(server.close())
        for _ in range(100):  # into the wait for its own end
            await anyio.lowlevel.checkpoint()
        owner.cancel()  # as the end of the loop does
        await closing
        await until(lambda: not any(map(is_running, pids)))


async def test_a_result_that_is_too_large_is_an_error_and_delays_no_other_call() -> None:
    async with connected(settings(tool_call_timeout_seconds=5)) as server:
        refused = await call(server, "big", size=30_000_000)
        assert not refused.ok
        assert "MCP error on fake/big: the result is too large: 30000" in refused.value
        assert text_of((await call(server, "echo", text="still here")).value) == "still here"


async def test_a_result_of_some_megabytes_arrives() -> None:
    async with connected(settings()) as server:
        assert text_of((await call(server, "big", size=7_000_000)).value) == "x" * 7_000_000


async def test_noise_on_stdout_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "werkzeugkoppler.mcp")
    async with connected(settings(args=[FAKES + "/mcp_sloppy_server.py"])):
        pass
    assert "fake: (on stdout, no message) Sloppy server, at your service!" in caplog.messages


async def test_a_server_that_was_never_opened_can_be_closed() -> None:
    await McpServer(settings()).close()


async def test_a_connection_that_was_lost_keeps_no_turn_waiting() -> None:
    """The tools are known from before, and a call waits for the new connection by itself."""
    async with connected(settings()) as server:
        await call(server, "crash")
        await until(lambda: not server.status().ok)
        with anyio.fail_after(0.1):
            await server.settled()
        assert server.tools


async def test_the_patience_with_a_mute_server_is_counted_from_its_start() -> None:
    mute = settings(args=["-c", "import sys; sys.stdin.read()"], connect_timeout_seconds=0.3)
    async with connected(mute) as server:
        with anyio.fail_after(0.1):
            await server.settled()
