"""Completions and chunks are turned into each other."""

import json
from typing import Any

import pytest

from tests.fakes.chunks import USAGE, Call, calls_chunks, calls_completion, chunk, completion, text_chunks
from tests.wire.completed import chunks_of, from_chunks
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.wire.completion import (
    calls_of,
    first_choice,
    join_logprobs,
    parse_chunk,
    parse_completion,
    repairs_of,
    to_events,
)

ADD = Call("add", '{"x":1}', "call_a")
SUB = Call("sub", "{}", "call_b")


LONG = "9" * 6000


def test_a_number_that_is_too_long_is_none_in_a_completion_and_in_a_chunk() -> None:
    told = json.dumps(completion("Hi") | {"usage": {"prompt_tokens": 7, "completion_tokens": 0}})
    body = told.replace('"completion_tokens": 0', f'"completion_tokens": {LONG}')
    body = body.replace('"index": 0', f'"index": 0, "logprobs": {LONG}')
    read = parse_completion(body.encode())
    assert read.text == body and read.values["usage"] == {"prompt_tokens": 7, "completion_tokens": None}
    assert [event.data for event in to_events(read)]
    piece = parse_chunk(f'{{"choices": [], "usage": {{"prompt_tokens": 2, "x": {LONG}}}}}'.encode())
    assert piece == {"choices": [], "usage": {"prompt_tokens": 2, "x": None}}


@pytest.mark.parametrize(
    ("code", "status"), [(503, 503), (429, 429), ("503", 502), (True, 502), (200, 502), (None, 502)]
)
def test_an_error_in_place_of_a_completion_has_the_status_that_it_tells(code: Any, status: int) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_completion(json.dumps({"error": {"code": code, "message": "no"}}).encode())
    assert caught.value.status == status
    assert caught.value.can_retry == (status != 502)


def no_id() -> str:
    raise AssertionError("no id is needed")


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([{"index": 0, "n": 1}], 1),
        ([{"n": 1}], 1),
        ([{"index": None, "n": 1}], 1),
        ([{"index": 1, "n": 2}, {"index": 0, "n": 1}], 1),
        (["odd", {"index": 0, "n": 1}], 1),
        ([{"index": 1}], None),
        ([], None),
        (None, None),
        ({"index": 0}, None),
    ],
)
def test_the_first_choice_is_the_one_with_index_0(choices: Any, expected: int | None) -> None:
    choice = first_choice({"choices": choices})
    assert (choice and choice["n"]) == expected


@pytest.mark.parametrize("calls", [None, [], "odd", ["odd"]])
def test_calls_that_are_none_are_passed_over(calls: Any) -> None:
    assert calls_of({"tool_calls": calls}) == []


def test_a_call_that_stands_alone_is_one() -> None:
    assert calls_of({"tool_calls": ADD.wire()}) == [ADD.wire()]


@pytest.mark.parametrize(
    "whole",
    [completion("Hello"), calls_completion(ADD, SUB), calls_completion(ADD, text="Wait"), completion("")],
)
def test_a_completion_comes_back_from_its_chunks(whole: dict[str, Any]) -> None:
    back = from_chunks(chunks_of(whole), no_id)
    message = {k: v for k, v in whole["choices"][0]["message"].items() if v is not None}
    assert {k: v for k, v in back["choices"][0]["message"].items() if v is not None} == {
        k: v for k, v in message.items() if v != ""
    }
    assert back["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert {k: v for k, v in back.items() if k != "choices"} == {
        k: v for k, v in whole.items() if k != "choices"
    }


def test_a_completion_is_streamed_as_a_message_a_finish_and_its_usage() -> None:
    first, last, usage = chunks_of(completion("Hello", service_tier="flex"))
    assert first["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": "Hello", "refusal": None},
            "logprobs": None,
            "finish_reason": None,
        }
    ]
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert (usage["choices"], usage["usage"], usage["service_tier"]) == ([], USAGE, "flex")
    assert {c["object"] for c in (first, last, usage)} == {"chat.completion.chunk"}


def test_calls_are_numbered_whatever_the_completion_says() -> None:
    whole = calls_completion(ADD, SUB)
    for call in whole["choices"][0]["message"]["tool_calls"]:
        call["index"] = 0
    first, *_ = chunks_of(whole)
    assert [call["index"] for call in first["choices"][0]["delta"]["tool_calls"]] == [0, 1]


def test_a_completion_without_usage_has_no_usage_chunk() -> None:
    assert len(chunks_of(completion("Hello", usage=None))) == 2


def test_a_completion_without_a_reason_for_its_end_was_finished() -> None:
    whole = completion("Hello") | {"choices": [{"message": {"content": "Hello"}}]}
    assert chunks_of(whole)[1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_is_made_one_completion() -> None:
    assert from_chunks(text_chunks("Hel", "lo"), no_id) == completion("Hello") | {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        ]
    }


def test_streamed_calls_are_made_whole() -> None:
    back = from_chunks(calls_chunks(ADD, SUB), no_id)
    assert back["choices"][0]["message"]["tool_calls"] == [ADD.wire(), SUB.wire()]


