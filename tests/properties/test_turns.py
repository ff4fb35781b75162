"""Whatever valid streams bring a turn, in whatever pieces, the client gets the one message that was meant."""

import anyio
from hypothesis import given
from hypothesis import strategies as st

from tests.endpoints.outlet import KeptOutlet
from tests.oracle import Complete, Failed, Verdict, judge, verdict
from tests.properties.meant import SIZES, Sent, legs, pieces, whole
from tests.turn.relaying import IDENTITY, feed, is_ours, new_answer
from tests.turn.test_engine import Reply, World, result_of, running
from werkzeugkoppler.endpoints.stream import write_stream
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.traces import begin
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.sse import SseEvent, SseReader

LOST = UpstreamError("lost", cause=Cause.INCOMPLETE)


def events(parts: list[bytes]) -> list[SseEvent]:
    reader = SseReader()
    return [event for part in parts for event in reader.feed(part)] + reader.close()


def relayed(turn: tuple[Sent, ...], sizes: list[int] | None) -> tuple[bytes, list[tuple[ToolCall, ...]]]:
    """The client's bytes, and the calls of each leg that are to be run."""
    answer = new_answer()
    shown, calls = b"", []
    for leg in turn:
        shown += feed(answer, pieces(leg.data, sizes) if sizes else [leg.data])
        calls.append(answer.end_leg().calls)
    return shown + answer.close(), calls


@given(legs(), SIZES)
def test_events_are_the_same_in_any_pieces(turn: tuple[Sent, ...], sizes: list[int]) -> None:
    for leg in turn:
        found = events(pieces(leg.data, sizes))
        assert found == events([leg.data])
        assert b"".join(event.raw for event in found) == leg.data


@given(legs(), SIZES)
def test_the_client_gets_the_message_that_was_meant_in_any_pieces(
    turn: tuple[Sent, ...], sizes: list[int]
) -> None:
    shown, calls = relayed(turn, sizes)
    assert (shown, calls) == relayed(turn, None)
    assert verdict(shown) == whole(turn)
    meant = [[(call.id, call.name, call.arguments) for call in leg.said.calls] for leg in turn[:-1]]
    assert [[(c.id, c.name, c.arguments) for c in leg] for leg in calls] == [*meant, []]


@given(legs())
def test_a_plain_answer_is_what_the_streamed_one_adds_up_to(turn: tuple[Sent, ...]) -> None:
    answer = PlainAnswer(is_ours=is_ours, identity=IDENTITY, new_id=str)
    for leg in turn:
        for event in events([leg.data]):
            answer.take(event)
        answer.end_leg()
    assert judge(200, "application/json", answer.close()) == whole(turn)


# With a fault


async def answered(turn: tuple[Sent, ...], last: Reply, *, plain: bool) -> Verdict:
    """What a turn comes to whose last leg is another."""
    world = World([*(Reply((leg.data,)) for leg in turn[:-1]), last], result_of)
    outlet = KeptOutlet()
    with anyio.fail_after(5):
        if not plain:
            await write_stream(outlet, running(world), keepalive_seconds=0, headers=(), trace=begin("t1"))
            return judge(outlet.status or 0, dict(outlet.headers)["content-type"], outlet.body)
        try:
            body = b"".join([item async for item in running(world, plain=True)])
        except UpstreamError as error:
            return judge(error.status, "application/json", error.body())
        return judge(200, "application/json", body)


@given(legs(), SIZES, st.data(), st.booleans())
async def test_a_stream_that_breaks_anywhere_is_whole_or_failed(
    turn: tuple[Sent, ...], sizes: list[int], data: st.DataObject, plain: bool
) -> None:
    last = turn[-1].data
    cut = data.draw(st.integers(0, len(last)))
    reply = Reply((*pieces(last[:cut], sizes), *data.draw(st.sampled_from([(), (LOST,)]))))
    told = await answered(turn, reply, plain=plain)
    meant = whole(turn)
    if isinstance(told, Failed):
        assert meant.text.startswith(told.text)
    else:
        assert (told.text, told.calls, told.finish) == (meant.text, meant.calls, meant.finish)


FAULTS = [
    b'data: {"error": {"message": "no", "code": 500}}',
    b"data: {",
    b"data: [DONE]",
    b"\xff\xfe\x00",
    b'data: {"choices": null}',
    b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}',
    b'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "more"}}]}',
    b'data: {"choices": [], "usage": {"total_tokens": 1}}',
    b'data: {"id": "other", "choices": [{"index": 3, "delta": {"content": "x"}, "finish_reason": "stop"}]}',
    b'error: {"message": "no"}',
]


@given(legs(), st.sampled_from(FAULTS), st.data(), st.booleans())
async def test_an_event_out_of_place_makes_no_answer_that_is_both_or_neither(
    turn: tuple[Sent, ...], fault: bytes, data: st.DataObject, plain: bool
) -> None:
    found = [event.raw for event in events([turn[-1].data])]
    at = data.draw(st.integers(0, len(found)))
    reply = Reply((*found[:at], fault + b"\n\n", *found[at:]))
    assert isinstance(await answered(turn, reply, plain=plain), Complete | Failed)


@given(legs(), st.data(), st.booleans())
async def test_an_event_that_comes_twice_or_never_makes_no_answer_that_is_both_or_neither(
    turn: tuple[Sent, ...], data: st.DataObject, plain: bool
) -> None:
    found = [event.raw for event in events([turn[-1].data])]
    at = data.draw(st.integers(0, len(found) - 1))
    again = data.draw(st.sampled_from([[], [found[at]] * 2]))
    reply = Reply((*found[:at], *again, *found[at + 1 :]))
    assert isinstance(await answered(turn, reply, plain=plain), Complete | Failed)
