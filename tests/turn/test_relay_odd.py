"""Streams that are not as they should be, and what a client gets of them."""

from typing import Any

import pytest

from tests.fakes.chunks import DONE, USAGE, Call, calls_chunks, chunk, text_chunks
from tests.turn.relaying import feed, new_answer, relay, stream

OURS = Call("server__add", '{"a": 1}', "call_ours")
THEIRS = Call("edit_file", '{"path": "x"}', "call_theirs")
TEXT = stream(*text_chunks("Done."))


@pytest.mark.parametrize("end", [b"data: [DONE]", b"data:[DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n\r\n"])
def test_the_end_mark_is_known_without_the_blank_line(end: bytes) -> None:
    whole = stream(*text_chunks("a"), done=False)
    assert relay(whole + end).shown == whole + DONE


def test_a_usage_with_a_number_that_is_too_long_passes_as_it_was_written() -> None:
    long = TEXT.replace(b'"prompt_tokens": 7', b'"prompt_tokens": ' + b"7" * 6000)
    assert long != TEXT
    answer = new_answer()
    assert feed(answer, [long]) + DONE == long
    usage = answer.end_leg().usage
    assert usage is not None and usage["prompt_tokens"] is None


@pytest.mark.parametrize("choices", [{"choices": None}, {}])
def test_a_chunk_without_choices_gets_an_empty_list(choices: dict[str, Any]) -> None:
    *first, usage = text_chunks("a")
    del usage["choices"]
    note = {"vendor": 1.0} | choices
    relayed = relay(stream(note, *first, usage | choices))
    assert (relayed.usages, relayed.text) == ([USAGE], "a")
    assert [c["choices"] for c in (relayed.chunks[0], relayed.chunks[-1])] == [[], []]
    assert "choices was no array" in relayed.legs[0].repairs


def test_choices_that_are_an_object_are_garbage() -> None:
    odd = chunk({"content": "odd"}) | {"choices": {"index": 0}}
    assert relay(stream(*text_chunks("a")[:1], odd, *text_chunks("a")[1:])).text == "a"


@pytest.mark.parametrize("call", [OURS, THEIRS])
def test_a_call_that_stands_alone_in_place_of_a_list_is_one(call: Call) -> None:
    odd = chunk({"role": "assistant", "tool_calls": call.wire() | {"index": 0}})
    legs = [stream(odd, chunk({}, finish="tool_calls")), TEXT]
    relayed = relay(*legs[: 2 if call is OURS else 1])
    assert [call.arguments for call in relayed.legs[0].calls] == ([OURS.arguments] if call is OURS else [])
    assert relayed.calls == ([] if call is OURS else [THEIRS.wire() | {"index": 0}])
    assert "tool_calls was no array" in relayed.legs[0].repairs


def test_null_is_none_wherever_it_stands() -> None:
    nothing = {"role": None, "content": None, "tool_calls": None, "reasoning_content": None}
    call = OURS.wire() | {"index": 0}
    relayed = relay(
        stream(chunk(nothing | {"tool_calls": [call]}), chunk(nothing, finish="tool_calls")), TEXT
    )
    assert (len(relayed.legs[0].calls), relayed.text) == (1, "Done.")


def test_a_call_that_names_no_tool_keeps_nobody_from_running_the_others() -> None:
    nameless = {"index": 1, "id": "", "type": "function", "function": {"arguments": "{}"}}
    relayed = relay(
        stream(chunk({"tool_calls": [OURS.wire() | {"index": 0}, nameless]}), chunk({}, finish="stop")), TEXT
    )
    assert [call.id for call in relayed.legs[0].calls] == ["call_ours"]
    assert len(relayed.legs[0].message["tool_calls"]) == 1


def test_a_message_of_a_call_that_names_no_tool_ends() -> None:
    nameless = {"index": 0, "id": "", "type": "function"}
    relayed = relay(stream(chunk({"tool_calls": [nameless]}), chunk({}, finish="tool_calls")))
    assert (relayed.finishes, relayed.calls, relayed.legs[0].calls) == (["stop"], [], ())


def test_text_after_the_finish_is_the_clients_too() -> None:
    late = [chunk({"content": "!"}), *text_chunks("a")[-1:]]
    relayed = relay(stream(*text_chunks("a", usage=None), *late))
    assert (relayed.text, relayed.finishes, relayed.usages) == ("a!", ["stop"], [USAGE])


def test_a_call_of_ours_after_the_finish_is_not_run() -> None:
    relayed = relay(stream(*text_chunks("a", usage=None), *calls_chunks(OURS)[1:]))
    assert (relayed.legs[0].calls, relayed.finishes, relayed.calls) == ((), ["stop"], [])
    assert "a call came after the end and was not run" in relayed.legs[0].repairs


def test_a_second_finish_after_a_call_of_ours_changes_nothing() -> None:
    twice = [*calls_chunks(OURS, usage=None), chunk({}, finish="stop")]
    relayed = relay(stream(*twice), TEXT)
    assert (len(relayed.legs[0].calls), relayed.finishes) == (1, ["stop"])


def test_a_call_in_the_old_form_is_the_clients() -> None:
    """Ours are offered as tools: who answers with a `function_call` was asked for it by the client."""
    pieces = [{"name": "server__add", "arguments": ""}, {"arguments": "{}"}]
    chunks = [chunk({"role": "assistant", "content": None, "function_call": piece}) for piece in pieces[:1]]
    chunks += [chunk({"function_call": piece}) for piece in pieces[1:]]
    old = stream(*chunks, chunk({}, finish="function_call"))
    assert relay(old).shown == old


AZURE_NOTE = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {"hate": {"filtered": False}}}],
}
"""https://github.com/microsoft/autogen/issues/6465: a choice without a delta, and no identity."""


def test_azures_notes_on_filters_reach_the_client_as_chunks() -> None:
    role, text, *rest = text_chunks("a", id="x")
    relayed = relay(stream(role, text, AZURE_NOTE, *rest))
    assert relayed.choices[2] == AZURE_NOTE["choices"][0] | {"delta": {}}  # type: ignore[index]
    assert {c["id"] for c in relayed.chunks} == {"x"}


def test_azures_note_before_everything_gives_no_identity_and_no_role() -> None:
    relayed = relay(stream(AZURE_NOTE, *text_chunks("a", id="x")))
    assert relayed.shown == stream(*text_chunks("a", id="x"))


def test_text_that_looks_like_a_call_is_text() -> None:
    text = '<tool_call>{"name": "server__add", "arguments": {}}</tool_call>'
    relayed = relay(stream(*text_chunks(text)))
    assert (relayed.text, relayed.legs[0].calls) == (text, ())
