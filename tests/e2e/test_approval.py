"""Tools that wait for somebody, under mitmdump, where only a script of the user's can be that."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import Command
from tests.e2e.proxy import Proxy
from tests.e2e.trace_files import trace
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

SCRIPT = Path(__file__).parent / "scripts" / "meddler.py"
NOTE = {"name": "NOTE", "type": "insecure_string", "description": "Anything"}
MARK = {
    "name": "mark",
    "description": "Leaves a file",
    "command": "touch",
    "arguments": ["$NOTE"],
    "parameters": [NOTE],
    "approval": "ask",
}
TRACE_ID = "X-Werkzeugkoppler-Trace-Id"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [MARK], "stream_keepalive_seconds": 0.2, "approval_timeout_seconds": 20}


@pytest.fixture(scope="module")
def command() -> Command:
    return Command(arguments=["-s", str(SCRIPT)])


def mark(note: str) -> Call:
    return Call("actions__mark", f'{{"NOTE": "{note}"}}')


def told(upstream: Upstream) -> str:
    """What the model was told of its last call."""
    return str(upstream.chats[-1].json["messages"][-1]["content"])


@pytest.mark.contract("BX-11", "OW-63")
@pytest.mark.parametrize("stream", [False, True])
async def test_where_nobody_can_be_asked_a_call_is_denied_at_once(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(mark("unasked")), says("Then not."))
    answer = await client.chat(stream=stream)
    assert '"ok": false' in told(upstream)
    assert '"operator_note": "no interactive operator available"' in told(upstream)
    assert not (proxy.folder / "unasked").exists()
    events = await trace(proxy, answer.headers[TRACE_ID])
    decisions = [event for event in events if event["type"].startswith("permission_")]
    assert [event["type"] for event in decisions] == ["permission_requested", "permission_denied"]
    assert decisions[1]["reason"] == "no interactive operator available"
    assert decisions[1]["tool"] == "actions__mark" and decisions[1]["call_id"] == "call_1"


@pytest.mark.contract("BX-11", "OW-63")
async def test_a_call_waits_with_keepalives_and_a_word_about_it_until_it_is_let_go(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(calls(mark("please hold"), text="Wait."), says("Done."))
    async with client.streamed() as stream:
        await stream.until("Wait.")
        assert "tool call" in str(await stream.chunk())
        assert "==> actions__mark: waits for approval, 20 seconds at the most" in str(await stream.chunk())
        assert [await stream.event() for _ in range(2)] == [b": keepalive"] * 2
        assert not (proxy.folder / "please hold").exists() and len(upstream.chats) == 1
        await client.get("/let-go")
        assert (await stream.rest()).text == "Done."
    assert (proxy.folder / "held").exists()  # as the script edited it
    events = await trace(proxy, stream.headers[TRACE_ID])
    assert [event["type"] for event in events if event["type"].startswith("permission_")] == [
        "permission_requested",
        "permission_granted",
    ]


@pytest.mark.contract("BX-11", "OW-63")
async def test_a_call_that_is_killed_while_it_waits_is_denied(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(calls(mark("please hold this"), text="Wait."), says("Then not."))
    async with client.streamed() as stream:
        await stream.until("Wait.")
        await stream.chunk()  # about the call
        await stream.chunk()  # that it waits
        await client.get("/kill")
        assert (await stream.rest()).text == "Then not."
    assert "denied by the operator" in told(upstream)
    assert not (proxy.folder / "held this").exists()
    (denied,) = [e for e in await trace(proxy, stream.headers[TRACE_ID]) if e["type"] == "permission_denied"]
    assert denied["reason"] == "denied by the operator"


@pytest.mark.contract("BX-11", "BX-05")
async def test_a_client_that_leaves_while_its_call_waits_ends_the_turn(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(calls(mark("please hold on"), text="Wait."))
    async with client.streamed() as stream:
        await stream.until("Wait.")
        await stream.chunk()  # about the call
        await stream.chunk()  # that it waits
    with anyio.fail_after(5):
        while '"cancelled": true' not in proxy.traces:  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(0.05)
    await client.get("/let-go")
    assert not (proxy.folder / "held on").exists() and len(upstream.chats) == 1


@pytest.mark.contract("BX-11")
@pytest.mark.parametrize("what", ["kill", "answer"])
async def test_a_script_decides_without_waiting(
    client: Client, proxy: Proxy, upstream: Upstream, what: str
) -> None:
    upstream.script(calls(mark(f"please {what} tool")), says("Then not."))
    await client.chat()
    assert ("denied by the operator" if what == "kill" else "from the script") in told(upstream)
    assert not (proxy.folder / f"please {what} tool").exists()
