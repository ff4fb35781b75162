"""The upstream is asked until it answers without a call of ours."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from tests.fakes.chunks import (
    DONE,
    Call,
    calls_chunks,
    calls_completion,
    chunk,
    completion,
    event,
    text_chunks,
)
from tests.oracle import Complete, judge
from tests.turn.relaying import IDENTITY, Relayed, is_ours, new_answer, stream
from werkzeugkoppler.errors import DO_NOT_RETRY, ApiError, UpstreamError
from werkzeugkoppler.turn import asking, engine
from werkzeugkoppler.turn.calling import Tell
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.prompt import Draft, compose
from werkzeugkoppler.turn.retry import Patience
from werkzeugkoppler.wire import sse
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.chat import parse_request

ADD = Call("server__add", '{"a": 1}', "call_1")
TEXT = stream(*text_chunks("Done."))


@dataclass(frozen=True)
class Reply:
    """An upstream's answer from a list of pieces; an exception among them is raised."""

    script: tuple[bytes | Exception, ...]
    is_stream: bool = True

    @property
    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in self.script:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@dataclass
class World:
    """What the engine asks and calls, scripted; notes what it did."""

    replies: list[Reply | UpstreamError]
    call: Callable[[ToolCall], Awaitable[str]]
    asked: list[dict[str, Any]] = field(default_factory=list)
    called: list[tuple[str, int]] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    open_replies: int = 0
    waits: list[tuple[int, float]] = field(default_factory=list)
    ends: list[tuple[Draft, Leg]] = field(default_factory=list)

    @asynccontextmanager
    async def ask(self, body: bytes, number: int) -> AsyncIterator[asking.Reply]:
        self.asked.append(json.loads(body))
        reply = self.replies[len(self.asked) - 1]
        if isinstance(reply, UpstreamError):
            raise reply
        self.open_replies += 1
        try:
            yield reply
        finally:
            self.open_replies -= 1

    async def wait(self, number: int, error: UpstreamError, seconds: float) -> None:
        self.waits.append((number, seconds))

    async def call_tool(self, call: ToolCall, number: int, tell: Tell) -> str:
        assert self.open_replies == 0
        tell(f"{call.id} is under way")
        self.called.append((call.id, number))
        return await self.call(call)

    async def pause(self, ended: anyio.Event) -> None:
        await ended.wait()

    async def note_leg(self, number: int, leg: Leg) -> None:
        self.legs.append(leg)
        assert len(self.legs) == number

    def note_end(self, draft: Draft, leg: Leg) -> None:
        self.ends.append((draft, leg))


async def result_of(call: ToolCall) -> str:
    return f"result of {call.id}"


type Scripted = bytes | dict[str, Any] | Reply | UpstreamError
"""A stream's bytes, a completion, a reply as it is, or a refusal."""


def world(*answers: Scripted, call: Callable[[ToolCall], Awaitable[str]] = result_of) -> World:
    """A world whose upstream gives these answers."""
    return World([_reply(answer) for answer in answers], call)


def _reply(answer: Scripted) -> Reply | UpstreamError:
    match answer:
        case bytes():
            return Reply((answer,))
        case dict():
            return Reply((json.dumps(answer).encode(),), is_stream=False)
        case _:
            return answer


def running(world: World, **overrides: Any) -> AsyncGenerator[bytes]:
    plain = overrides.pop("plain", False)
    request = {"model": "m", "messages": [{"role": "user", "content": "hello"}]} | overrides.pop(
        "request", {}
    )
    settings: dict[str, Any] = {
        "max_tool_loops": 5,
        "max_tool_concurrency": 4,
        "patience": Patience(0, 1.0, lambda: 0.0),
        "refusal": lambda: None,
        "shows_calls": False,
        "fails_in_words": False,
    } | overrides
    draft = compose(
        parse_request(json.dumps(request).encode()), init_messages=(), merge_system=False, tools=(), model="m"
    )
    answer: asking.Answer = (
        PlainAnswer(is_ours=is_ours, identity=IDENTITY, new_id=str) if plain else new_answer()
    )
    turn = engine.Turn(draft, answer, note_leg=world.note_leg, note_end=world.note_end, **settings)
    return engine.run(turn, ask=world.ask, wait=world.wait, call_tool=world.call_tool, pause=world.pause)


