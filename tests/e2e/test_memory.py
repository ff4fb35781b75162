"""What a conversation has to get back in its next request, over the real proxy."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import CHAT_PATH, Client
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import Proxy, running
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream
from werkzeugkoppler.wire.jsontext import JsonObject, array_items

CALL_WEATHER = Call("weather", '{"city": "Ulm"}', id="call_w")
NEXT = {"role": "user", "content": "And now?"}

type Messages = list[dict[str, Any]]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO]}


class Chat:
    """A client that keeps its history as the usual clients do."""

    def __init__(self, client: Client, text: str, *, stream: bool, **fields: Any) -> None:
        self.client = client
        self.stream = stream
        self.fields = fields
        self.history: Messages = [{"role": "user", "content": text}]

    async def ask(self, *messages: dict[str, Any]) -> dict[str, Any]:
        """Send the history with these messages after it; gives the answer, which is added to it."""
        self.history += messages
        body = {"model": "fake-model", "messages": self.history, "stream": self.stream} | self.fields
        if self.stream:
            async with self.client.open("POST", CHAT_PATH, body) as stream:
                answer = added_up((await stream.rest()).deltas)
        else:
            sent = await self.client.send("POST", CHAT_PATH, body)
            answer = {k: v for k, v in sent.json["choices"][0]["message"].items() if v}
        self.history.append(answer)
        return answer


def added_up(deltas: Messages) -> dict[str, Any]:
    """The message that a client makes of deltas."""
    made: list[dict[str, Any]] = []
    for call in [call for delta in deltas for call in delta.get("tool_calls", ())]:
        if call["index"] == len(made):
            made.append({"id": call["id"], "type": "function", "function": {**call["function"]}})
        else:
            made[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    text = "".join(delta.get("content") or "" for delta in deltas)
    return {"role": "assistant", "content": text} | ({"tool_calls": made} if made else {})


def written(upstream: Upstream, number: int) -> list[str]:
    """The messages of a request that the upstream got, from 0, each as it was written."""
    return array_items(JsonObject.parse(upstream.chats[number].body.decode()).raw("messages") or "")


def tools_called(upstream: Upstream, number: int) -> list[str]:
    """What the messages of a request are: roles, and the names of the calls among them."""
    messages = upstream.chats[number].json["messages"]
    return [
        "+".join([message["role"], *(call["function"]["name"] for call in message.get("tool_calls") or [])])
        for message in messages
    ]


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.contract("BX-04")
async def test_a_hidden_exchange_comes_back_byte_for_byte(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see. "), says("Done."), says("Yes."))
    chat = Chat(client, f"remember {stream}", stream=stream)
    assert (await chat.ask())["content"] == "Let me see. Done."
    await chat.ask(NEXT)
    assert tools_called(upstream, 2) == ["user", "assistant+actions__hello", "tool", "assistant", "user"]
    before, after = written(upstream, 1), written(upstream, 2)
    assert after[: len(before)] == before
    assert json.loads(after[3])["content"] == "Done."


@pytest.mark.contract("BX-04")
async def test_the_prefix_that_the_upstream_saw_only_ever_grows(
    client: Client, upstream: Upstream, proxy: Proxy, stream: bool
) -> None:
    chat = Chat(client, f"grow {stream}", stream=stream)
    for _ in range(3):
        upstream.script(calls(CALL_HELLO), calls(CALL_HELLO, text="Hm. "), says("Done."))
        await chat.ask(*([NEXT] if len(chat.history) > 1 else []))
    for number in range(8):
        before, after = written(upstream, number), written(upstream, number + 1)
        assert after[: len(before)] == before
    assert "tokens are read again" not in proxy.output


@pytest.mark.contract("BX-03", "WK-119")
async def test_of_mixed_calls_both_are_run_and_the_client_sees_its_own(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO, CALL_WEATHER), says("Sunny."))
    chat = Chat(client, f"mixed {stream}", stream=stream, tools=[WEATHER])
    answer = await chat.ask()
    assert answer["tool_calls"] == [CALL_WEATHER.wire()]
    result = {"role": "tool", "tool_call_id": "call_w", "content": "sun"}
    assert (await chat.ask(result))["content"] == "Sunny."
    assert tools_called(upstream, 1) == ["user", "assistant+actions__hello+weather", "tool", "tool"]
    ours, theirs = upstream.chats[1].json["messages"][2:]
    assert (ours["tool_call_id"], json.loads(ours["content"])["result"]) == (CALL_HELLO.id, ["hello"])
    assert theirs == result


@pytest.mark.contract("BX-03", "WK-119")
async def test_mixed_calls_after_calls_of_ours_come_back_all(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO, text="One. "), calls(CALL_WEATHER, CALL_HELLO, text="Two. "))
    upstream.script(calls(CALL_HELLO), says("Done."), says("Yes."))
    chat = Chat(client, f"mixed later {stream}", stream=stream, tools=[WEATHER])
    assert (await chat.ask())["content"] == "One. Two. "
    await chat.ask({"role": "tool", "tool_call_id": "call_w", "content": "sun"})
    await chat.ask(NEXT)
    hello, mixed = "assistant+actions__hello", "assistant+weather+actions__hello"
    first = ["user", hello, "tool", mixed, "tool", "tool"]
    assert tools_called(upstream, 2) == first
    assert tools_called(upstream, 4) == [*first, hello, "tool", "assistant", "user"]


async def test_a_finish_comes_after_our_call_has_been_run(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO, CALL_WEATHER))
    transcript = await client.transcript(tools=[WEATHER])
    assert transcript.finishes == ["tool_calls"]
    assert transcript.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert "==> tool result" in transcript.joined("reasoning_content")


@pytest.mark.contract("BX-03")
async def test_after_a_restart_a_mixed_turn_goes_on_without_them(
    shared_upstream: Upstream, upstream: Upstream, client: Client, tmp_path: Path
) -> None:
    upstream.script(calls(CALL_HELLO, CALL_WEATHER), says("Sunny."))
    chat = Chat(client, "restart", stream=True, tools=[WEATHER])
    await chat.ask()
    async with running(tmp_path, shared_upstream.url, {"actions": [HELLO]}) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            chat.client = Client(session, SERVICE_KEY)
            result = {"role": "tool", "tool_call_id": "call_w", "content": "sun"}
            assert (await chat.ask(result))["content"] == "Sunny."
    assert tools_called(upstream, 1) == ["user", "assistant+weather", "tool"]


@pytest.mark.contract("BX-04")
@pytest.mark.parametrize("change", ["trimmed", "edited question", "edited answer"])
async def test_nothing_is_put_into_a_history_that_was_changed(
    client: Client, upstream: Upstream, change: str
) -> None:
    upstream.script(calls(CALL_HELLO), says("First."), says("Second."), says("Third."))
    chat = Chat(client, f"changed: {change}", stream=False)
    await chat.ask()
    await chat.ask(NEXT)
    match change:
        case "trimmed":
            del chat.history[0]
        case "edited question":
            chat.history[0]["content"] += "!"
        case _:
            chat.history[1]["content"] += "!"
    await chat.ask(NEXT)
    assert "assistant+actions__hello" not in tools_called(upstream, 3)


@pytest.mark.contract("BX-14")
async def test_a_client_that_breaks_the_prefix_is_named(
    client: Client, upstream: Upstream, proxy: Proxy
) -> None:
    upstream.script(says("Hello."), says("Again."))
    chat = Chat(client, "break", stream=True)
    clock = {"role": "system", "content": "It is 10:01." + "x" * 4000}
    chat.history[:0] = [{"role": "system", "content": "Be brief."}, clock]
    await chat.ask()
    clock["content"] = "It is 10:02." + "x" * 4000
    await chat.ask(NEXT)
    told = "tokens are read again: the client changed message 2 of its history"
    await proxy.until_written(told)
