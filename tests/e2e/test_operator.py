"""What a person or a script does to an exchange in mitmproxy holds for it."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import Command
from tests.fakes.answers import Hang, calls, says
from tests.fakes.chunks import Call
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream

SCRIPT = Path(__file__).parent / "scripts" / "meddler.py"
ECHO = {
    "name": "echo",
    "description": "Says it again",
    "command": "echo",
    "arguments": ["$TEXT"],
    "parameters": [{"name": "TEXT", "type": "insecure_string", "description": "What to say"}],
}


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines) -> dict[str, Any]:
    note = {"name": "NOTE", "type": "insecure_string", "description": "Anything"}
    return {"upstream_connect_retries": 2, "actions": [ECHO, lifelines.action("hold", parameters=[note])]}


@pytest.fixture(scope="module")
def command() -> Command:
    return Command(arguments=["-s", str(SCRIPT)])


def echo(text: str) -> Call:
    return Call("actions__echo", f'{{"TEXT": "{text}"}}')


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_edited_leg_is_what_the_upstream_gets(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(says("Hello."))
    assert (await client.chat("Now please edit leg.", stream=stream)).status == 200
    assert upstream.chats[0].json["messages"][0]["content"] == "Now edited."


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize("stream", [False, True])
async def test_edited_arguments_are_what_the_tool_gets(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(echo("please edit tool")), says("Done."))
    await client.chat(stream=stream)
    assert upstream.chats[1].json["messages"][-1]["content"] == '{"ok": true, "result": ["edited"]}'


@pytest.mark.contract("BX-10")
async def test_an_edited_result_is_what_the_model_gets(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(echo("please edit the tool's answer")), says("Done."))
    await client.chat()
    result = upstream.chats[1].json["messages"][-1]["content"]
    assert result == '{"ok": true, "result": ["edited afterwards"]}'


@pytest.mark.contract("BX-10")
async def test_an_edited_answer_of_a_leg_is_what_the_client_gets(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Well: please edit the leg's answer."))
    answer = (await client.chat()).json
    assert answer["choices"][0]["message"]["content"] == "Well: edited afterwards."


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_leg_that_a_script_answers_goes_to_nobody(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    if stream:
        assert (await client.transcript("please answer leg")).text == "From the script."
    else:
        answer = (await client.chat("please answer leg")).json
        assert answer["choices"][0]["message"]["content"] == "From the script."
    assert not upstream.requests


@pytest.mark.contract("BX-10")
async def test_a_call_that_a_script_answers_is_not_run(
    client: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    upstream.script(calls(Call("actions__hold", '{"NOTE": "please answer tool"}')), says("Done."))
    await client.chat()
    result = upstream.chats[1].json["messages"][-1]["content"]
    assert result == '{"ok": true, "result": "from the script"}'


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_killed_is_denied_and_the_model_is_told(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(Call("actions__hold", '{"NOTE": "please kill tool"}')), says("Then not."))
    assert (await client.chat(stream=stream)).status == 200
    result = upstream.chats[1].json["messages"][-1]["content"]
    assert '"ok": false' in result and "denied" in result


@pytest.mark.contract("BX-10")
async def test_a_call_that_is_killed_while_it_is_held_is_denied(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(echo("please hold"), text="Wait."), says("Then not."))
    async with client.streamed() as stream:
        await stream.until("Wait.")
        with anyio.fail_after(5):
            while (await client.get("/kill")).status != 200:  # noqa: ASYNC110 - the call comes after the text
                await anyio.sleep(0.01)
        assert (await stream.rest()).text == "Then not."
    assert "denied" in upstream.chats[1].json["messages"][-1]["content"]


@pytest.mark.contract("BX-10")
async def test_a_call_that_is_killed_while_it_runs_is_broken_off_and_its_command_ends(
    client: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    upstream.script(calls(Call("actions__hold", '{"NOTE": "please run"}')), says("Then not."))
    async with client.streamed() as stream:
        await lifelines.running(1)
        await client.get("/kill")
        await lifelines.running(0)
        assert (await stream.rest()).text == "Then not."
    assert "broke the call off" in upstream.chats[1].json["messages"][-1]["content"]


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_leg_that_is_killed_fails_the_turn(client: Client, upstream: Upstream, stream: bool) -> None:
    answer = await client.chat("please kill leg", stream=stream)
    assert answer.status == 502 and "killed" in answer.error["message"]  # and nothing is tried again
    assert not upstream.requests


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize("begun", [False, True])
async def test_a_leg_that_is_killed_while_the_upstream_is_silent_ends_at_once(
    client: Client, upstream: Upstream, begun: bool
) -> None:
    upstream.script(says("Hel", anyio.Event(), "lo") if begun else Hang())
    async with client.streamed("please run") as stream:
        await (stream.until("Hel") if begun else upstream.chat())
        await client.get("/kill")
        error = (await stream.rest()).chunks[-1]["error"]
    assert "killed" in error["message"]
    await upstream.chats[0].closed.wait()


@pytest.mark.contract("BX-10")
async def test_a_call_that_is_held_waits_and_goes_on_as_it_was_edited(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(calls(echo("please hold"), text="Wait."), says("Done."))
    async with client.streamed() as stream:
        await stream.until("Wait.")
        await stream.chunk()  # about the call
        assert [await stream.event() for _ in range(2)] == [b": keepalive"] * 2
        assert len(upstream.chats) == 1
        await client.get("/let-go")
        assert (await stream.rest()).text == "Done."
    assert upstream.chats[1].json["messages"][-1]["content"] == '{"ok": true, "result": ["held"]}'


@pytest.mark.contract("BX-10", "BX-05")
async def test_a_client_that_leaves_while_its_call_is_held_ends_the_turn(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(calls(Call("actions__hold", '{"NOTE": "please hold"}'), text="Wait."))
    async with client.streamed() as stream:
        await stream.until("Wait.")
        await stream.chunk()  # about the call
        assert await stream.event() == b": keepalive"
    with anyio.fail_after(5):
        await client.get("/let-go")
    assert len(upstream.chats) == 1


@pytest.mark.contract("BX-09")
async def test_a_legs_flow_grows_while_it_streams(client: Client, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo"))
    async with client.streamed() as stream:
        await stream.until("Hel")
        while b'"Hel"' not in (seen := (await client.get("/look")).body):
            assert await stream.event() == b": keepalive"
        assert b'"lo"' not in seen
        gate.set()
        await stream.rest()
    assert b'"lo"' in (await client.get("/look")).body


async def test_what_a_script_answers_itself_is_not_ours_to_judge(stranger: Client) -> None:
    assert (await stranger.get("/look")).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_that_is_replayed_is_a_turn_again(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(says("Hello."), calls(echo("again")), says("Done."))
    await client.chat(stream=stream)
    assert (await client.get("/replay")).status == 200
    replayed = await upstream.chat(3)
    assert replayed.json["messages"][0] == upstream.chats[0].json["messages"][0]
    assert "again" in replayed.json["messages"][-1]["content"]