async def run(world: World, **overrides: Any) -> list[bytes]:
    with anyio.fail_after(5):
        return [item async for item in running(world, **overrides)]


async def shown(world: World, **overrides: Any) -> Relayed:
    return Relayed(b"".join(await run(world, **overrides)), tuple(world.legs))


async def seen_until_failure(world: World) -> tuple[bytes, ApiError]:
    seen = b""
    with anyio.fail_after(5), pytest.raises(ApiError) as caught:
        async for item in running(world):
            seen += item
    return seen, caught.value


async def test_an_answer_without_calls_ends_the_turn() -> None:
    assert await run(world(TEXT)) == [b"", TEXT.removesuffix(DONE), DONE]


async def test_the_first_item_says_that_the_upstream_accepted() -> None:
    turn = running(world(TEXT))
    assert await anext(turn) == b""


async def test_an_upstream_that_refuses_is_heard_before_the_first_item() -> None:
    seen, error = await seen_until_failure(world(UpstreamError("busy", status=429)))
    assert (seen, error.status) == (b"", 429)


async def test_our_calls_are_run_and_the_upstream_is_asked_again() -> None:
    two = world(stream(*calls_chunks(ADD)), TEXT)
    relayed = await shown(two)
    assert (relayed.text, relayed.finishes, relayed.calls) == ("Done.", ["stop"], [])
    assert two.called == [("call_1", 1)]
    assert two.asked[1]["messages"][1:] == [
        {"role": "assistant", "content": None, "tool_calls": [ADD.wire()]},
        {"role": "tool", "tool_call_id": "call_1", "name": "server__add", "content": "result of call_1"},
    ]


async def test_each_leg_that_ended_is_noted() -> None:
    two = world(stream(*calls_chunks(ADD)), TEXT)
    await run(two)
    assert [leg.finish_reason for leg in two.legs] == ["tool_calls", "stop"]


async def test_a_plain_answer_comes_the_same_way() -> None:
    items = await run(world(calls_completion(ADD, text="One. "), completion("Two.")), plain=True)
    assert not any(items[:-1])
    assert json.loads(items[-1])["choices"][0]["message"]["content"] == "One. Two."


async def test_a_completion_in_pieces_is_read_whole() -> None:
    body = json.dumps(completion("Hello")).encode()
    assert (await shown(world(Reply((body[:9], body[9:]), is_stream=False)))).text == "Hello"


async def test_a_clients_call_ends_the_turn() -> None:
    one = world(stream(*calls_chunks(ADD._replace(name="edit_file"))))
    assert (await shown(one)).finishes == ["tool_calls"]
    assert one.called == []


async def test_a_forced_choice_is_free_after_our_call() -> None:
    two = world(stream(*calls_chunks(ADD)), TEXT)
    await run(two, request={"tool_choice": "required"})
    assert [body["tool_choice"] for body in two.asked] == ["required", "auto"]


@pytest.mark.parametrize("limit", [0, 2])
async def test_the_rounds_of_tools_are_bounded(limit: int) -> None:
    endless = world(*[stream(*calls_chunks(ADD))] * 9)
    with pytest.raises(ApiError, match=f"after {limit} rounds") as caught:
        await run(endless, max_tool_loops=limit)
    assert caught.value.code == "max_tool_loops_exceeded"
    assert caught.value.headers == DO_NOT_RETRY
    assert (len(endless.asked), len(endless.called)) == (limit + 1, limit)


async def test_as_many_rounds_as_are_allowed_are_run() -> None:
    assert (await shown(world(*[stream(*calls_chunks(ADD))] * 2, TEXT), max_tool_loops=2)).text == "Done."


async def test_calls_run_together_up_to_the_limit() -> None:
    begun: list[str] = []
    three_begun, go_on = anyio.Event(), anyio.Event()

    async def hold(call: ToolCall) -> str:
        begun.append(call.id)
        if len(begun) == 3:
            three_begun.set()
        await go_on.wait()
        return call.id

    wanted = [ADD._replace(id=f"call_{n}") for n in range(4)]
    two = world(stream(*calls_chunks(*wanted)), TEXT, call=hold)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: run(two, max_tool_concurrency=3))
            await three_begun.wait()
            await anyio.wait_all_tasks_blocked()
            assert len(begun) == 3
            go_on.set()
    assert len(begun) == 4


