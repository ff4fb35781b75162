"""The legs of a turn are shown as one message from one server, streamed by the upstream or not."""

import json
from typing import Any

import pytest

from tests.fakes.chunks import (
    CREATED,
    ID,
    MODEL,
    USAGE,
    Call,
    calls_chunks,
    calls_completion,
    chunk,
    completion,
    event,
    text_chunks,
)
from tests.turn.relaying import Relayed, feed, new_answer, relay, stream
from werkzeugkoppler.errors import UpstreamError

OURS = Call("server__add", '{"a": 1}', "call_ours")
OURS_2 = Call("server__sub", '{"b": 2}', "call_ours2")
THEIRS = Call("edit_file", '{"path": "x"}', "call_theirs")
DOUBLE_USAGE = {key: 2 * tokens for key, tokens in USAGE.items()}

TEXT = stream(*text_chunks("Done."))
CALL = stream(*calls_chunks(OURS, text="Let me see. "))


def three_legs(**overrides: Any) -> Relayed:
    return relay(
        stream(*calls_chunks(OURS, text="One. ", id="a", model="m-a", created=1)),
        stream(*calls_chunks(OURS_2, text="Two. ", id="b", model="m-b", created=2)),
        stream(*text_chunks("Three.", id="c", model="m-c", created=3)),
        **overrides,
    )


def test_the_legs_are_one_message() -> None:
    relayed = three_legs()
    assert relayed.text == "One. Two. Three."
    assert [delta["role"] for delta in relayed.deltas if "role" in delta] == ["assistant"]
    assert relayed.finishes == ["stop"]
    assert {(c["id"], c["model"], c["created"]) for c in relayed.chunks} == {("a", "m-a", 1)}


def test_usage_is_the_sum_of_the_legs() -> None:
    relayed = three_legs()
    assert relayed.usages == [{key: 3 * tokens for key, tokens in USAGE.items()}]
    assert [leg.usage for leg in relayed.legs] == [USAGE] * 3


def test_usage_of_several_legs_is_hidden_from_a_client_that_did_not_ask() -> None:
    assert three_legs(wants_usage=False).usages == []


@pytest.mark.parametrize("with_call", [True, False])
def test_usage_on_finish_chunks_is_told_once_as_a_sum(with_call: bool) -> None:
    call = [*calls_chunks(OURS, usage=None)[:-1], chunk({}, finish="tool_calls", usage=USAGE)]
    if with_call:
        whole = OURS.wire() | {"index": 0}
        call = [chunk({"role": "assistant", "tool_calls": [whole]}, finish="tool_calls", usage=USAGE)]
    text = [*text_chunks("a", usage=None)[:-1], chunk({}, finish="stop", usage=USAGE)]
    assert relay(stream(*call), stream(*text)).usages == [DOUBLE_USAGE]


def test_usage_of_the_first_leg_is_told_though_the_last_has_none() -> None:
    assert relay(CALL, stream(*text_chunks("a", usage=None))).usages == [USAGE]


def test_text_of_an_early_leg_is_seen_before_the_leg_ends() -> None:
    answer = new_answer()
    assert b"Let me see. " in feed(answer, [event(chunk({"role": "assistant", "content": "Let me see. "}))])


def test_each_leg_has_the_message_for_the_upstream() -> None:
    first, second = relay(CALL, TEXT).legs
    assert first.message == {
        "role": "assistant",
        "content": "Let me see. ",
        "tool_calls": [OURS.wire()],
    }
    assert second.message == {"role": "assistant", "content": "Done."}


def test_a_clients_call_in_a_late_leg_is_its_first() -> None:
    relayed = relay(CALL, stream(*calls_chunks(THEIRS, id="other")))
    assert [(call["index"], call["id"]) for call in relayed.calls if "id" in call] == [(0, "call_theirs")]
    assert relayed.finishes == ["tool_calls"]


def test_parallel_calls_of_ours_are_all_run() -> None:
    relayed = relay(stream(*calls_chunks(OURS, OURS_2)), TEXT)
    assert [(call.id, call.name) for call in relayed.legs[0].calls] == [
        ("call_ours", "server__add"),
        ("call_ours2", "server__sub"),
    ]


# A completion in place of a stream


def test_a_completion_is_shown_as_a_stream() -> None:
    answer = new_answer()
    shown = answer.take_completion(json.dumps(completion("Hello")).encode())
    leg = answer.end_leg()
    relayed = Relayed(shown + answer.close(), (leg,))
    assert (relayed.text, relayed.finishes, relayed.usages) == ("Hello", ["stop"], [USAGE])
    assert {(c["id"], c["model"], c["created"]) for c in relayed.chunks} == {(ID, MODEL, CREATED)}


def test_a_completion_with_our_call_goes_on() -> None:
    answer = new_answer()
    shown = answer.take_completion(json.dumps(calls_completion(OURS, text="Wait. ")).encode())
    leg = answer.end_leg()
    assert [call.id for call in leg.calls] == ["call_ours"]
    shown += feed(answer, [TEXT])
    answer.end_leg()
    relayed = Relayed(shown + answer.close(), ())
    assert (relayed.text, relayed.finishes) == ("Wait. Done.", ["stop"])
    assert relayed.usages == [DOUBLE_USAGE]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"error":"no"}'])
def test_a_body_that_is_no_completion_is_the_upstreams_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        new_answer().take_completion(body)
