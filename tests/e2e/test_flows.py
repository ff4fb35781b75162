"""A turn is there to be looked at: every exchange a flow of its own, linked, whole, and without keys."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from tests.e2e.client import Answer, Client, Transcript, question
from tests.e2e.launch import SERVICE_KEY, UPSTREAM_KEY, Command
from tests.e2e.proxy import running
from tests.fakes.answers import Json, calls, says
from tests.fakes.chunks import Call, completion
from tests.fakes.http1 import Recorded
from tests.fakes.upstream import Upstream

HELLO = {"name": "hello", "description": "Greets", "command": "echo", "arguments": ["hello"]}
ENVIRONMENT = {"name": "environment", "description": "Shows its variables", "command": "env", "arguments": []}
ENVIRON = {
    "WERKZEUGKOPPLER_SERVICE_API_KEY": SERVICE_KEY,
    "WERKZEUGKOPPLER_UPSTREAM_API_KEY": UPSTREAM_KEY,
    "SOMEBODYS_KEY": UPSTREAM_KEY,
    "HARMLESS": "yes",
    "WERKZEUGKOPPLER_LOG_LEVEL": "DEBUG",
}
CALLS = (Call("actions__hello", id="call_h"), Call("actions__environment", id="call_e"))


@dataclass(frozen=True)
class Recording:
    """What two turns, one streamed and one plain, left behind."""

    legs: list[Recorded]
    transcript: Transcript
    answer: Answer
    flows: list[HTTPFlow]
    left: bytes
    """Every byte in files that the proxy wrote, but for its config."""

    def turn(self, number: int) -> list[HTTPFlow]:
        """The flows of the first or the second turn, as they were saved."""
        turns: dict[str, list[HTTPFlow]] = {}
        for flow in self.flows:
            if (link := flow.metadata.get("werkzeugkoppler")) and flow.request.path != "/healthz":
                turns.setdefault(link["turn"], []).append(flow)
        turns = {turn: flows for turn, flows in turns.items() if len(flows) > 1}
        return list(turns.values())[number]

    def of(self, kind: str, number: int = 0) -> list[HTTPFlow]:
        """The flows of a kind in a turn."""
        return [flow for flow in self.turn(number) if flow.metadata["werkzeugkoppler"]["kind"] == kind]


@pytest.fixture(scope="module")
async def recording(
    shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Recording]:
    shared_upstream.reset()
    folder = tmp_path_factory.mktemp("recording")
    command = Command(arguments=["-w", "flows.mitm"], environ=ENVIRON)
    shared_upstream.script(calls(*CALLS, text="Let me see. "), says("Done."))
    shared_upstream.script(calls(*CALLS), Json(completion("Done, too.")))
    settings: dict[str, Any] = {"actions": [HELLO, ENVIRONMENT]}
    async with running(folder, shared_upstream.url, settings, command) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            client = Client(session, SERVICE_KEY)
            transcript, answer = await client.transcript(), await client.chat()
            await client.get("/v1/models")
            await Client(session, "sk-wrong-wzk-1234").chat()
    with (folder / "flows.mitm").open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    yield Recording(list(shared_upstream.chats), transcript, answer, flows, _left(folder))


def _left(folder: Path) -> bytes:
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "config.yaml"]
    return b"".join(file.read_bytes() for file in files)


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("number", [0, 1], ids=["streamed", "plain"])
async def test_a_turn_with_two_tools_is_five_flows(recording: Recording, number: int) -> None:
    links = [flow.metadata["werkzeugkoppler"] for flow in recording.turn(number)]
    assert sorted(link["kind"] for link in links) == ["client", "leg", "leg", "tool", "tool"]
    assert [link["leg"] for link in links if link["kind"] == "leg"] == [1, 2]
    assert all(flow.comment for flow in recording.turn(number))


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("number", [0, 1], ids=["streamed", "plain"])
async def test_a_legs_flow_is_what_was_sent_and_what_came_back(
    recording: Recording, shared_upstream: Upstream, number: int
) -> None:
    sent = [leg.body for leg in recording.legs[2 * number :][:2]]
    flows = recording.of("leg", number)
    assert [flow.request.raw_content for flow in flows] == sent
    assert all(flow.request.url.startswith(shared_upstream.url) for flow in flows)
    assert [flow.response.status_code for flow in flows if flow.response] == [200, 200]
    assert b"actions__hello" in (flows[0].response and flows[0].response.content or b"")
    assert b"Done" in (flows[1].response and flows[1].response.content or b"")


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("number", [0, 1], ids=["streamed", "plain"])
async def test_a_tools_flow_is_its_arguments_and_its_result(recording: Recording, number: int) -> None:
    flows = {flow.request.path: flow for flow in recording.of("tool", number)}
    assert flows.keys() == {"/hello", "/environment"}
    hello = flows["/hello"]
    assert (hello.request.method, hello.request.host, hello.request.text) == ("POST", "actions.tool", "{}")
    assert hello.response and hello.response.text == '{"ok": true, "result": ["hello"]}'


@pytest.mark.contract("BX-09")
async def test_a_clients_flow_is_what_it_sent_and_what_it_got(recording: Recording) -> None:
    (streamed,), (plain,) = recording.of("client", 0), recording.of("client", 1)
    for flow in (streamed, plain):
        assert (flow.request.method, flow.request.path) == ("POST", "/v1/chat/completions")
        assert b"Hello?" in (flow.request.content or b"")
    assert plain.response and plain.response.content == recording.answer.body
    assert streamed.response and (streamed.response.content or b"").endswith(b"data: [DONE]\n\n")
    assert b"Let me see. " in (streamed.response.content or b"")


@pytest.mark.contract("BX-09")
async def test_the_turns_name_is_the_one_that_the_client_was_told(recording: Recording) -> None:
    (flow,) = recording.of("client", 1)
    told = recording.answer.headers["X-Werkzeugkoppler-Trace-Id"]
    assert told == flow.metadata["werkzeugkoppler"]["turn"]


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize("key", [SERVICE_KEY, UPSTREAM_KEY], ids=["service", "upstream"])
async def test_no_key_is_left_anywhere(recording: Recording, key: str) -> None:
    """In no saved flow, no trace, no line of the log at its most talkative."""
    assert b"Done." in recording.left
    assert key.encode() not in recording.left


@pytest.mark.contract("BX-17")
async def test_no_key_is_in_a_childs_environment(recording: Recording) -> None:
    results = [leg.json["messages"][-1]["content"] for leg in recording.legs if len(leg.json["messages"]) > 1]
    assert len(results) == 2
    for shown in results:
        assert "HARMLESS=yes" in shown
        assert SERVICE_KEY not in shown and UPSTREAM_KEY not in shown
        assert "WERKZEUGKOPPLER_" not in shown


async def test_the_recorded_turns_went_well(recording: Recording) -> None:
    assert recording.transcript.text == "Let me see. Done."
    assert recording.legs[0].json["messages"] == question()["messages"]
    assert recording.answer.status == 200
