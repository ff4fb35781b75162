"""A model asks for permission, and a person at mitmweb decides."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.e2e.client import Client, Transcript, question
from tests.e2e.proxy import Proxy
from tests.e2e.trace_files import trace
from tests.e2e.web import Flow, Web, looking
from tests.fakes.answers import Answer, calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

SETTINGS: dict[str, Any] = {
    "actions": [
        {"name": "publish", "description": "Goes online", "command": "echo published", "costs": ["deploy"]},
        {"name": "tidy", "description": "Deletes", "command": "echo tidied", "approval": "ask"},
    ],
    "stream_keepalive_seconds": 0.2,
}
PUBLISH = Call("actions__publish", id="call_p")
TRACE_ID = "X-Werkzeugkoppler-Trace-Id"


class Desk:
    """A client, and an operator at mitmweb."""

    def __init__(self, proxy: Proxy, web: Web, client: Client) -> None:
        self.proxy = proxy
        self.web = web
        self.client = client

    async def held(self) -> Flow:
        """The flow that waits, once one does."""
        flows = await self.web.until(lambda flows: any(flow["intercepted"] for flow in flows))
        return next(flow for flow in flows if flow["intercepted"])

    async def chat(self, decide: Callable[[Flow], Awaitable[None]] | None, **fields: Any) -> Transcript:
        """A streamed chat, during which somebody decides on what is held, if anybody does."""
        async with self.client.open(
            "POST", "/v1/chat/completions", question(stream=True, **fields)
        ) as stream:
            if decide is not None:
                await decide(await self.held())
            transcript = await stream.rest()
        self.trace_id = stream.headers[TRACE_ID]
        return transcript

    async def resume(self, flow: Flow) -> None:
        await self.web.post(f"/flows/{flow['id']}/resume")

    async def kill(self, flow: Flow) -> None:
        await self.web.post(f"/flows/{flow['id']}/kill")

    async def resume_for_the_session(self, flow: Flow) -> None:
        """Edit what is asked for, then let it go."""
        asked = {"category": "deploy", "scope": "this_session", "operator_note": "Today only"}
        await self.web.change(flow, request={"content": json.dumps(asked)})
        await self.resume(flow)

    async def decisions(self) -> list[str]:
        """The decisions in the trace of the last chat."""
        events = await trace(self.proxy, self.trace_id)
        return [
            event["type"].removeprefix("permission_")
            for event in events
            if event["type"].startswith("permission_") or event["type"] == "auth_check_fired"
        ]


@pytest.fixture(scope="module")
async def shared_desk(
    shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    async with looking(tmp_path_factory.mktemp("desk"), shared_upstream.url, SETTINGS) as (proxy, web):
        async with web.client(proxy) as client:
            yield Desk(proxy, web, client)


@pytest.fixture
def desk(shared_desk: Desk, upstream: Upstream) -> Desk:
    return shared_desk


def request(**more: Any) -> Call:
    arguments = {"action": "actions__publish the site", "reasoning": "It is ready"} | more
    return Call("request_permission", json.dumps(arguments), id="call_r")


def script(upstream: Upstream, *wanted: Call) -> None:
    """The model makes these calls, one a leg, and then ends."""
    answers: list[Answer] = [calls(call) for call in wanted]
    upstream.script(*answers, says("Done."))


def results(upstream: Upstream) -> list[Any]:
    """What the model was told, of each call in the last leg's prompt."""
    messages = upstream.chats[-1].json["messages"]
    return [json.loads(message["content"]) for message in messages if message["role"] == "tool"]


@pytest.mark.contract("OW-61", "OW-62", "OW-63")
async def test_a_permission_that_is_granted_is_used_up_by_the_next_call(
    desk: Desk, upstream: Upstream
) -> None:
    script(upstream, request(), PUBLISH, PUBLISH)
    transcript = await desk.chat(desk.resume)
    assert transcript.text == "Done." and "request_permission: waits" in transcript.joined(
        "reasoning_content"
    )
    granted, published, again = results(upstream)
    assert granted["result"].keys() == {"granted", "scope_granted", "operator_note", "grant_id"}
    assert granted["result"]["granted"] is True and granted["result"]["scope_granted"] == "this_call"
    assert published == {"ok": True, "result": ["published"]}
    assert again["missing"] == ["deploy"] and "request_permission" in again["error"]
    assert await desk.decisions() == [
        "requested",
        "granted",
        "grant_consumed",
        "auth_check_fired",
        "auth_check_fired",
    ]


@pytest.mark.contract("OW-61")
async def test_the_operator_sees_all_that_is_asked_for(desk: Desk, upstream: Upstream) -> None:
    seen: list[Any] = []

    async def look(flow: Flow) -> None:
        seen.append((flow["request"]["pretty_host"], (await desk.web.shown(flow, "request", "raw"))["text"]))
        await desk.kill(flow)

    script(upstream, request())
    await desk.chat(look)
    ((host, body),) = seen
    assert host == "operator.tool"
    assert json.loads(body) == {
        "action": "actions__publish the site",
        "reasoning": "It is ready",
        "category": "deploy",
        "scope": "this_call",
    }


