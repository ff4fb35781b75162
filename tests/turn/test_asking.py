"""A leg that failed is asked again where nobody has seen anything of it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.fakes.chunks import calls_chunks, calls_completion, chunk, completion, event, text_chunks
from tests.turn.test_engine import ADD, TEXT, Reply, Scripted, World, run, running, shown, world
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn import asking
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


@pytest.mark.parametrize(
    "lost", [LOST, event({"error": {"code": 500}}), UpstreamError("silence", can_retry=False)], ids=str
)
async def test_what_breaks_after_the_finish_takes_nothing_from_the_answer(lost: bytes | Exception) -> None:
    finished = b"".join(map(event, text_chunks("Done.", usage=None)))
    relayed = await shown(world(Reply((finished, lost))))
    assert (relayed.text, relayed.finishes) == ("Done.", ["stop"])


async def test_calls_whose_finish_has_come_are_run_though_the_end_mark_is_lost() -> None:
    called = b"".join(map(event, calls_chunks(ADD)))
    two = world(Reply((called, LOST)), TEXT)
    assert (await shown(two)).text == "Done."
    assert two.called == [("call_1", 1)]


async def test_a_plain_answer_is_whole_with_its_finish_too() -> None:
    finished = b"".join(map(event, text_chunks("Done.")))
    one = world(Reply((finished, LOST)))
    (_, body) = await run(one, plain=True)
    assert json.loads(body)["choices"][0]["message"]["content"] == "Done."


@pytest.mark.parametrize("late", [event({"error": "late"}), UpstreamError("killed")], ids=str)
async def test_no_call_is_run_of_a_leg_that_failed_for_good_after_its_finish(late: bytes | Exception) -> None:
    called = b"".join(map(event, calls_chunks(ADD)))
    for plain in (False, True):
        one = world(Reply((called, late)))
        _, error = await failure(one, plain=plain)
        assert (error.cause, one.called) == (None, [])


async def test_a_finish_of_an_earlier_leg_ends_no_later_one() -> None:
    called = b"".join(map(event, calls_chunks(ADD)))
    for plain in (False, True):
        _, error = await failure(world(called, AWAY), plain=plain, retries=0)
        assert error is AWAY


@pytest.mark.parametrize(("code", "status", "asked"), [(503, 503, 2), (404, 404, 2), (400, 400, 1)])
@pytest.mark.parametrize("plain", [False, True])
async def test_an_error_that_a_success_brings_is_a_refusal_with_its_code(
    code: int, status: int, asked: int, plain: bool
) -> None:
    """OpenRouter tells what goes wrong after its 200 in an event: https://openrouter.ai/docs/errors"""
    refused = event({"error": {"code": code, "message": "no"}})
    some = world(refused, refused)
    _, error = await failure(some, plain=plain, retries=1)
    assert (error.status, error.error()["message"], len(some.asked)) == (status, "no", asked)


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


class Silent(Reply):
    """Says all, and then nothing more, with its connection open."""

    @property
    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in super().pieces:
            yield piece
        await anyio.sleep_forever()


async def test_after_a_finish_the_end_mark_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "AFTER_FINISH_SECONDS", 0.01)
    finished = b"".join(map(event, text_chunks("Done.", usage=None)))
    relayed = await shown(world(Silent((finished,))))
    assert (relayed.text, relayed.finishes) == ("Done.", ["stop"])
