"""Tools of MCP servers and actions, called by the model through the real proxy."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import NOWHERE, ROOT, SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, spawned
from tests.e2e.server_log import ServerLog
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream

FAKES = ROOT / "tests" / "fakes"


@pytest.fixture(scope="module")
async def mcp_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """An MCP server over HTTP."""
    folder = tmp_path_factory.mktemp("mcp_http")
    port_file = folder / "port"
    line = [sys.executable, str(FAKES / "mcp_http_server.py"), str(port_file)]
    async with spawned(folder, line, Command(environ={"WK_FAKE_LOG": str(folder / "log")})):
        with anyio.fail_after(20):
            while not await anyio.Path(port_file).exists():  # noqa: ASYNC110 - a file sets no event
                await anyio.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text()}/mcp"


@pytest.fixture(scope="module")
def stdio_log(tmp_path_factory: pytest.TempPathFactory) -> ServerLog:
    """What the MCP server over stdio notes."""
    return ServerLog(tmp_path_factory.mktemp("mcp_stdio") / "log")


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines, mcp_url: str, stdio_log: ServerLog) -> dict[str, Any]:
    stdio = {
        "server_id": "demo.io",
        "transport": "stdio",
        "command": sys.executable,
        "args": [str(FAKES / "mcp_stdio_server.py")],
        "env": {"WK_FAKE_LOG": str(stdio_log.path), "GIVEN": "on purpose"},
        "tool_call_timeout_seconds": 1,
    }
    http = {"server_id": "net", "transport": "http", "url": mcp_url, "headers": {"X-Team": "blue"}}
    dead = {"server_id": "dead", "transport": "http", "url": f"{NOWHERE}/mcp"}
    return {
        "mcp_servers": [dead, stdio, http],
        "actions": [lifelines.action("hold", generations=2, timeout=1), lifelines.action("wait")],
        "max_tool_concurrency": 2,
    }


@pytest.fixture
async def ready(client: Client) -> Client:
    """The client, once both servers that live are connected."""
    while True:
        servers = (await client.get("/healthz")).json["mcp_servers"]
        if sum(server["ok"] for server in servers) == 3:
            return client


async def outcome(client: Client, upstream: Upstream, call: Call) -> Any:
    """What the model is told of a call, in a streamed turn."""
    upstream.script(calls(call), says("Done."))
    transcript = await client.transcript()
    assert (transcript.text, transcript.errors) == ("Done.", [])
    return json.loads(upstream.chats[-1].json["messages"][-1]["content"])


@pytest.mark.contract("WK-80", "WK-82", "WK-84", "WK-86", "WK-88", "WK-111")
async def test_the_tools_of_every_server_that_lives_are_offered(ready: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    await ready.chat()
    tools = {tool["function"]["name"]: tool["function"] for tool in upstream.chats[0].json["tools"]}
    assert {"demo_io__add", "demo_io__add_it", "net__add", "net__echo", "actions__hold"} <= tools.keys()
    assert list(tools)[-2:] == ["actions__hold", "actions__wait"]
    assert tools["demo_io__add"]["description"].endswith("(server_id=demo.io)")


@pytest.mark.contract("WK-80", "WK-82", "WK-84", "WK-116")
@pytest.mark.parametrize("name", ["demo_io__add", "demo_io__add_it", "net__add"])
async def test_a_tool_of_a_server_is_called(ready: Client, upstream: Upstream, name: str) -> None:
    told = await outcome(ready, upstream, Call(name, '{"a": 1, "b": 2}'))
    assert told["ok"] is True
    assert told["result"]["content"] == [{"type": "text", "text": "3"}]


@pytest.mark.contract("WK-93", "WK-94", "WK-116")
@pytest.mark.parametrize("name, text", [("fail", "always fails"), ("refuse", "is refused")])
@pytest.mark.parametrize("server", ["demo_io", "net"])
async def test_a_tool_that_fails_is_told_to_the_model(
    ready: Client, upstream: Upstream, server: str, name: str, text: str
) -> None:
    told = await outcome(ready, upstream, Call(f"{server}__{name}"))
    assert (told["ok"], told["is_error"]) == (False, True)
    assert text in told["error"]


@pytest.mark.contract("WK-91", "BX-05")
async def test_a_tool_that_is_too_slow_is_told_to_the_model_and_cancelled(
    ready: Client, upstream: Upstream, stdio_log: ServerLog
) -> None:
    before = stdio_log.count("cancelled")
    told = await outcome(ready, upstream, Call("demo_io__slow", '{"seconds": 30}'))
    assert told == {"ok": False, "error": "Tool timeout on demo.io/slow", "is_error": True}
    await outcome(ready, upstream, Call("demo_io__echo", '{"text": "in between"}'))
    assert stdio_log.count("cancelled") == before + 1


@pytest.mark.contract("WK-107")
async def test_an_action_that_is_too_slow_is_killed_with_its_children(
    ready: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    told = await outcome(ready, upstream, Call("actions__hold"))
    assert told["ok"] is False and "timed out after 1 second" in told["error"]
    with anyio.fail_after(1):
        await lifelines.running(0)


@pytest.mark.contract("WK-82")
async def test_a_server_that_dies_in_a_call_is_started_again(ready: Client, upstream: Upstream) -> None:
    told = await outcome(ready, upstream, Call("demo_io__crash"))
    assert told["ok"] is False
    while True:
        told = await outcome(ready, upstream, Call("demo_io__echo", '{"text": "back"}'))
        if told["ok"]:
            break
    assert told["result"]["content"][0]["text"] == "back"


@pytest.mark.contract("WK-92")
async def test_a_call_that_fails_is_sent_once(
    ready: Client, upstream: Upstream, stdio_log: ServerLog
) -> None:
    before = stdio_log.count("call fail")
    await outcome(ready, upstream, Call("demo_io__fail"))
    assert stdio_log.count("call fail") == before + 1


@pytest.mark.contract("WK-117")
@pytest.mark.parametrize("arguments", ['{"text": ', "[1]", '{"text": NaN}'])
async def test_arguments_that_are_no_json_object_are_told_to_the_model(
    ready: Client, upstream: Upstream, stdio_log: ServerLog, arguments: str
) -> None:
    before = stdio_log.count("call env")
    told = await outcome(ready, upstream, Call("demo_io__env", arguments))
    assert (told["ok"], told["is_error"]) == (False, True)
    assert "arguments" in told["error"]
    assert stdio_log.count("call env") == before


@pytest.mark.contract("WK-115")
async def test_calls_of_one_message_run_together_up_to_the_limit(
    ready: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    begun = lifelines.begun
    three = [Call("actions__wait", id=f"call_{number}") for number in range(3)]
    upstream.script(calls(*three, text="Wait."), says("Done."))
    async with ready.streamed() as stream:
        await stream.until("Wait.")
        await lifelines.running(2)
        await stream.chunk()  # about the calls
        assert await stream.event() == b": keepalive"
        await lifelines.running(2)
        await lifelines.let_go()
        await lifelines.until_begun(begun + 3)
        await lifelines.let_go()
        assert (await stream.rest()).text == "Done."
    results = upstream.chats[1].json["messages"][-3:]
    assert [result["tool_call_id"] for result in results] == ["call_0", "call_1", "call_2"]


@pytest.mark.contract("BX-05")
async def test_a_client_that_leaves_cancels_its_call_at_the_server(
    ready: Client, proxy: Proxy, upstream: Upstream, stdio_log: ServerLog
) -> None:
    started, cancelled = stdio_log.count("call slow"), stdio_log.count("cancelled")
    upstream.script(calls(Call("demo_io__slow", '{"seconds": 30}'), text="Wait."))
    async with aiohttp.ClientSession(proxy.url) as session:
        other = Client(session, SERVICE_KEY)
        async with other.streamed() as stream:
            await stream.until("Wait.")
            await stdio_log.until("call slow", started + 1)
    await stdio_log.until("cancelled", cancelled + 1)
    assert len(upstream.chats) == 1


@pytest.mark.contract("BX-17")
async def test_a_server_has_the_variables_and_headers_that_it_was_given(
    ready: Client, upstream: Upstream
) -> None:
    told = await outcome(ready, upstream, Call("demo_io__env", '{"name": "GIVEN"}'))
    assert told["result"]["content"][0]["text"] == "on purpose"
    told = await outcome(ready, upstream, Call("net__header", '{"name": "X-Team"}'))
    assert told["result"]["content"][0]["text"] == "blue"
