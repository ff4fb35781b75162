"""With `traces.content` a trace has what was said too, but never a key; and where the traces are."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.declared import HELLO
from tests.e2e.launch import SERVICE_KEY, UPSTREAM_KEY, Command
from tests.e2e.proxy import Proxy, running
from tests.e2e.trace_files import TRACE_HEADER, of, trace
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

HEADER_KEY = "planted-mcp-header-1"
ENV_KEY = "planted-mcp-env-2"
KEYS = (SERVICE_KEY, UPSTREAM_KEY, HEADER_KEY, ENV_KEY)
CALL = Call("actions__hello", json.dumps({"keys": " ".join(KEYS)}), id="aB3dE5gH9")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {
        "traces": {"dir": "traces", "content": True},
        "actions": [HELLO],
        "detectors": [{"name": "gives up", "pattern": "as an ai*i cannot"}, {"name": "x", "pattern": "x?y"}],
        "allowed_direct_commands": ["echo"],
        "last_user_message_readers": [{"name": "notes", "command": "cat"}],
        "mcp_servers": [
            {"server_id": "far", "transport": "http", "url": "http://127.0.0.1:9/mcp"}
            | {"headers": {"Authorization": f"Bearer {HEADER_KEY}"}},
            {"server_id": "near", "transport": "stdio", "command": "false", "env": {"MY_TOKEN": ENV_KEY}},
        ],
    }


@pytest.mark.contract("OW-40", "BX-17")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_trace_has_what_was_said_without_keys(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL, text="I look. "), says("It is done."))
    answer = await client.chat(f"a question {' '.join(KEYS)}", stream=stream)
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    assert "a question [removed]" in of("proxy_request", events)[0]["body"]
    assert "a question [removed]" in of("leg_request", events)[1]["body"]
    assert "It is done." in of("leg", events)[1]["message"]
    assert "[removed]" in of("tool_call", events)[0]["arguments"]
    assert "hello" in of("tool_result", events)[0]["content"]
    assert of("reader", events)[0]["content"].startswith("a question [removed]")
    assert not [key for key in KEYS if key in json.dumps(events)]


@pytest.mark.contract("OW-40")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_trace_has_direct_commands_and_their_output(
    client: Client, proxy: Proxy, stream: bool
) -> None:
    answer = await client.chat(f"@@ echo said {UPSTREAM_KEY}", stream=stream)
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    (command,) = of("direct_command", events)
    assert command["code"] == "echo said [removed]" and "\nsaid [removed]\n" in command["output"]
    assert of("permission_granted", events)[0]["action"] == "direct_command"


async def test_a_direct_command_that_may_not_run_is_told(client: Client, proxy: Proxy) -> None:
    answer = await client.chat("@@ rm x")
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    assert of("permission_denied", events)[0]["by"] == "direct_command_policy"


@pytest.mark.contract("OW-32")
async def test_a_variable_moves_the_traces(tmp_path: Path, upstream: Upstream) -> None:
    command = Command(environ={"WERKZEUGKOPPLER_TRACES_DIR": str(tmp_path / "elsewhere")})
    async with (
        running(tmp_path, upstream.url, {"traces": {"dir": str(tmp_path / "traces")}}, command) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        upstream.script(says("Hello."))
        answer = await Client(session, SERVICE_KEY).chat()
    name = answer.headers[TRACE_HEADER]
    assert (tmp_path / "elsewhere" / f"{name}.trace.ndjson").exists()
    assert not (tmp_path / "traces").exists()


@pytest.mark.contract("OW-31")
async def test_a_folder_that_cannot_be_written_is_told_once_and_requests_are_served(
    tmp_path: Path, upstream: Upstream
) -> None:
    (tmp_path / "file").touch()
    traces = {"traces": {"dir": str(tmp_path / "file" / "traces")}}
    async with (
        running(tmp_path, upstream.url, traces) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        upstream.script(says("Hello."), says("Hello."))
        client = Client(session, SERVICE_KEY)
        assert [(await client.chat()).status for _ in range(2)] == [200, 200]
        await proxy.until_written("Traces are lost from now on")
    assert proxy.output.count("Traces are lost from now on") == 1


@pytest.mark.contract("OW-66")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_that_is_looked_out_for_is_told_and_stays(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    upstream.script(says("As an AI, ", "I cannot."))
    answer = await client.chat(stream=stream)
    assert b"As an AI, " in answer.body and b"I cannot." in answer.body
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    assert [(event["detector"], event["leg"]) for event in of("detector_fired", events)] == [("gives up", 1)]
