"""Tools that die, hang, flood and lie: the turn goes on, and the model is told what happened."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.lifelines import PROGRAM, Lifelines
from tests.fakes.upstream import Upstream
from tests.oracle import Complete, judge

SERVER = str(Path(__file__).parents[1] / "fakes" / "mcp_faulty_server.py")

SCRIPTS = {
    "binary": "head -c 100000 /dev/urandom",
    "both_pipes": "head -c 2000000 /dev/zero >&2 & yes | head -c 2000000; wait",
    "nothing": "exec >&- 2>&-; exit 3",
    "daemon": "setsid sleep 1000 & echo $!",
    "deaf": "exec >&- 2>&-; sleep 1000",
    "stubborn": "trap '' TERM; echo begun; while :; do sleep 1000; done",
    "killed": "kill -9 $$",
}
ENDLESS = ("deaf", "stubborn", "tree")


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines) -> dict[str, Any]:
    tree = f"timeout 1000 {sys.executable} {PROGRAM} {lifelines.port} 3"
    actions = [
        {
            "name": name,
            "description": "d",
            "command": "sh",
            "arguments": ["-c", script],
            "timeout": 1 if name in ENDLESS else 20,
        }
        for name, script in (SCRIPTS | {"tree": tree}).items()
    ]
    how = {"transport": "stdio", "command": sys.executable, "args": [SERVER]}
    servers = [
        {"server_id": "faulty", "tool_call_timeout_seconds": 2, "read_timeout_seconds": 1, **how},
        {"server_id": "noisy", **how},
    ]
    return {"actions": actions, "mcp_servers": servers, "tool_trace": "off"}


async def told(client: Client, upstream: Upstream, *tools: str) -> list[dict[str, Any]]:
    """What the model is told of calls of these tools, side by side, in a turn that comes to its end."""
    wanted = [Call(tool, "{}", f"call_{number}") for number, tool in enumerate(tools)]
    upstream.script(calls(*wanted), says("Done."))
    answer = await client.chat(stream=True)
    verdict = judge(answer.status, answer.headers["content-type"], answer.body)
    assert isinstance(verdict, Complete) and (verdict.text, verdict.calls) == ("Done.", ())
    messages = upstream.chats[-1].json["messages"][-len(tools) :]
    return [json.loads(message["content"]) for message in messages]


@pytest.mark.contract("WK-107", "WK-110")
async def test_commands_that_misbehave_have_an_honest_result(client: Client, upstream: Upstream) -> None:
    names = ("binary", "both_pipes", "nothing", "killed")
    binary, both, nothing, killed = await told(client, upstream, *(f"actions__{name}" for name in names))
    assert binary["ok"] and isinstance(binary["result"], list)
    assert both["ok"] and "cut at" in both["output"]
    assert (nothing["result"], nothing["exit_code"]) == ([], 3)
    assert (killed["result"], killed["exit_code"]) == ([], -9)


@pytest.mark.contract("WK-107", "WK-115")
async def test_commands_that_do_not_end_are_ended(
    client: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    for result in await told(client, upstream, *(f"actions__{name}" for name in ENDLESS)):
        assert result["is_error"] and "timed out after 1 seconds" in result["error"]
    await lifelines.running(0)


async def test_a_command_that_leaves_a_daemon_holds_nobody_up(client: Client, upstream: Upstream) -> None:
    (result,) = await told(client, upstream, "actions__daemon")
    os.kill(int(result["result"]), signal.SIGKILL)


@pytest.mark.contract("WK-91", "WK-94")
@pytest.mark.parametrize("tool", ["die", "die_in_a_line", "hang", "go_deaf", "result_null", "content_odd"])
async def test_a_server_that_misbehaves_is_told_to_the_model(
    client: Client, upstream: Upstream, tool: str
) -> None:
    (result,) = await told(client, upstream, f"faulty__{tool}")
    assert result["is_error"] and f"faulty/{tool}" in result["error"]


@pytest.mark.parametrize("tool", ["flood_news", "flood_stderr", "garbage", "huge"])
async def test_a_server_that_floods_stops_nothing(client: Client, upstream: Upstream, tool: str) -> None:
    (result,) = await told(client, upstream, f"noisy__{tool}")
    assert result["ok"] and result["result"]["content"]
