"""Parts of a turn that somebody replays in mitmweb are done once more, as their flows now say."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.e2e.client import Client, question
from tests.e2e.launch import UPSTREAM_KEY, write_config
from tests.e2e.proxy import Proxy, complaints
from tests.e2e.trace_files import TRACE_HEADER, of, trace
from tests.e2e.web import Flow, Web, looking
from tests.fakes.answers import Hang, calls, says
from tests.fakes.chunks import Call
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream

TEXT = {"name": "TEXT", "type": "insecure_string", "description": "What to say"}


def action(name: str, *line: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": name, "command": line[0], "arguments": line[1:], **more}


class Desk:
    """A client, and an operator at mitmweb who replays what the client's turns have done."""

    def __init__(self, proxy: Proxy, web: Web, client: Client) -> None:
        self.proxy = proxy
        self.web = web
        self.client = client

    async def part(self, label: str) -> Flow:
        """The latest flow whose comment begins so."""
        return [flow for flow in await self.web.turns() if flow["comment"].startswith(label)][-1]

    async def begin(self, flow: Flow) -> None:
        await self.web.post(f"/flows/{flow['id']}/replay")

    async def over(self, flow: Flow) -> Flow:
        """The flow, once its replay has ended."""

        def now(flows: list[Flow]) -> Flow:
            return next(found for found in flows if found["id"] == flow["id"])

        def is_over(flows: list[Flow]) -> bool:
            found = now(flows)
            is_answered = "response" in found and bool(trace_id(found))
            return is_answered or ("error" in found and found["marked"] == "❌")

        return now(await self.web.until(is_over))

    async def replay(self, flow: Flow, **edits: Any) -> tuple[Flow, str]:
        """Edit a flow's request, and replay it; the flow, and the text of its answer."""
        await self.web.change(flow, request=edits)
        await self.begin(flow)
        over = await self.over(flow)
        return over, (await self.web.content(over, "response")).decode()


def trace_id(flow: Flow) -> str:
    return next((value for name, value in flow["response"]["headers"] if name == TRACE_HEADER), "")


def settings(lifelines: Lifelines) -> dict[str, Any]:
    return {
        "actions": [
            action("say", "echo", "$TEXT", parameters=[TEXT], approval="ask"),
            action("publish", "echo", "published", costs=["deploy"]),
            lifelines.action("hold"),
        ],
        "last_user_message_readers": [{"name": "Caps.1", "command": "tr a-z A-Z"}],
        "init_messages": [{"role": "system", "content": "{last_user_message_reader_result:Caps.1}"}],
        "allowed_direct_commands": ["echo"],
        "upstream_read_timeout_seconds": 20,
    }


