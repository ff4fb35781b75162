"""What clients that others wrote make of our answers.

Each asks one question in its own manner; where it offers a tool of its own, its own loop runs it.
"""

from typing import Any

import pytest

from tests.clients.driver import Driver
from tests.clients.environments import Client
from tests.e2e.declared import CALL_HELLO
from tests.fakes.answers import RESET, Json, Sse, calls, says
from tests.fakes.chunks import Call, text_chunks
from tests.fakes.upstream import Upstream

CALL_WEATHER = Call("weather", '{"city": "Ulm"}', "call_weather")
WEATHER_RESULT = {"role": "tool", "tool_call_id": "call_weather", "content": "rain in Ulm"}
WRONG_KEY = {"error": {"message": "wrong key", "type": "x", "code": "invalid_api_key"}}
NO_MEMORY = {"error": {"message": "out of memory", "type": "server_error", "code": "oom"}}

pytestmark = pytest.mark.usefixtures("proxy")
either_way = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


def report(*pieces: str, legs: int, called: bool = False) -> dict[str, Any]:
    """What a driver reports of answers that took so many requests to the model, each with `USAGE`."""
    return {
        "pieces": list(pieces),
        "cities": ["Ulm"] if called else [],
        "finishes": ["tool_calls", "stop"] if called else ["stop"],
        "prompt_tokens": 7 * legs,
        "completion_tokens": 2 * legs,
    }


def history(upstream: Upstream, leg: int) -> list[str]:
    """What the messages of a leg's request are: the tools that are called, or the role."""
    messages = upstream.chats[leg - 1].json["messages"]
    named = [" ".join(call["function"]["name"] for call in m.get("tool_calls") or ()) for m in messages]
    return [names or message["role"] for names, message in zip(named, messages, strict=True)]


@pytest.mark.contract("OW-01", "OW-53")
@either_way
async def test_an_answer_is_read(driver: Driver, upstream: Upstream, stream: bool) -> None:
    upstream.script(says("Hel", "lo."))
    pieces = ["Hel", "lo."] if stream else ["Hello."]
    assert await driver.ask(stream=stream) == report(*pieces, legs=1)


@pytest.mark.contract("BX-01", "BX-06")
@pytest.mark.parametrize("tools", [False, True], ids=["without tools", "with a tool"])
@either_way
async def test_a_tool_of_ours_is_not_seen(
    driver: Driver, upstream: Upstream, stream: bool, tools: bool
) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see. "), says("It ", "rains."))
    pieces = ["Let me see. ", "It ", "rains."] if stream else ["Let me see. It rains."]
    assert await driver.ask(stream=stream, tools=tools) == report(*pieces, legs=2)
    assert len(upstream.chats) == 2


@pytest.mark.contract("WK-118", "OW-55")
@either_way
async def test_a_tool_of_the_clients_is_run_by_it(driver: Driver, upstream: Upstream, stream: bool) -> None:
    upstream.script(calls(CALL_WEATHER, text="Let me see. "), says("It ", "rains."))
    pieces = ["Let me see. ", "It ", "rains."] if stream else ["Let me see. ", "It rains."]
    assert await driver.ask(stream=stream, tools=True) == report(*pieces, legs=2, called=True)
    assert upstream.chats[1].json["messages"][-1] == WEATHER_RESULT


@pytest.mark.contract("WK-118", "BX-03", "BX-04", "BX-06")
@either_way
async def test_tools_of_both_are_called_in_turn(driver: Driver, upstream: Upstream, stream: bool) -> None:
    """And the model finds what it has done in its history, whatever the client made of the answer."""
    ours = calls(CALL_HELLO, text="Let me see. ")
    upstream.script(ours, calls(CALL_WEATHER), calls(CALL_HELLO), says("It ", "rains."))
    pieces = ["Let me see. ", "It ", "rains."] if stream else ["Let me see. ", "It rains."]
    assert await driver.ask(stream=stream, tools=True) == report(*pieces, legs=4, called=True)
    assert history(upstream, 4) == [
        "user",
        "actions__hello",
        "tool",
        "weather",
        "tool",
        "actions__hello",
        "tool",
    ]
    assert upstream.chats[2].json["messages"][-1] == WEATHER_RESULT


@pytest.mark.contract("WK-118", "WK-119")
@either_way
async def test_tools_of_both_are_called_at_once(driver: Driver, upstream: Upstream, stream: bool) -> None:
    upstream.script(calls(CALL_HELLO, CALL_WEATHER, text="Let me see. "), says("It rains."))
    answer = await driver.ask(stream=stream, tools=True)
    assert answer == report("Let me see. ", "It rains.", legs=2, called=True)
    assert history(upstream, 2) == ["user", "actions__hello weather", "tool", "tool"]


@pytest.mark.contract("WK-131")
@either_way
async def test_what_our_tools_did_is_not_told_the_model_in_the_reasoning(
    driver: Driver, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO), calls(CALL_WEATHER), says("It rains."))
    await driver.ask(stream=stream, tools=True)
    assert "==> tool" not in upstream.chats[2].body.decode()


@pytest.mark.contract("WK-151")
@either_way
async def test_a_refusal_is_raised(driver: Driver, upstream: Upstream, other: Client, stream: bool) -> None:
    upstream.script(Json(WRONG_KEY, 401))
    answer = await driver.ask(stream=stream)
    assert other.errors.refused in answer["raised"] and "wrong key" in answer["message"]


@pytest.mark.contract("WK-151")
async def test_a_failure_in_the_second_leg_is_raised(
    driver: Driver, upstream: Upstream, other: Client
) -> None:
    """Once: `llm` repeats what failed with a 500, unless it is told that tools have run."""
    upstream.script(calls(CALL_HELLO), Json(NO_MEMORY, 500))
    answer = await driver.ask()
    assert other.errors.failed in answer["raised"] and "out of memory" in answer["message"]


@pytest.mark.contract("OW-50")
async def test_a_failure_in_the_second_leg_of_a_stream_is_raised(
    driver: Driver, upstream: Upstream, other: Client
) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see. "), Json(NO_MEMORY, 500))
    answer = await driver.ask(stream=True)
    assert other.errors.broken in answer["raised"] and "out of memory" in answer["message"]


@pytest.mark.contract("OW-50")
async def test_a_stream_that_breaks_off_is_raised(driver: Driver, upstream: Upstream, other: Client) -> None:
    upstream.script(Sse([*text_chunks("Hel")[:2], RESET]))
    answer = await driver.ask(stream=True)
    assert other.errors.broken in answer["raised"] and "broke off" in answer["message"]
