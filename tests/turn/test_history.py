"""The same conversation is known again however a client writes it down, and no other is."""

from typing import Any

import pytest

from werkzeugkoppler.turn import history
from werkzeugkoppler.wire.assemble import ToolCall

QUESTION = {"role": "user", "content": "What is up?"}
ANSWER = {"role": "assistant", "content": "Not much."}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1, "b": 2}'}}


def whole(messages: list[dict[str, Any]], owner: bytes = b"") -> bytes:
    return history.digested(messages, owner).whole


def called(**changes: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [{**CALL, **changes}]}


@pytest.mark.parametrize(
    "again",
    [
        {"content": "Not much.", "role": "assistant"},
        {**ANSWER, "content": " Not much.\n"},
        {**ANSWER, "content": [{"type": "text", "text": "Not much."}]},
        {**ANSWER, "tool_calls": []},
        {**ANSWER, "tool_calls": None, "refusal": None, "reasoning_content": "Hm."},
    ],
)
def test_a_message_written_otherwise_is_the_same(again: dict[str, Any]) -> None:
    assert whole([QUESTION, again]) == whole([QUESTION, ANSWER])


@pytest.mark.parametrize(
    "other",
    [
        {**ANSWER, "content": "Not much!"},
        {**ANSWER, "role": "user"},
        {**ANSWER, "name": "Bo"},
        {**ANSWER, "tool_call_id": "c1"},
        {**ANSWER, "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {**ANSWER, "tool_calls": [CALL]},
        {"role": "assistant"},
    ],
)
def test_another_message_is_not(other: dict[str, Any]) -> None:
    assert whole([QUESTION, other]) != whole([QUESTION, ANSWER])


@pytest.mark.parametrize("arguments", ['{"b":2,"a":1}', {"a": 1, "b": 2}])
def test_arguments_that_were_parsed_and_printed_again_are_the_same(arguments: Any) -> None:
    again = called(function={"name": "f", "arguments": arguments}, type="function", index=0)
    assert whole([again]) == whole([called()])


@pytest.mark.parametrize(
    "changes",
    [{"id": "c2"}, {"function": {"name": "g", "arguments": '{"a": 1, "b": 2}'}}, {"function": None}],
)
def test_another_call_is_not(changes: dict[str, Any]) -> None:
    assert whole([called(**changes)]) != whole([called()])


def test_arguments_that_are_no_json_are_compared_as_they_are() -> None:
    broken = called(function={"name": "f", "arguments": '{"a"'})
    assert whole([broken]) != whole([called()])
    assert whole([broken]) == whole([broken])


def test_a_message_more_or_less_makes_another_history() -> None:
    digest = whole([QUESTION, ANSWER])
    assert history.digested([QUESTION, ANSWER, QUESTION]).answers == {1: digest}
    assert digest not in (whole([QUESTION]), whole([QUESTION, ANSWER, QUESTION]), whole([ANSWER]))
    assert whole([QUESTION, ANSWER], b"somebody else's") != digest
    assert history.digested([QUESTION]).after(ANSWER) == digest


def test_an_exchange_is_the_last_answer_with_its_question() -> None:
    digested = history.digested([ANSWER, QUESTION, ANSWER, {"role": "user", "content": "And now?"}], b"me")
    assert digested.exchange == history.digested([QUESTION, ANSWER]).exchange == whole([QUESTION, ANSWER])
    assert digested.question == whole([{"role": "user", "content": "And now?"}])
    assert history.digested([QUESTION]).exchange is None


def test_a_text_cannot_pass_for_the_frame_around_it() -> None:
    split = [{"role": "user", "content": "ab"}, {"role": "user", "content": "c"}]
    other = [{"role": "user", "content": "a"}, {"role": "user", "content": "bc"}]
    assert whole(split) != whole(other)


def test_what_was_shown_is_what_a_client_writes_down() -> None:
    shown = history.shown(None, [ToolCall("c1", "f", '{"a": 1, "b": 2}')])
    assert whole([shown]) == whole([called()])


def test_half_a_surrogate_pair_does_no_harm() -> None:
    assert whole([{"role": "user", "content": "\ud83d"}])