def test_a_call_without_an_id_gets_one() -> None:
    back = from_chunks(calls_chunks(ADD._replace(id="")), lambda: "made")
    assert back["choices"][0]["message"]["tool_calls"][0]["id"] == "made"


def test_other_choices_are_left_out() -> None:
    other = chunk({"content": "other"})
    other["choices"][0]["index"] = 1
    back = from_chunks([*text_chunks("one"), other], no_id)
    assert back["choices"][0]["message"]["content"] == "one"


def test_azures_first_chunk_gives_no_identity() -> None:
    azure = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [1]}
    back = from_chunks([azure, *text_chunks("a", usage=None)], no_id)
    plain = from_chunks(text_chunks("a", usage=None), no_id)
    assert back == plain | {"prompt_filter_results": [1]}


def test_usage_on_the_finish_chunk_is_kept_though_a_null_follows() -> None:
    chunks = [chunk({}, finish="stop", usage=USAGE), chunk({}, usage=None)]
    assert from_chunks(chunks, no_id)["usage"] == USAGE


def test_a_body_is_read_as_it_was_written() -> None:
    body = json.dumps(completion("ä"), indent=1)
    assert parse_completion(body.encode()).text == body


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[]", b"null", b"[" * 200_000])
def test_a_body_that_is_no_object_is_the_upstreams_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="not a JSON object") as caught:
        parse_completion(body)
    assert (caught.value.status, caught.value.answer) == (502, None)


@pytest.mark.parametrize(
    ("body", "cause"),
    [(b"", Cause.INCOMPLETE), (b' {"id": "x', Cause.INCOMPLETE), (b"<html>", None), (b"[]", None)],
)
def test_a_body_that_broke_off_is_told_from_one_of_another_kind(body: bytes, cause: Cause | None) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_completion(body)
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    "body", [b"{}", b'{"choices":[]}', b'{"choices":[{"index":1}]}', b'{"choices":[{"message":"text"}]}']
)
def test_an_object_that_is_no_completion_is_the_upstreams_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError, match="not a chat completion") as caught:
        parse_completion(body)
    assert caught.value.answer is None


def test_an_error_in_place_of_a_completion_is_told_as_it_is() -> None:
    body = b'{"error": {"message": "no memory", "code": 7}}'
    with pytest.raises(UpstreamError) as caught:
        parse_completion(body)
    assert (caught.value.body(), caught.value.error()) == (body, {"message": "no memory", "code": 7})


def test_log_probabilities_of_a_stream_are_those_of_all_its_chunks() -> None:
    chunks = text_chunks("Hel", "lo", usage=None)
    for number, piece in enumerate(chunks):
        piece["choices"][0]["logprobs"] = {"content": [{"token": number}]} if number else None
    back = from_chunks(chunks, no_id)
    assert back["choices"][0]["logprobs"] == {"content": [{"token": n} for n in (1, 2, 3)]}


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (None, None, None),
        (None, {"content": [1]}, {"content": [1]}),
        ({"content": [1]}, None, {"content": [1]}),
        (
            {"content": [1], "refusal": None},
            {"content": [2], "refusal": [3]},
            {"content": [1, 2], "refusal": [3]},
        ),
        ({"content": None, "x": 1}, {"content": None}, {"content": None, "x": 1}),
    ],
)
def test_log_probabilities_are_joined_kind_by_kind(first: Any, second: Any, both: Any) -> None:
    assert join_logprobs(first, second) == both


def test_a_body_that_says_a_key_twice_is_read_as_others_would() -> None:
    body = b'{"choices":[{"message":{"content":"a"}}],"x":1,"x":NaN}'
    assert parse_completion(body).raw("x") == "NaN"


@pytest.mark.parametrize(
    ("whole", "repairs"),
    [
        (completion("Hello"), ()),
        (calls_completion(ADD, SUB), ()),
        (calls_completion(ADD, ADD._replace(id="")), ("a call had no id",)),
        (calls_completion(ADD, finish="stop"), ("finish_reason was stop after calls",)),
        (calls_completion(finish="tool_calls"), ("finish_reason was tool_calls without a call",)),
    ],
)
def test_what_has_to_be_mended_is_known_from_a_body(whole: dict[str, Any], repairs: tuple[str, ...]) -> None:
    assert repairs_of(json.dumps(whole).encode()) == repairs


@pytest.mark.parametrize("body", [b"", b"<html>tool_calls", b'{"tool_calls":[]}', b"\xfftool_calls"])
def test_in_what_is_no_completion_nothing_is_mended(body: bytes) -> None:
    assert repairs_of(body) == ()


def test_what_a_vendor_puts_beside_a_delta_is_kept() -> None:
    piece = chunk({"content": "a"}, finish="stop")
    piece["choices"][0] |= {"stop_reason": "eos", "token_ids": None}
    assert from_chunks([piece], no_id)["choices"][0]["stop_reason"] == "eos"
