"""What the client sees of the legs' streams: one message from one server."""

import json
from typing import Any

import pytest

from tests.fakes.chunks import (
    CREATED,
    DONE,
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
from tests.turn.relaying import IDENTITY, Relayed, feed, new_answer, relay, stream
from tests.wire.splits import splits
from werkzeugkoppler.errors import UpstreamError

OURS = Call("server__add", '{"a": 1}', "call_ours")
OURS_2 = Call("server__sub", '{"b": 2}', "call_ours2")
THEIRS = Call("edit_file", '{"path": "x"}', "call_theirs")
DOUBLE_USAGE = {"prompt_tokens": 14, "completion_tokens": 4, "total_tokens": 18}

TEXT = stream(*text_chunks("Hel", "lö €"))
CALL = stream(*calls_chunks(OURS, text="Let me see. "))


# One leg


def test_a_stream_that_no_rule_touches_passes_byte_for_byte() -> None:
    assert relay(TEXT).shown == TEXT


def test_a_stream_passes_byte_for_byte_wherever_it_is_cut() -> None:
    for pieces in splits(TEXT):
        answer = new_answer()
        assert feed(answer, pieces) + answer.close() == TEXT


def test_odd_writing_survives() -> None:
    head = b'data:{"id" : "a","created":1.70e9, "model":"m","object":"chat.completion.chunk","x":{"y":1.0},'
    first = (
        head + b'"choices":[ {"index":0,"delta":{"role":"assistant","content":"\\u00e4"},"z":null}]}\r\n\r\n'
    )
    last = head + b'"choices":[{"delta":{},"index":0,"finish_reason":"stop"}]}\r\n\r\n'
    assert relay(first + last + b"data: [DONE]\r\n\r\n").shown == first + last + DONE


def test_comments_pass_and_keep_the_connection_alive() -> None:
    commented = b": ping\n\n" + TEXT
    assert relay(commented).shown == commented


@pytest.mark.parametrize(
    "garbage", [b"data: oops\n\n", b"data: [1]\n\n", b"data: 1\n\n", b"data: {\n\n", b"data: \xff\n\n"]
)
def test_garbage_between_the_chunks_is_passed_over(garbage: bytes) -> None:
    first, *rest = (event(piece) for piece in text_chunks("a"))
    assert relay(first + garbage + b"".join(rest) + DONE).shown == stream(*text_chunks("a"))


def test_nesting_without_end_is_garbage_too() -> None:
    answer = new_answer()
    assert feed(answer, [b"data: " + b"[" * 200_000 + b"\n\n"]) == b""


def test_what_follows_the_end_mark_is_not_shown() -> None:
    assert relay(TEXT + event(chunk({"content": "more"})) + DONE).shown == TEXT


def test_the_end_mark_is_known_as_soon_as_it_has_come() -> None:
    answer = new_answer()
    feed(answer, [stream(*text_chunks("a"), done=False)])
    assert not answer.is_done
    feed(answer, [b"data: [DONE] \n\n"])
    assert answer.is_done


def test_a_stream_without_an_end_mark_is_ended_by_its_finish() -> None:
    assert relay(stream(*text_chunks("a"), done=False)).shown == stream(*text_chunks("a"))


def test_a_stream_without_a_finish_gets_one() -> None:
    relayed = relay(stream(*text_chunks("a", usage=None)[:-1]))
    assert (relayed.text, relayed.finishes) == ("a", ["stop"])


@pytest.mark.parametrize(
    "broken", [b"", stream(*text_chunks("a")[:2], done=False), b"data: oops\n\n" + DONE, DONE, b": ping\n\n"]
)
def test_a_stream_that_breaks_off_is_the_upstreams_failure(broken: bytes) -> None:
    answer = new_answer()
    feed(answer, [broken])
    with pytest.raises(UpstreamError, match="ended before its answer was complete") as caught:
        answer.end_leg()
    assert caught.value.status == 502


def test_an_error_in_the_stream_is_told_as_the_upstream_tells_it() -> None:
    with pytest.raises(UpstreamError) as caught:
        relay(stream(chunk({"content": "a"}), {"error": {"message": "no memory", "code": 7}}))
    assert caught.value.error() == {"message": "no memory", "code": 7}


def test_an_error_that_is_null_is_none() -> None:
    chunks = [piece | {"error": None} for piece in text_chunks("a")]
    assert relay(stream(*chunks)).shown == stream(*chunks)


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter", "tool_calls"])
def test_the_reason_for_the_end_is_told(finish: str) -> None:
    assert relay(stream(*text_chunks("a", finish=finish))).finishes == [finish]


def test_a_finish_that_comes_twice_is_told_once() -> None:
    relayed = relay(stream(*text_chunks("a", usage=None), chunk({}, finish="stop")))
    assert relayed.finishes == ["stop"]


@pytest.mark.parametrize("delta", [{}, {"delta": None}, {"delta": "odd"}])
def test_a_finish_without_a_delta_gets_one(delta: dict[str, Any]) -> None:
    finish = chunk({}, finish="stop")
    del finish["choices"][0]["delta"]
    finish["choices"][0] |= delta
    relayed = relay(stream(chunk({"role": "assistant", "content": "a"}), finish))
    assert relayed.deltas == [{"role": "assistant", "content": "a"}, {}]
    assert relayed.finishes == ["stop"]


def test_an_empty_finish_reason_is_none() -> None:
    pieces = [chunk({"role": "assistant", "content": "a"}, finish=""), chunk({}, finish="stop")]
    assert relay(stream(*pieces)).finishes == ["stop"]


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content", "refusal", "vendor_thoughts"])
def test_deltas_of_every_name_reach_the_client(key: str) -> None:
    chunks = text_chunks("a")
    chunks.insert(1, chunk({key: "hm"}))
    assert relay(stream(*chunks)).shown == stream(*chunks)


# The role


def test_a_role_that_nobody_told_is_told_first() -> None:
    relayed = relay(
        stream(chunk({"content": "a"}), chunk({"role": None, "content": "b"}), chunk({}, finish="stop"))
    )
    assert relayed.deltas == [{"role": "assistant", "content": "a"}, {"role": None, "content": "b"}, {}]


def test_a_role_that_is_told_again_is_left_out() -> None:
    again = [chunk({"role": "assistant", "content": text}) for text in "abc"]
    relayed = relay(stream(*again, chunk({"role": "assistant"}, finish="stop")))
    assert [delta.get("role") for delta in relayed.deltas] == ["assistant", None, None, None]
    assert relayed.text == "abc"


# Choices and identity


@pytest.mark.parametrize("index", [{}, {"index": None}])
def test_a_choice_without_an_index_gets_one(index: dict[str, Any]) -> None:
    bare = chunk({"role": "assistant", "content": "a"}, finish="stop")
    del bare["choices"][0]["index"]
    bare["choices"][0] |= index
    assert [choice["index"] for choice in relay(stream(bare)).choices] == [0]


def test_only_the_first_choice_is_seen() -> None:
    other = chunk({"content": "other"}, finish="stop")
    other["choices"][0]["index"] = 1
    both = chunk({"content": "b"})
    both["choices"] += other["choices"]
    relayed = relay(
        stream(chunk({"role": "assistant", "content": "a"}), other, both, chunk({}, finish="stop"))
    )
    assert (relayed.text, relayed.finishes) == ("ab", ["stop"])
    assert {choice["index"] for choice in relayed.choices} == {0}


def test_a_stream_without_an_identity_gets_one() -> None:
    nameless = [{k: v for k, v in piece.items() if k not in IDENTITY} for piece in text_chunks("a")]
    assert all(piece | IDENTITY == piece for piece in relay(stream(*nameless)).chunks)


def test_the_first_chunk_names_the_stream() -> None:
    chunks = [chunk({"content": text}, id=text, model=text, created=n) for n, text in enumerate("abc", 1)]
    relayed = relay(stream(*chunks, chunk({}, finish="stop", id="d")))
    assert {(c["id"], c["model"], c["created"]) for c in relayed.chunks} == {("a", "a", 1)}


# Usage


def test_usage_is_hidden_from_a_client_that_did_not_ask() -> None:
    assert relay(TEXT, wants_usage=False).shown == stream(*text_chunks("Hel", "lö €", usage=None))


def test_usage_on_the_finish_chunk_is_hidden_from_a_client_that_did_not_ask() -> None:
    chunks = [*text_chunks("a", usage=None)[:-1], chunk({}, finish="stop", usage=USAGE)]
    relayed = relay(stream(*chunks), wants_usage=False)
    assert (relayed.usages, relayed.finishes) == ([], ["stop"])


def test_usage_on_the_finish_chunk_is_not_told_again() -> None:
    chunks = [*text_chunks("a", usage=None)[:-1], chunk({}, finish="stop", usage=USAGE)]
    assert relay(stream(*chunks)).shown == stream(*chunks)


def test_usage_that_grows_on_every_chunk_passes() -> None:
    chunks = [
        piece | {"usage": {"total_tokens": n}} for n, piece in enumerate(text_chunks("a", "b", usage=None))
    ]
    relayed = relay(stream(*chunks))
    assert relayed.shown == stream(*chunks)
    assert relayed.legs[0].usage == {"total_tokens": 3}


def test_a_usage_that_is_null_is_none() -> None:
    chunks = [piece | {"usage": None} for piece in text_chunks("a", usage=None)]
    relayed = relay(stream(*chunks, *text_chunks("a")[-1:]), wants_usage=False)
    assert relayed.shown == stream(*chunks)


def test_usage_that_came_before_the_finish_is_told_after_it() -> None:
    *pieces, finish, usage = text_chunks("a")
    relayed = relay(stream(*pieces, usage, finish))
    assert relayed.usages == [USAGE]
    assert relayed.chunks[-1]["choices"] == []


def test_nothing_is_told_of_a_usage_that_nobody_sent() -> None:
    assert relay(stream(*text_chunks("a", usage=None))).usages == []


# Calls


def test_a_clients_call_passes_byte_for_byte() -> None:
    call = stream(*calls_chunks(THEIRS))
    relayed = relay(call)
    assert relayed.shown == call
    assert relayed.legs[0].calls == ()


def test_nothing_is_seen_of_our_call() -> None:
    relayed = relay(CALL, TEXT)
    assert b"tool_calls" not in relayed.shown
    assert b"server__add" not in relayed.shown
    assert [call.arguments for call in relayed.legs[0].calls] == ['{"a": 1}']


def test_a_finish_of_stop_after_our_call_goes_on() -> None:
    relayed = relay(stream(*calls_chunks(OURS, finish="stop")), TEXT)
    assert (relayed.finishes, relayed.text) == (["stop"], "Hellö €")


def test_a_finish_of_stop_after_a_clients_call_says_tool_calls() -> None:
    assert relay(stream(*calls_chunks(THEIRS, finish="stop"))).finishes == ["tool_calls"]


def test_our_call_without_a_finish_is_run() -> None:
    relayed = relay(stream(*calls_chunks(OURS, usage=None)[:-1]), TEXT)
    assert [call.id for call in relayed.legs[0].calls] == ["call_ours"]


def test_a_clients_call_without_a_finish_says_tool_calls() -> None:
    assert relay(stream(*calls_chunks(THEIRS, usage=None)[:-1])).finishes == ["tool_calls"]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_our_call_that_was_cut_off_is_not_run(finish: str) -> None:
    relayed = relay(stream(*calls_chunks(OURS, finish=finish)))
    assert (relayed.legs[0].calls, relayed.finishes, relayed.calls) == ((), [finish], [])


def test_a_clients_call_that_was_cut_off_says_so() -> None:
    assert relay(stream(*calls_chunks(THEIRS, finish="length"))).finishes == ["length"]


@pytest.mark.parametrize("calls", [(OURS, THEIRS), (THEIRS, OURS)])
def test_of_mixed_calls_the_client_sees_its_own_and_the_turn_ends(calls: tuple[Call, ...]) -> None:
    relayed = relay(stream(*calls_chunks(*calls)))
    assert (relayed.legs[0].calls, relayed.finishes) == ((), ["tool_calls"])
    assert {call["index"] for call in relayed.calls} == {0}
    assert "".join(call["function"]["arguments"] for call in relayed.calls) == '{"path": "x"}'


def test_several_calls_of_the_client_are_numbered_without_holes() -> None:
    relayed = relay(stream(*calls_chunks(THEIRS, OURS, THEIRS._replace(id="call_3"))))
    assert [(call["index"], call["id"]) for call in relayed.calls if "id" in call] == [
        (0, "call_theirs"),
        (1, "call_3"),
    ]


def test_items_that_are_no_calls_are_left_out() -> None:
    odd = chunk({"role": "assistant", "tool_calls": ["odd", THEIRS.wire() | {"index": 0}]})
    relayed = relay(stream(odd, chunk({}, finish="tool_calls")))
    assert [call["id"] for call in relayed.calls] == ["call_theirs"]


def test_empty_tool_calls_pass() -> None:
    chunks = [chunk({"role": "assistant", "content": "a", "tool_calls": []}), chunk({}, finish="stop")]
    assert relay(stream(*chunks)).shown == stream(*chunks)


def test_a_call_is_shown_whole_once_its_name_has_come() -> None:
    parts = [
        {"index": 0, "id": "a", "function": {"arguments": '{"x"'}},
        {"index": 0, "function": {"name": "edit_file", "arguments": ":1"}},
        {"index": 0, "id": "a", "function": {"name": "edit_file", "arguments": "}"}},
    ]
    relayed = relay(
        stream(*(chunk({"tool_calls": [part]}) for part in parts), chunk({}, finish="tool_calls"))
    )
    assert relayed.calls == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "edit_file", "arguments": '{"x":1'}},
        {"index": 0, "function": {"arguments": "}"}},
    ]


