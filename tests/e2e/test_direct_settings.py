"""Direct commands under other settings: off, without limits, with every command checked, as flows."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from tests.e2e.client import Client, question
from tests.e2e.launch import NOWHERE, SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, running
from tests.fakes.answers import says
from tests.fakes.lifelines import PROGRAM, Lifelines
from tests.fakes.upstream import Upstream

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.contract("WK-77")
async def test_without_patterns_everything_goes_to_the_model(client: Client, upstream: Upstream) -> None:
    upstream.script(says("I see."))
    messages = [{"role": "user", "content": "@@ a"}, {"role": "assistant", "content": "b"}]
    answer = await client.chat(messages=[*messages, *question(" @@ echo hi")["messages"]])
    assert answer.json["choices"][0]["message"]["content"] == "I see."
    assert upstream.chats[0].json["messages"] == [*messages, {"role": "user", "content": " @@ echo hi"}]


@pytest.mark.contract("WK-68", "WK-69", "WK-79")
async def test_a_zero_is_no_limit_and_the_upstream_need_not_be_there(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "allowed_direct_commands": ["*"],
        "max_output_lines": 0,
        "max_output_bytes": 0,
        "direct_command_timeout_seconds": 0,
    }
    async with running(tmp_path, NOWHERE, settings) as proxy, aiohttp.ClientSession(proxy.url) as session:
        client = Client(session, SERVICE_KEY)
        answer = await client.chat("@@ seq 100000", model=None)
        assert answer.json["model"] == "werkzeugkoppler"
        assert "\n100000\n```\n\n(Return Code 0)" in answer.json["choices"][0]["message"]["content"]
        transcript = await client.transcript("@@ seq 100000")
        assert "\n99999\n100000\n```\n\n(Return Code 0)" in transcript.text


@pytest.mark.contract("WK-65", "WK-66", "WK-69", "WK-79")
async def test_limits_may_be_written_by_their_short_names(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"max_output_lines": 2, "max_output_bytes": 10}
    settings = {"allowed_direct_commands": ["*"], "upstream_default_model": "m"} | limits
    async with running(tmp_path, NOWHERE, settings) as proxy, aiohttp.ClientSession(proxy.url) as session:
        client = Client(session, SERVICE_KEY)
        lines = await client.transcript("@@ seq 3", model=None)
        assert lines.text.endswith("\n1\n2\n```\n\n(Return Code 124)\n\nCommand output reached line limit.")
        assert lines.heads("model") == {"m"}
        sized = await client.transcript("@@ echo €€€€")
        assert sized.text.endswith("\n€€€\n```\n\n(Return Code 124)\n\nCommand output reached bytes limit.")


@pytest.mark.contract("BX-09")
async def test_every_command_of_a_line_can_be_checked_and_each_run_is_a_flow(tmp_path: Path) -> None:
    settings = {
        "allowed_direct_commands": ["echo", "cat"],
        "direct_command_policy": "every_command",
    }
    command = Command(arguments=["-w", "flows.mitm"])
    async with running(tmp_path, NOWHERE, settings, command) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            client = Client(session, SERVICE_KEY)
            answer = await client.chat("@@ echo a | cat")
            streamed = await client.transcript("@@ echo b && echo c")
            refused = [await client.chat(f"@@ {code}") for code in ("echo x; id", "echo $(id)")]
    assert '"type":"direct_command"' in proxy.traces.replace(" ", "")
    assert [a.error["code"] for a in refused] == ["direct_command_not_allowed"] * 2
    assert "`id` is not an allowed" in refused[0].error["message"]
    assert "substitution" in refused[1].error["message"]
    with (tmp_path / "flows.mitm").open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    runs = [flow for flow in flows if flow.metadata["werkzeugkoppler"]["kind"] == "command"]
    assert [flow.request.url for flow in runs] == ["http://direct.command/"] * 2
    assert [flow.request.text for flow in runs] == ["echo a | cat", "echo b && echo c"]
    shown = [flow.response.text for flow in runs if flow.response]
    assert shown == [answer.json["choices"][0]["message"]["content"], streamed.text]


@pytest.mark.contract("BX-10")
async def test_a_command_can_be_edited_answered_and_denied(tmp_path: Path) -> None:
    settings = {"allowed_direct_commands": ["echo"]}
    command = Command(arguments=["-s", str(SCRIPTS / "warden.py")])
    async with running(tmp_path, NOWHERE, settings, command) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            client = Client(session, SERVICE_KEY)
            for stream in (False, True):
                edited = await client.chat("@@ echo edit", stream=stream)
                assert b"edited" in edited.body and b"Return Code 0" in edited.body
                answered = await client.chat("@@ echo answer", stream=stream)
                assert b"by hand" in answered.body and b'"stop"' in answered.body
                denied = await client.chat("@@ echo deny", stream=stream)
                assert (denied.status, denied.error["code"]) == (403, "direct_command_denied")
            with anyio.fail_after(10):
                broken_off = await client.transcript("@@ echo please kill; sleep 30")
            assert [error["code"] for error in broken_off.errors] == ["direct_command_denied"]


@pytest.mark.contract("WK-33", "BX-05")
@pytest.mark.parametrize("stream", [False, True])
async def test_stopping_the_proxy_kills_what_runs(tmp_path: Path, lifelines: Lifelines, stream: bool) -> None:
    settings = {"allowed_direct_commands": [sys.executable]}
    async with running(tmp_path, NOWHERE, settings) as proxy, anyio.create_task_group() as tasks:
        tasks.start_soon(abandoned, proxy, f"@@ {sys.executable} {PROGRAM} {lifelines.port} 2", stream)
        await lifelines.running(2)
        await proxy.stop()
        with anyio.fail_after(1):
            await lifelines.running(0)


async def abandoned(proxy: Proxy, code: str, stream: bool) -> None:
    """A command that is never answered, as the proxy ends first."""
    async with aiohttp.ClientSession(proxy.url) as session:
        with suppress(aiohttp.ClientError):
            await Client(session, SERVICE_KEY).chat(code, stream=stream)
