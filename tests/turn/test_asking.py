"""A leg that failed is asked again where nobody has seen anything of it."""

import json
from typing import Any

import pytest

from tests.fakes.chunks import calls_chunks, calls_completion, chunk, completion, event
from tests.turn.test_engine import ADD, TEXT, Reply, Scripted, World, run, running, shown, world
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn.retry import Patience

AWAY = UpstreamError("away", status=503, cause=Cause.CONNECTION)
LOST = UpstreamError("lost", cause=Cause.INCOMPLETE)
NOTICE = "Connection to upstream LLM failed. Retrying "


def patient(retries: int = 2, **overrides: Any) -> dict[str, Any]:
    return {"patience": Patience(retries, 0.5, lambda: 0.0)} | overrides


async def reasoning(world: World, **overrides: Any) -> str:
    relayed = await shown(world, **patient(**overrides))
    return "".join(delta.get("reasoning_content") or "" for delta in relayed.deltas)


async def failure(world: World, **overrides: Any) -> tuple[list[bytes], UpstreamError]:
    items: list[bytes] = []
    with pytest.raises(UpstreamError) as caught:
        async for item in running(world, **patient(**overrides)):
            items.append(item)
    return items, caught.value


async def test_the_notices_are_closed_before_the_answer() -> None:
    three = world(AWAY, AWAY, TEXT)
    assert await reasoning(three) == f"{NOTICE}.\n"
    assert three.waits == [(1, 0.5), (1, 0.5)]


@pytest.mark.parametrize(
    "first", [b"", b": comment\n\n", Reply((LOST,)), Reply((b'{"id',), is_stream=False)], ids=str
)
async def test_an_answer_that_shows_nothing_and_breaks_off_is_asked_again(first: Scripted) -> None:
    assert "payload is not completed" in await reasoning(world(first, TEXT))


async def test_the_notices_are_closed_too_where_nothing_of_the_leg_is_shown() -> None:
    called = b"".join(map(event, calls_chunks(ADD)))
    assert await reasoning(world(called, AWAY, called, AWAY, TEXT)) == f"{NOTICE}\n{NOTICE}\n"


async def test_an_answer_that_was_seen_is_not_asked_again() -> None:
    one = world(Reply((event(chunk({"content": "a"})), LOST)))
    _, error = await failure(one)
    assert (error, len(one.asked)) == (LOST, 1)


async def test_the_last_failure_is_the_one_that_is_told() -> None:
    items, error = await failure(world(LOST, LOST, AWAY))
    assert error is AWAY
    assert json.loads(items[-1].removeprefix(b"data: "))["choices"][0]["delta"] == {"reasoning_content": "\n"}


async def test_a_refusal_is_told_at_once_and_nothing_before_it() -> None:
    no = UpstreamError("no", status=400)
    assert await failure(world(no), fails_in_words=True) == ([], no)


async def test_a_plain_turn_is_asked_again_in_silence() -> None:
    two = world(AWAY, completion("Done."))
    items = await run(two, **patient(plain=True))
    assert json.loads(items[-1])["choices"][0]["message"]["content"] == "Done."
    items, _ = await failure(world(AWAY), plain=True, retries=0)
    assert items == []


async def test_a_later_leg_is_asked_again_and_no_tool_is_run_twice() -> None:
    three = world(calls_completion(ADD, text="One. "), LOST, completion("Two."))
    items = await run(three, **patient(plain=True))
    assert json.loads(items[-1])["choices"][0]["message"]["content"] == "One. Two."
    assert three.called == [("call_1", 1)]
    assert three.asked[1] == three.asked[2]
    assert three.waits == [(2, 0.5)]


async def test_a_turn_that_fails_in_words_ends() -> None:
    relayed = await shown(world(AWAY), **patient(0, fails_in_words=True))
    assert (relayed.text, relayed.finishes) == (f"{AWAY.cause}. Retries exhausted.", ["stop"])


@pytest.mark.contract("BX-08")
async def test_calls_what_they_say_and_results_are_shown_where_that_is_wanted() -> None:
    two = world(event(calls_chunks(ADD)[0]) + b"".join(map(event, calls_chunks(ADD)[1:])), TEXT)
    told = await reasoning(two, shows_calls=True)
    assert told == (
        '\n\n==> tool call `{"name":"server__add","arguments":{"a":1}}`\n'
        "==> server__add: call_1 is under way\n"
        '\n==> tool result `"result of call_1"`\n\n'
    )
    two = world(event(calls_chunks(ADD)[0]) + b"".join(map(event, calls_chunks(ADD)[1:])), TEXT)
    assert await reasoning(two) == ""