def test_a_call_without_an_id_gets_one_that_stays() -> None:
    parts = [
        {"index": 0, "function": {"name": "edit_file", "arguments": "{"}},
        {"index": 0, "id": "late", "function": {"arguments": "}"}},
    ]
    relayed = relay(
        stream(*(chunk({"tool_calls": [part]}) for part in parts), chunk({}, finish="tool_calls"))
    )
    assert [call.get("id") for call in relayed.calls] == ["call_made1", None]
    assert relayed.legs[0].message["tool_calls"][0]["id"] == "call_made1"


def test_a_call_of_a_tool_that_takes_text_is_the_clients() -> None:
    parts = [
        {"index": 0, "id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** "}},
        {"index": 0, "custom": {"input": "End"}},
    ]
    chunks = [chunk({"role": "assistant", "content": None}), *(chunk({"tool_calls": [p]}) for p in parts)]
    custom = stream(*chunks, chunk({}, finish="tool_calls"))
    assert relay(custom).shown == custom


def test_a_call_of_a_tool_that_takes_text_ends_the_turn_beside_ours() -> None:
    custom = {"index": 1, "id": "c", "type": "custom", "custom": {"name": "patch", "input": "x"}}
    ours = OURS.wire() | {"index": 0}
    relayed = relay(stream(chunk({"tool_calls": [ours, custom]}), chunk({}, finish="tool_calls")))
    assert relayed.calls == [custom | {"index": 0}]
    assert (relayed.legs[0].calls, relayed.finishes) == ((), ["tool_calls"])


# Several legs


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
    assert second.message == {"role": "assistant", "content": "Hellö €"}


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
    assert (relayed.text, relayed.finishes) == ("Wait. Hellö €", ["stop"])
    assert relayed.usages == [DOUBLE_USAGE]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"error":"no"}'])
def test_a_body_that_is_no_completion_is_the_upstreams_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        new_answer().take_completion(body)


def test_every_chunk_comes_out_with_the_piece_that_completes_it() -> None:
    answer = new_answer()
    events = [event(piece) for piece in text_chunks("a", "b")]
    assert [feed(answer, [data]) for data in events] == events
