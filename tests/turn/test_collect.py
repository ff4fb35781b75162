"""The completions of all legs are made one plain answer."""

import json
from typing import Any

import pytest

from tests.fakes.chunks import (
    DONE,
    USAGE,
    Call,
    calls_chunks,
    calls_completion,
    chunk,
    completion,
    event,
    text_chunks,
)
from tests.turn.relaying import IDENTITY, is_ours
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.wire.sse import SseReader

OURS = Call("server__add", '{"a": 1}', "call_ours")
THEIRS = Call("edit_file", '{"path": "x"}', "call_theirs")
DOUBLE_USAGE = {"prompt_tokens": 14, "completion_tokens": 4, "total_tokens": 18}


def new_answer() -> PlainAnswer:
    return PlainAnswer(is_ours=is_ours, identity=IDENTITY, new_id=lambda: "call_made")


def bring(answer: PlainAnswer, leg: dict[str, Any] | bytes) -> Leg:
    """Take a leg: a completion, or the bytes of a stream."""
    if isinstance(leg, bytes):
        reader = SseReader()
        for item in [*reader.feed(leg), *reader.close()]:
            assert answer.take(item) == b""
    else:
        assert answer.take_completion(json.dumps(leg).encode()) == b""
    return answer.end_leg()


def collected(*legs: dict[str, Any] | bytes) -> dict[str, Any]:
    """The body that the client gets of these legs."""
    answer = new_answer()
    for leg in legs:
        bring(answer, leg)
    body: dict[str, Any] = json.loads(answer.close())
    return body


def message(body: dict[str, Any]) -> dict[str, Any]:
    (choice,) = body["choices"]
    told: dict[str, Any] = choice["message"]
    return told


def stream(*chunks: dict[str, Any]) -> bytes:
    return b"".join(map(event, chunks))


@pytest.mark.parametrize("choice", [completion("ä"), calls_completion(THEIRS)])
def test_one_leg_passes_byte_for_byte(choice: dict[str, Any]) -> None:
    body = json.dumps(choice | {"x": 1.0}, indent=1).replace("1.0", "1.0e0").encode()
    answer = new_answer()
    answer.take_completion(body)
    assert answer.end_leg().calls == ()
    assert answer.close() == body


def test_one_leg_with_our_call_left_out_keeps_all_else_as_it_was_written() -> None:
    body = json.dumps(calls_completion(OURS, THEIRS, service_tier="x"), indent=1)
    answer = new_answer()
    answer.take_completion(body.encode())
    answer.end_leg()
    assert answer.close().decode().endswith(body[body.index('"usage"') :])


def test_several_legs_are_one_answer() -> None:
    body = collected(
        calls_completion(OURS, text="One. ", id="a", model="m-a", created=1),
        completion("Two.", id="b", model="m-b", created=2, service_tier="flex"),
    )
    assert (body["id"], body["model"], body["created"], body["service_tier"]) == ("a", "m-a", 1, "flex")
    assert (message(body)["content"], body["usage"]) == ("One. Two.", DOUBLE_USAGE)
    assert body["choices"][0]["finish_reason"] == "stop"


def test_reasoning_of_all_legs_is_told() -> None:
    legs = [calls_completion(OURS), completion("Done.")]
    for number, leg in enumerate(legs):
        leg["choices"][0]["message"]["reasoning_content"] = f"thought {number}. "
    assert message(collected(*legs))["reasoning_content"] == "thought 0. thought 1. "


def test_a_text_of_parts_and_a_text_are_joined_as_parts() -> None:
    parts = [{"type": "thinking", "thinking": []}]
    early = calls_completion(OURS)
    early["choices"][0]["message"]["content"] = parts
    assert message(collected(early, completion("Done.")))["content"] == [
        *parts,
        {"type": "text", "text": "Done."},
    ]


def test_a_usage_with_a_number_that_is_too_long_passes_as_it_was_written() -> None:
    told = json.dumps(completion("Hi")).replace('"prompt_tokens": 7', '"prompt_tokens": ' + "7" * 6000)
    answer = new_answer()
    answer.take_completion(told.encode())
    usage = answer.end_leg().usage
    assert usage is not None and usage["prompt_tokens"] is None
    assert answer.close().decode() == told


def test_usage_that_only_one_leg_tells_is_told() -> None:
    legs = [calls_completion(OURS), completion("Done.", usage=None)]
    assert collected(*legs)["usage"] == USAGE
    assert collected(*reversed_usage(legs))["usage"] == USAGE