@pytest.fixture(scope="module")
async def shared_desk(
    shared_upstream: Upstream, lifelines: Lifelines, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    async with looking(folder, shared_upstream.url, settings(lifelines)) as (proxy, web):
        async with web.client(proxy) as client:
            yield Desk(proxy, web, client)


@pytest.fixture
async def desk(shared_desk: Desk, upstream: Upstream) -> AsyncIterator[Desk]:
    before = len(shared_desk.proxy.output)
    yield shared_desk
    assert not complaints(shared_desk.proxy.output[before:])


@pytest.mark.contract("BX-09", "BX-10", "BX-17")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_leg_is_asked_again_as_it_was_edited(desk: Desk, upstream: Upstream, stream: bool) -> None:
    upstream.script(says("Hello."), says("Some", "thing else."))
    await desk.client.chat(stream=stream)
    before = await desk.part("leg 1")
    edited = json.dumps(question("Edited?", stream=stream))
    flow, answer = await desk.replay(before, content=edited)
    asked = upstream.chats[1]
    assert (asked.body, asked.path) == (edited.encode(), "/v1/chat/completions")
    assert asked.header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert UPSTREAM_KEY not in json.dumps(flow) and "thing else." in answer
    assert flow["response"]["status_code"] == 200
    assert flow["comment"].startswith("leg 1 · stop · ") and flow["marked"] == "🤖"
    assert flow["request"]["host"] == before["request"]["host"]
    assert flow["request"]["port"] == before["request"]["port"]
    if stream:
        shown = await desk.web.shown(flow, "response")
        assert "Something else." in shown["text"] and "ms" in shown["text"]
    (request,) = of("proxy_request", await trace(desk.proxy, trace_id(flow)))
    assert request["replay_of"].startswith(before["comment"][-6:])


@pytest.mark.contract("BX-10")
async def test_what_a_replay_has_replaced_can_be_had_back(desk: Desk, upstream: Upstream) -> None:
    upstream.script(says("Hel", "lo."), says("Something else."))
    await desk.client.chat(stream=True)
    before = await desk.part("leg 1")
    shown = await desk.web.shown(before, "response")
    await desk.replay(before, content=json.dumps(question("Edited?", stream=True)))
    await desk.web.post(f"/flows/{before['id']}/revert")
    after = await desk.part("leg 1")
    assert after == before and await desk.web.shown(after, "response") == shown


@pytest.mark.contract("BX-10")
async def test_the_list_of_models_is_asked_for_again(desk: Desk, upstream: Upstream) -> None:
    await desk.client.get("/v1/models")
    flow, answer = await desk.replay(await desk.part("models"))
    assert len(upstream.requests) == 2 and json.loads(answer)["data"]
    assert flow["comment"].startswith("models · ")


@pytest.mark.contract("BX-10", "BX-17")
async def test_a_leg_that_is_sent_to_another_address_takes_no_key_along(
    desk: Desk, upstream: Upstream
) -> None:
    async with Upstream.serving() as other:
        upstream.script(says("Hello."))
        other.script(says("From elsewhere."))
        await desk.client.chat()
        _, answer = await desk.replay(await desk.part("leg 1"), port=int(other.url.rpartition(":")[2]))
        assert "From elsewhere." in answer and other.chats[0].header("authorization") is None


@pytest.mark.contract("BX-10")
async def test_an_upstream_that_is_away_is_told_of_in_the_answer(desk: Desk, upstream: Upstream) -> None:
    upstream.script(says("Hel", "lo."))
    await desk.client.chat(stream=True)
    flow, answer = await desk.replay(await desk.part("leg 1"), port=9)
    assert flow["response"]["status_code"] == 502 and flow["marked"] == "❌"
    assert "cannot connect" in json.loads(answer)["error"]["message"]
    assert flow["comment"].startswith("leg 1 · 502 · ")
    assert "first byte" not in (await desk.web.shown(flow, "response"))["text"]  # that was of the old answer


@pytest.mark.contract("BX-10", "BX-11")
async def test_a_tool_is_run_again_with_edited_arguments_and_needs_no_further_approval(
    desk: Desk, upstream: Upstream
) -> None:
    upstream.script(
        calls(Call("actions__say", '{"TEXT": "first"}', id="call_s"), text="Wait."), says("Done.")
    )
    async with desk.client.streamed() as stream:
        await stream.until("Wait.")
        held = (await desk.web.until(lambda flows: any(flow["intercepted"] for flow in flows)))[-1]
        await desk.web.post(f"/flows/{held['id']}/kill")
        await stream.rest()
    denied = await desk.part("actions/say")
    assert denied["comment"].startswith("actions/say · denied")
    flow, answer = await desk.replay(denied, content='{"TEXT": "second"}')
    assert (flow["response"]["status_code"], answer) == (200, '{"ok": true, "result": ["second"]}')
    assert flow["comment"].startswith("actions/say · ok · ") and flow["marked"] == "🔧"
    events = await trace(desk.proxy, trace_id(flow))
    (call,), (result,) = of("tool_call", events), of("tool_result", events)
    assert call["name"] == result["name"] == "actions__say" and call["call_id"] == "call_s"
    assert result["success"] and len(upstream.chats) == 2


@pytest.mark.contract("BX-10", "OW-59")
async def test_what_the_config_forbids_is_not_run_for_a_replay_either(desk: Desk, upstream: Upstream) -> None:
    upstream.script(calls(Call("actions__publish")), says("Then not."))
    await desk.client.chat()
    flow, answer = await desk.replay(await desk.part("actions/publish"))
    assert flow["response"]["status_code"] == 403
    assert '"missing": ["deploy"]' in answer and "request_permission" not in answer


@pytest.mark.contract("BX-10")
async def test_a_permission_is_not_asked_for_again(desk: Desk, upstream: Upstream) -> None:
    upstream.script(calls(Call("request_permission", '{"category": "deploy"}'), text="Wait."), says("Done."))
    async with desk.client.streamed() as stream:
        await stream.until("Wait.")
        held = (await desk.web.until(lambda flows: any(flow["intercepted"] for flow in flows)))[-1]
        await desk.web.post(f"/flows/{held['id']}/resume")
        await stream.rest()
    flow, answer = await desk.replay(await desk.part("operator/request_permission"))
    assert flow["response"]["status_code"] == 409
    assert json.loads(answer)["error"]["code"] == "not_a_client_request"


@pytest.mark.contract("BX-10")
async def test_a_reader_is_run_again(desk: Desk, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    await desk.client.chat()
    flow, answer = await desk.replay(await desk.part("reader Caps.1"), content="what now?")
    assert answer == "WHAT NOW?" and flow["comment"].startswith("reader Caps.1 · ok · ")
    assert len(upstream.chats) == 1


@pytest.mark.contract("BX-10", "WK-58")
async def test_a_direct_command_is_run_again_where_the_policy_allows_it(
    desk: Desk, upstream: Upstream
) -> None:
    await desk.client.chat("@@ echo one")
    command = await desk.part("command direct")
    flow, answer = await desk.replay(command, content="echo two")
    assert "\ntwo\n" in answer and flow["comment"].startswith("command direct · ok · ")
    flow, answer = await desk.replay(command, content="touch forbidden")
    assert flow["response"]["status_code"] == 400 and "`touch` is not an allowed direct command" in answer
    assert not (desk.proxy.folder / "forbidden").exists()
    events = await trace(desk.proxy, trace_id(flow))
    assert [e["type"] for e in events if "permission" in e["type"]] == ["permission_denied"]


@pytest.mark.contract("BX-10", "BX-05")
@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_tool_that_is_killed_while_it_runs_again_ends_with_its_processes(
    desk: Desk, upstream: Upstream, lifelines: Lifelines, how: str
) -> None:
    upstream.script(calls(Call("actions__hold")), says("Done."))
    async with desk.client.streamed() as stream:
        await lifelines.running(1)
        await lifelines.let_go()
        await stream.rest()
    flow = await desk.part("actions/hold")
    await desk.begin(flow)
    await lifelines.running(1)
    path = f"/flows/{flow['id']}/kill" if how == "killed" else "/commands/replay.client.stop"
    await desk.web.post(path)
    await lifelines.running(0)
    over = await desk.over(flow)
    assert over["error"]["msg"] == "Connection killed." and "response" not in over
    assert over["comment"].startswith("actions/hold · killed · ")


@pytest.mark.contract("BX-10", "BX-05")
async def test_a_leg_that_is_killed_while_it_is_asked_again_closes_its_connection(
    desk: Desk, upstream: Upstream
) -> None:
    upstream.script(says("Hello."), Hang())
    await desk.client.chat()
    flow = await desk.part("leg 1")
    await desk.begin(flow)
    asked = await upstream.chat(2)
    await desk.web.post(f"/flows/{flow['id']}/kill")
    await asked.closed.wait()
    assert (await desk.over(flow))["comment"].startswith("leg 1 · killed · ")


@pytest.mark.contract("BX-09")
async def test_a_client_that_leaves_does_not_end_a_replay_of_its_flow(desk: Desk, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(says("Hello."), says(gate, "Still here."))
    async with desk.web.client(desk.proxy) as client:
        await client.chat()
        flow = await desk.part("turn ")
        await desk.begin(flow)
        await upstream.chat(2)
    gate.set()
    assert b"Still here." in await desk.web.content(await desk.over(flow), "response")


@pytest.mark.contract("BX-10")
async def test_what_is_no_longer_configured_is_not_found(
    upstream: Upstream, lifelines: Lifelines, tmp_path: Path
) -> None:
    upstream.script(calls(Call("actions__publish")), says("Done."))
    known = settings(lifelines) | {"authorized_costs": ["deploy"]}
    async with looking(tmp_path, upstream.url, known) as (proxy, web), web.client(proxy) as client:
        desk = Desk(proxy, web, client)
        await client.chat()
        old = {"service_base_url": proxy.url, "upstream_base_url": upstream.url}
        write_config(tmp_path, {**old, "actions": [lifelines.action("hold")]})
        with anyio.fail_after(10):
            await proxy.until_written("Configuration reloaded")
        for label, what in (("actions/publish", "tool actions/publish"), ("reader", "reader Caps.1")):
            flow, answer = await desk.replay(await desk.part(label))
            assert flow["response"]["status_code"] == 404 and f"there is no {what}" in answer
