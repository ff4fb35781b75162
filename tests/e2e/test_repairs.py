"""Calls that real servers cut in odd ways are run, and what was repaired stands on the leg's flow."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, running
from tests.fakes.answers import Json, Sse, says
from tests.fakes.chunks import Call, calls_completion
from tests.fakes.upstream import Upstream
from tests.wire.shapes import SHAPES, Shape, chunks

ECHO: dict[str, Any] = {"name": "count", "description": "Counts", "command": "echo", "arguments": ["$n"]}
ECHO |= {"parameters": [{"name": "n", "type": "insecure_string", "description": "A number"}]}
COUNT = "actions__count"
SETTINGS: dict[str, Any] = {"actions": [HELLO, ECHO]}
OLLAMA = SHAPES["Ollama, one index"]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return SETTINGS


@pytest.mark.contract("BX-02", "WK-121")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_the_calls_that_were_meant_are_run(client: Client, upstream: Upstream, shape: Shape) -> None:
    upstream.script(Sse(chunks(shape, COUNT)), says("Done."))
    transcript = await client.transcript()
    assert (transcript.text, transcript.finishes, transcript.tool_calls) == ("Done.", ["stop"], [])
    message, *results = upstream.chats[1].json["messages"][1:]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == [a for _, a in shape.calls]
    assert [result["tool_call_id"] for result in results] == [call["id"] for call in message["tool_calls"]]
    ran = [json.loads(result["content"])["result"] for result in results]
    assert ran == [json.loads(arguments)["n"] for _, arguments in shape.calls]


@pytest.mark.contract("BX-02")
@pytest.mark.parametrize("name", ["Ollama, one index", "Gemini", "LM Studio", "Mistral, the id a word"])
async def test_openais_client_understands_the_calls_that_it_is_handed(
    sdk: Any, upstream: Upstream, name: str
) -> None:
    upstream.script(Sse(chunks(SHAPES[name], "weather")))
    asked = {"model": "m", "messages": [{"role": "user", "content": "?"}], "tools": [WEATHER]}
    async with sdk.chat.completions.stream(**asked) as stream:
        (choice,) = (await stream.get_final_completion()).choices
    told = [call.function.arguments for call in choice.message.tool_calls]
    assert (told, choice.finish_reason) == ([text for _, text in SHAPES[name].calls], "tool_calls")


@pytest.mark.contract("BX-24")
async def test_two_calls_with_one_id_are_told_apart(client: Client, upstream: Upstream) -> None:
    upstream.script(Json(calls_completion(CALL_HELLO, CALL_HELLO)), says("Done."))
    assert (await client.chat()).status == 200
    message, *results = upstream.chats[1].json["messages"][1:]
    ids = [call["id"] for call in message["tool_calls"]]
    assert ids[0] == CALL_HELLO.id != ids[1]
    assert [result["tool_call_id"] for result in results] == ids


@pytest.fixture(scope="module")
async def recorded(
    shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[HTTPFlow]]:
    """The legs of three turns as they were saved: streamed, plain, and one that nothing is wrong with."""
    shared_upstream.reset()
    odd = {"id": "a", "function": {"name": COUNT, "arguments": {"n": 1}}}
    plain = calls_completion(Call(COUNT))
    plain["choices"][0]["message"]["tool_calls"] = [odd]
    shared_upstream.script(Sse(chunks(OLLAMA, COUNT)), says("Done."), Json(plain), says("Done."), says("Hi."))
    folder = tmp_path_factory.mktemp("repairs")
    async with running(folder, shared_upstream.url, SETTINGS, Command(arguments=["-w", "x.flows"])) as proxy:
        await _talk(proxy)
    yield [flow for flow in _saved(folder / "x.flows") if flow.metadata["werkzeugkoppler"]["kind"] == "leg"]


async def _talk(proxy: Proxy) -> None:
    async with aiohttp.ClientSession(proxy.url) as session:
        client = Client(session, SERVICE_KEY)
        assert (await client.transcript()).text == "Done."
        assert (await client.chat()).status == 200
        assert (await client.transcript()).text == "Hi."


def _saved(path: Path) -> list[HTTPFlow]:
    with path.open("rb") as file:
        return [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]


@pytest.mark.contract("BX-02")
@pytest.mark.parametrize(
    ("leg", "repair"),
    [(0, "calls shared an index"), (2, "arguments were no text")],
    ids=["streamed", "plain"],
)
async def test_a_saved_leg_tells_what_was_repaired(recorded: list[HTTPFlow], leg: int, repair: str) -> None:
    flow = recorded[leg]
    assert flow.metadata["werkzeugkoppler"]["repairs"] == [repair]
    assert flow.comment.startswith("leg 1 · ") and f" · repaired: {repair} · turn " in flow.comment


@pytest.mark.contract("BX-02")
async def test_a_leg_that_needed_no_repair_tells_of_none(recorded: list[HTTPFlow]) -> None:
    sound = [recorded[n] for n in (1, 3, 4)]
    assert all("repair" not in flow.comment for flow in sound)
    assert all("repairs" not in flow.metadata["werkzeugkoppler"] for flow in sound)