def reversed_usage(legs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [leg | {"usage": other["usage"]} for leg, other in zip(legs, reversed(legs), strict=True)]


def test_a_usage_that_nobody_tells_stays_as_it_is() -> None:
    assert collected(calls_completion(OURS, usage=None), completion("Done.", usage=None))["usage"] is None


def test_a_leg_has_the_message_and_the_calls_for_the_upstream() -> None:
    leg = bring(new_answer(), calls_completion(OURS, text="Wait."))
    assert leg.message == {"role": "assistant", "content": "Wait.", "tool_calls": [OURS.wire()]}
    assert [(c.id, c.name, c.arguments) for c in leg.calls] == [("call_ours", "server__add", '{"a": 1}')]
    assert (leg.finish_reason, leg.usage) == ("tool_calls", USAGE)


def test_calls_that_share_an_id_are_two() -> None:
    leg = bring(new_answer(), calls_completion(OURS, OURS))
    assert [call.id for call in leg.calls] == ["call_ours", "call_made"]


@pytest.mark.parametrize("calls", [(OURS, THEIRS), (THEIRS, OURS)])
def test_of_mixed_calls_the_client_gets_its_own(calls: tuple[Call, ...]) -> None:
    body = collected(calls_completion(*calls))
    assert message(body)["tool_calls"] == [THEIRS.wire()]
    assert body["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_our_call_that_was_cut_off_is_neither_run_nor_shown(finish: str) -> None:
    cut = calls_completion(OURS, text="Wait.", finish=finish)
    assert bring(new_answer(), cut).calls == ()
    body = collected(cut)
    assert "tool_calls" not in message(body)
    assert (message(body)["content"], body["choices"][0]["finish_reason"]) == ("Wait.", finish)


def test_a_finish_of_stop_after_a_clients_call_says_tool_calls() -> None:
    assert collected(calls_completion(THEIRS, finish="stop"))["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_of_a_tool_that_takes_text_is_the_clients() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "x"}}
    whole = calls_completion(OURS)
    whole["choices"][0]["message"]["tool_calls"].append(custom)
    assert message(collected(whole))["tool_calls"] == [custom]


def test_a_call_that_names_no_tool_is_left_out() -> None:
    """As LM Studio sent one: https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/830"""
    whole = calls_completion(OURS)
    whole["choices"][0]["message"]["tool_calls"] = [{"id": "", "type": "function", "function": None}]
    assert "tool_calls" not in message(collected(whole))
    assert collected(whole)["choices"][0]["finish_reason"] == "stop"


ODD_CALLS: dict[str, Any] = {
    # https://github.com/ggml-org/llama.cpp/issues/20198
    "arguments as an object": [
        THEIRS.wire() | {"function": {"name": "edit_file", "arguments": {"path": "x"}}}
    ],
    "no id, no type": [{"function": THEIRS.wire()["function"]}],
    "an empty id": [THEIRS.wire() | {"id": ""}],
    "an id that is a number": [THEIRS.wire() | {"id": 7}],
    "no array": THEIRS.wire(),
    # Ollama numbers the calls of a plain answer too: ollama/ollama:openai/openai.go, ToToolCalls
    "two with one index": [THEIRS.wire() | {"index": 0}, THEIRS.wire() | {"index": 0, "id": "b"}],
    "two with one id": [THEIRS.wire(), THEIRS.wire()],
}


@pytest.mark.parametrize("told", ODD_CALLS.values(), ids=ODD_CALLS)
def test_a_clients_calls_are_told_as_openai_tells_them(told: Any) -> None:
    whole = calls_completion(THEIRS)
    whole["choices"][0]["message"]["tool_calls"] = told
    calls = message(collected(whole))["tool_calls"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"path": "x"}] * len(calls)
    assert {(type(call["id"]), call["type"], call["function"]["name"]) for call in calls} == {
        (str, "function", "edit_file")
    }
    assert all(call["id"] for call in calls) and len({call["id"] for call in calls}) == len(calls)


@pytest.mark.parametrize("told", ODD_CALLS.values(), ids=ODD_CALLS)
def test_our_calls_are_run_however_they_are_told(told: Any) -> None:
    whole = calls_completion(OURS)
    text = json.dumps(told).replace("edit_file", OURS.name)
    whole["choices"][0]["message"]["tool_calls"] = json.loads(text)
    calls = bring(new_answer(), whole).calls
    assert [json.loads(call.arguments) for call in calls] == [{"path": "x"}] * len(calls)
    assert calls and len({call.id for call in calls}) == len(calls)


@pytest.mark.parametrize("calls", [None, [], "odd", ["odd"]])
def test_an_answer_that_ends_for_calls_and_has_none_ends(calls: Any) -> None:
    whole = completion("Well.", finish="tool_calls")
    whole["choices"][0]["message"]["tool_calls"] = calls
    (choice,) = collected(whole)["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "Well.")


@pytest.mark.parametrize("done", [DONE, b""])
def test_repairs_of_a_stream_are_known_before_the_leg_is_ended(done: bytes) -> None:
    answer = new_answer()
    assert answer.repairs == ()
    for item in SseReader().feed(stream(chunk({"tool_calls": [OURS.wire()]})) + done):
        answer.take(item)
    assert answer.repairs == (("calls had no index",) if done else ())  # half an answer has none


def test_only_the_first_choice_is_told() -> None:
    whole = completion("one")
    whole["choices"].append(completion("two")["choices"][0] | {"index": 1})
    assert message(collected(whole))["content"] == "one"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"choices":[{"message":null}]}'])
def test_a_body_that_is_no_completion_is_the_upstreams_failure(body: bytes) -> None:
    answer = new_answer()
    answer.take_completion(body)
    with pytest.raises(UpstreamError):
        answer.end_leg()


def test_an_empty_second_leg_is_not_the_first_again() -> None:
    answer = new_answer()
    assert bring(answer, calls_completion(OURS)).calls
    with pytest.raises(UpstreamError):
        answer.end_leg()


def test_a_stream_that_nobody_asked_for_is_made_one_completion() -> None:
    body = collected(b": ping\n\ndata: oops\n\ndata: [1]\n\n" + stream(*text_chunks("Hel", "lo")) + DONE)
    assert body == completion("Hello") | {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
        ]
    }


def test_a_stream_that_nobody_asked_for_may_bring_our_call() -> None:
    body = collected(stream(*calls_chunks(OURS, text="One. ")) + DONE, completion("Two."))
    assert (message(body)["content"], body["usage"]) == ("One. Two.", DOUBLE_USAGE)


def test_the_end_mark_of_a_stream_is_known() -> None:
    answer = new_answer()
    reader = SseReader()
    assert not answer.is_done
    for item, done in zip(reader.feed(stream(chunk({"content": "a"})) + DONE), (False, True), strict=True):
        answer.take(item)
        assert answer.is_done == done


@pytest.mark.parametrize("end", [stream(chunk({}, finish="stop")), DONE])
def test_either_mark_ends_a_stream(end: bytes) -> None:
    assert message(collected(stream(chunk({"content": "a"})) + end))["content"] == "a"


@pytest.mark.parametrize("delta", [[1], "x", 1])
def test_a_delta_that_is_no_object_is_passed_over(delta: Any) -> None:
    odd = chunk({}) | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    assert message(collected(stream(odd, chunk({"content": "a"}, finish="stop"))))["content"] == "a"


def test_a_stream_without_a_finish_gets_one() -> None:
    body = collected(stream(chunk({"content": "a"})) + DONE)
    assert body["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("broken", [stream(chunk({"content": "a"})), DONE, b": ping\n\n"])
def test_a_stream_that_breaks_off_is_the_upstreams_failure(broken: bytes) -> None:
    with pytest.raises(UpstreamError, match="ended before its answer was complete"):
        bring(new_answer(), broken)


def test_an_error_in_a_stream_is_told_as_the_upstream_tells_it() -> None:
    error = {"error": {"message": "no memory"}}
    with pytest.raises(UpstreamError) as caught:
        bring(new_answer(), stream(chunk({"content": "a"}), error) + DONE)
    assert json.loads(caught.value.body()) == error


def test_giving_up_is_an_answer_of_the_made_identity() -> None:
    answer = new_answer()
    assert answer.aside("not shown") == b""
    assert (answer.model, answer.has_shown) == (IDENTITY["model"], False)
    body = json.loads(answer.give_up(Cause.NOT_FOUND))
    message = {"role": "assistant", "content": "Upstream LLM model not found. Retries exhausted."}
    assert body == IDENTITY | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