@pytest.mark.contract("OW-61", "OW-63")
async def test_a_permission_that_is_denied_allows_nothing(desk: Desk, upstream: Upstream) -> None:
    script(upstream, request(), PUBLISH)
    await desk.chat(desk.kill)
    denied, published = results(upstream)
    assert denied["result"] == {
        "granted": False,
        "scope_granted": None,
        "operator_note": "denied by the operator",
        "grant_id": None,
    }
    assert published["ok"] is False
    assert await desk.decisions() == ["requested", "denied", "auth_check_fired"]


@pytest.mark.contract("OW-62")
async def test_a_permission_for_the_session_holds_in_its_conversation_alone(
    desk: Desk, upstream: Upstream
) -> None:
    first = {"role": "user", "content": "For the session?"}
    script(upstream, request(), PUBLISH, PUBLISH)
    await desk.chat(desk.resume_for_the_session, messages=[first])
    assert [result["ok"] for result in results(upstream)] == [True, True, True]
    granted = results(upstream)[0]["result"]
    assert (granted["scope_granted"], granted["operator_note"]) == ("this_session", "Today only")
    later = [first, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Again"}]
    script(upstream, PUBLISH)
    await desk.chat(None, messages=later)
    assert results(upstream)[-1] == {"ok": True, "result": ["published"]}
    script(upstream, PUBLISH)
    await desk.chat(None, messages=[*later[:2], {"role": "assistant", "content": "Not that."}, first, first])
    assert results(upstream)[-1]["ok"] is True  # what was added does not change what it was given
    script(upstream, PUBLISH)
    await desk.chat(None, messages=[{"role": "user", "content": "Another"}, *later[1:]])
    assert results(upstream)[-1]["ok"] is False


@pytest.mark.contract("OW-65", "OW-63")
async def test_a_permission_is_never_persistent_and_what_was_not_used_is_taken_back(
    desk: Desk, upstream: Upstream
) -> None:
    script(upstream, request(scope="persistent"))
    await desk.chat(desk.resume, messages=[{"role": "user", "content": "For ever?"}])
    (granted,) = results(upstream)
    assert granted["result"]["scope_granted"] == "this_session"
    assert "not kept beyond the conversation" in granted["result"]["operator_note"]
    script(upstream, request())
    await desk.chat(desk.resume, messages=[{"role": "user", "content": "For once?"}])
    assert await desk.decisions() == ["requested", "granted", "revoked"]


@pytest.mark.contract("OW-61")
async def test_the_tool_is_offered_with_what_can_be_asked_for(desk: Desk, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    await desk.chat(None)
    tools = {tool["function"]["name"]: tool["function"] for tool in upstream.chats[0].json["tools"]}
    assert tools["request_permission"]["parameters"]["properties"]["category"]["enum"] == ["deploy"]


@pytest.mark.contract("OW-61")
async def test_a_tool_of_that_name_of_the_clients_is_the_clients(desk: Desk, upstream: Upstream) -> None:
    upstream.script(calls(request()))
    own = {"type": "function", "function": {"name": "request_permission", "parameters": {"type": "object"}}}
    transcript = await desk.chat(None, tools=[own])
    assert transcript.finishes == ["tool_calls"]
    assert [t["function"]["name"] for t in upstream.chats[0].json["tools"]].count("request_permission") == 1


@pytest.mark.contract("BX-11")
@pytest.mark.parametrize(("decision", "told"), [("resume", "tidied"), ("kill", "denied by the operator")])
async def test_a_call_that_needs_approval_is_decided_on_in_mitmweb(
    desk: Desk, upstream: Upstream, decision: str, told: str
) -> None:
    script(upstream, Call("actions__tidy"))
    await desk.chat(desk.resume if decision == "resume" else desk.kill)
    assert told in str(results(upstream))


@pytest.mark.contract("BX-11", "OW-61", "OW-63")
async def test_where_nobody_answers_in_time_it_is_denied(upstream: Upstream, tmp_path: Path) -> None:
    script(upstream, Call("actions__tidy"), request())
    settings = {**SETTINGS, "approval_timeout_seconds": 0.3}
    async with looking(tmp_path, upstream.url, settings) as (proxy, web), web.client(proxy) as client:
        desk = Desk(proxy, web, client)
        with anyio.fail_after(20):
            assert (await desk.chat(None)).text == "Done."
        tidied, asked = results(upstream)
        assert tidied["operator_note"] == "no answer of an operator within 0.3 seconds"
        assert asked["result"]["granted"] is False and "within 0.3" in asked["result"]["operator_note"]
        assert not [flow for flow in await web.turns() if flow["intercepted"]]
        assert await desk.decisions() == ["requested", "denied"] * 2


@pytest.mark.contract("OW-61")
async def test_the_tool_is_not_offered_where_it_is_switched_off(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(calls(PUBLISH), says("Done."))
    settings = {**SETTINGS, "permission_tool": False}
    async with looking(tmp_path, upstream.url, settings) as (proxy, web), web.client(proxy) as client:
        await Desk(proxy, web, client).chat(None)
    assert "request_permission" not in str(upstream.chats[0].json["tools"])
    assert results(upstream)[0]["missing"] == ["deploy"]
    assert "request_permission" not in results(upstream)[0]["error"]
