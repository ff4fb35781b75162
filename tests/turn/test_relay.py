"""What the client sees of one leg's stream: what no rule touches passes as it came."""

from typing import Any

import pytest

from tests.fakes.chunks import DONE, USAGE, Call, chunk, event, text_chunks
from tests.turn.relaying import IDENTITY, feed, new_answer, relay, stream
from tests.wire.splits import splits
from werkzeugkoppler.errors import UpstreamError

TEXT = stream(*text_chunks("Hel", "lö €"))


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


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter", "function_call"])
def test_the_reason_for_the_end_is_told(finish: str) -> None:
    assert relay(stream(*text_chunks("a", finish=finish))).finishes == [finish]


def test_a_finish_for_calls_of_which_there_are_none_is_a_stop() -> None:
    relayed = relay(stream(*text_chunks("a", finish="tool_calls")))
    assert relayed.finishes == ["stop"]
    assert relayed.legs[0].repairs == ("finish_reason was tool_calls without a call",)


def test_a_finish_that_comes_twice_is_told_once() -> None:
    relayed = relay(stream(*text_chunks("a", usage=None), chunk({}, finish="stop")))
    assert relayed.finishes == ["stop"]


def test_a_call_that_comes_after_another_finish_is_not_shown() -> None:
    late = chunk({"tool_calls": [Call("edit").wire() | {"index": 0}]})
    relayed = relay(stream(*text_chunks("a", usage=None), late))
    assert relayed.shown == stream(*text_chunks("a", usage=None))


def test_a_call_that_comes_after_the_finish_of_another_is_shown() -> None:
    calls = [{"tool_calls": [Call("edit", id=f"call_{n}").wire() | {"index": n}]} for n in range(2)]
    relayed = relay(stream(*(chunk(delta, finish="tool_calls") for delta in calls)))
    assert [call["id"] for call in relayed.calls] == ["call_0", "call_1"]
    assert relayed.finishes == ["tool_calls"]


def test_a_note_without_a_text_passes_after_the_finish() -> None:
    """As Azure's about content filters, which run beside the model:
    https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming"""
    note = chunk({}) | {
        "choices": [{"index": 0, "delta": {}, "finish_reason": None, "content_filter_results": {}}]
    }
    chunks = [*text_chunks("a", usage=None), note]
    assert relay(stream(*chunks)).shown == stream(*chunks)


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


def test_a_usage_that_comes_twice_is_told_once() -> None:
    relayed = relay(stream(*text_chunks("a"), *text_chunks("a")[-1:]))
    assert relayed.shown == stream(*text_chunks("a"))


def test_nothing_is_told_of_a_usage_that_nobody_sent() -> None:
    assert relay(stream(*text_chunks("a", usage=None))).usages == []


def test_every_chunk_comes_out_with_the_piece_that_completes_it() -> None:
    answer = new_answer()
    events = [event(piece) for piece in text_chunks("a", "b")]
    assert [feed(answer, [data]) for data in events] == events