async def test_results_stand_in_the_order_of_the_calls() -> None:
    second_ran = anyio.Event()

    async def second_first(call: ToolCall) -> str:
        if call.id == "call_1":
            await second_ran.wait()
        second_ran.set()
        return call.id

    two = world(stream(*calls_chunks(ADD, ADD._replace(id="call_2"))), TEXT, call=second_first)
    await run(two)
    assert [m["content"] for m in two.asked[1]["messages"][2:]] == ["call_1", "call_2"]


async def test_what_came_before_a_failure_is_shown() -> None:
    chunks = stream(*text_chunks("Hel", "lo")[:2], {"error": {"message": "no memory"}}, done=False)
    seen, error = await seen_until_failure(world(chunks))
    assert seen == stream(*text_chunks("Hel", "lo")[:2], done=False)
    assert error.error() == {"message": "no memory"}


async def test_an_upstream_that_breaks_off_is_heard_after_what_came() -> None:
    first = event(chunk({"role": "assistant", "content": "a"}))
    seen, error = await seen_until_failure(world(Reply((first, UpstreamError("lost")))))
    assert (seen, error.message) == (first, "lost")


async def test_a_stream_that_ends_in_the_middle_is_a_failure() -> None:
    first = event(chunk({"role": "assistant", "content": "a"}))
    seen, error = await seen_until_failure(world(first))
    assert seen == first
    assert "ended before" in error.message


async def test_an_event_without_end_is_the_upstreams_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 16)
    _, error = await seen_until_failure(world(b"data: " + b"x" * 20))
    assert (error.status, "cannot be read" in error.message) == (502, True)


async def test_a_last_event_without_a_blank_line_counts() -> None:
    assert (await shown(world(TEXT.removesuffix(DONE) + b"data: [DONE]"))).text == "Done."


async def test_nothing_is_waited_for_after_the_end_mark() -> None:
    assert (await shown(world(Reply((TEXT, AssertionError("read on")))))).text == "Done."


async def test_pieces_that_show_nothing_yield_nothing() -> None:
    items = await run(world(Reply((TEXT[:5], TEXT[5:]))))
    assert items == [b"", TEXT.removesuffix(DONE), DONE]


async def test_a_turn_that_is_left_closes_its_leg() -> None:
    one = world(Reply((event(chunk({"content": "a"})), AssertionError("read on"))))
    turn = running(one)
    async with aclosing(turn):
        assert await anext(turn) == b""
        assert b'"a"' in await anext(turn)
        assert one.open_replies == 1
    assert one.open_replies == 0


@pytest.mark.parametrize(("answers", "headers"), [([], ()), ([calls_completion(ADD)], DO_NOT_RETRY)])
async def test_a_client_is_told_not_to_repeat_what_has_run_tools(
    answers: list[dict[str, Any]], headers: Any
) -> None:
    failing = world(*answers, UpstreamError("away", status=503))
    with pytest.raises(UpstreamError) as caught:
        await run(failing, plain=True)
    assert caught.value.headers == headers


@pytest.mark.contract("OW-60")
@pytest.mark.parametrize("plain", [False, True])
async def test_a_refusal_is_the_end_of_the_answer_and_the_model_is_not_asked_again(plain: bool) -> None:
    # What the first leg said stands before it; a client joins the deltas.
    asked = (
        calls_completion(ADD, text="Let me see.") if plain else stream(*calls_chunks(ADD, text="Let me see."))
    )
    one = world(asked)
    said = b"".join(await run(one, plain=plain, refusal=lambda: "Denied."))
    judged = judge(200, "application/json" if plain else "text/event-stream", said)
    assert isinstance(judged, Complete)
    assert (judged.text, judged.finish) == ("Let me see.\n\nDenied.", "content_filter")
    assert (len(one.asked), one.called) == (1, [("call_1", 1)])
    ((last, leg),) = one.ends
    assert leg.message == {"role": "assistant", "content": "Denied."}
    assert [json.loads(message)["role"] for message in last.messages] == ["user", "assistant", "tool"]


@pytest.mark.contract("OW-60")
async def test_a_refusal_does_not_take_the_clients_own_call_away() -> None:
    mixed = world(stream(*calls_chunks(ADD, Call("theirs", "{}", "call_2"))))
    said = await shown(mixed, refusal=lambda: "Denied.")
    assert said.finishes == ["tool_calls"] and said.text == ""
