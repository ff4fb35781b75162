"""What the upstream is asked, leg after leg."""

from typing import Any

import pytest

from tests.e2e.client import Client, question
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER
from tests.fakes.answers import Sse, calls, says
from tests.fakes.chunks import Call, chunk
from tests.fakes.upstream import Upstream

INIT = [{"role": "system", "content": "We are one.", "name": "house", "vendor": [1.0]}]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"init_messages": INIT, "actions": [HELLO]}


@pytest.mark.contract("WK-34", "WK-35")
@pytest.mark.parametrize("stream", [False, True])
async def test_init_messages_come_first_in_every_leg_and_once(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    await client.chat(stream=stream)
    for leg in upstream.chats:
        assert leg.json["messages"][:2] == [*INIT, *question()["messages"]]
        assert leg.json["messages"].count(INIT[0]) == 1


@pytest.mark.contract("WK-116", "BX-24")
@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_leg_goes_on_where_the_last_ended(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see."), says("Done."))
    await client.chat(stream=stream, temperature=0.5)
    first, second = (leg.json for leg in upstream.chats)
    *before, message, result = second["messages"]
    assert before == first["messages"]
    assert (message["content"], message["tool_calls"]) == ("Let me see.", [CALL_HELLO.wire()])
    assert (result["role"], result["tool_call_id"], result["name"]) == (
        "tool",
        CALL_HELLO.id,
        CALL_HELLO.name,
    )
    assert result["content"] == '{"ok": true, "result": ["hello"]}'
    assert (second["temperature"], second["tools"]) == (0.5, first["tools"])


@pytest.mark.contract("BX-24")
async def test_an_id_that_stands_twice_is_replaced(client: Client, upstream: Upstream) -> None:
    upstream.script(
        calls(Call("actions__hello", id="same"), Call("actions__hello", id="same")), says("Done.")
    )
    await client.transcript()
    *_, message, one, two = upstream.chats[1].json["messages"]
    ids = [call["id"] for call in message["tool_calls"]]
    assert ids[0] == "same" and ids[1] != "same"
    assert [one["tool_call_id"], two["tool_call_id"]] == ids


@pytest.mark.contract("WK-111", "WK-95")
async def test_our_tools_stand_behind_the_clients(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    await client.chat(tools=[WEATHER])
    tools = upstream.chats[0].json["tools"]
    assert tools[0] == WEATHER
    assert [tool["function"]["name"] for tool in tools[1:]] == ["actions__hello"]


@pytest.mark.contract("WK-111", "WK-118")
async def test_of_two_tools_with_one_name_the_clients_is_taken(client: Client, upstream: Upstream) -> None:
    theirs = {"type": "function", "function": {"name": "actions__hello", "parameters": {"type": "object"}}}
    upstream.script(calls(CALL_HELLO))
    (choice,) = (await client.chat(tools=[theirs])).json["choices"]
    names = [tool["function"]["name"] for tool in upstream.chats[0].json["tools"]]
    assert names == ["actions__hello"] and upstream.chats[0].json["tools"] == [theirs]
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.contract("WK-120")
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "actions__hello"}}])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_forced_choice_holds_until_a_tool_of_ours_ran(
    client: Client, upstream: Upstream, choice: Any, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    await client.chat(tool_choice=choice, stream=stream)
    assert [leg.json["tool_choice"] for leg in upstream.chats] == [choice, "auto"]


@pytest.mark.contract("WK-121")
@pytest.mark.parametrize("shared", [0, None])
async def test_calls_that_share_an_index_or_have_none_are_both_run(
    client: Client, upstream: Upstream, shared: int | None
) -> None:
    def delta(id: str) -> dict[str, Any]:
        call = Call("actions__hello", id=id).wire()
        return chunk({"tool_calls": [call if shared is None else call | {"index": shared}]})

    opening = chunk({"role": "assistant", "content": ""})
    upstream.script(Sse([opening, delta("one"), delta("two"), chunk({}, finish="stop")]), says("Done."))
    transcript = await client.transcript()
    assert (transcript.finishes, transcript.tool_calls) == (["stop"], [])
    results = upstream.chats[1].json["messages"][-2:]
    assert [result["tool_call_id"] for result in results] == ["one", "two"]


@pytest.mark.parametrize("stream", [False, True])
async def test_of_mixed_calls_only_the_clients_is_handed_over(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    theirs = Call("weather", '{"city": "Ulm"}', id="call_w")
    upstream.script(calls(CALL_HELLO, theirs))
    if stream:
        transcript = await client.transcript(tools=[WEATHER])
        names = [call["function"]["name"] for call in transcript.tool_calls if call.get("id")]
        assert (names, transcript.finishes) == (["weather"], ["tool_calls"])
        assert {call["index"] for call in transcript.tool_calls} == {0}
    else:
        (choice,) = (await client.chat(tools=[WEATHER])).json["choices"]
        assert (choice["message"]["tool_calls"], choice["finish_reason"]) == ([theirs.wire()], "tool_calls")
