"""The client sees its own calls, whole and numbered, and nothing of ours."""

import pytest

from tests.fakes.chunks import Call, calls_chunks, chunk, text_chunks
from tests.turn.relaying import feed, new_answer, relay, stream

OURS = Call("server__add", '{"a": 1}', "call_ours")
THEIRS = Call("edit_file", '{"path": "x"}', "call_theirs")
TEXT = stream(*text_chunks("Done."))


def test_a_clients_call_passes_byte_for_byte() -> None:
    call = stream(*calls_chunks(THEIRS))
    relayed = relay(call)
    assert relayed.shown == call
    assert relayed.legs[0].calls == ()


def test_nothing_is_seen_of_our_call() -> None:
    relayed = relay(stream(*calls_chunks(OURS)), TEXT)
    assert b"tool_calls" not in relayed.shown
    assert b"server__add" not in relayed.shown
    assert [call.arguments for call in relayed.legs[0].calls] == ['{"a": 1}']


def test_a_finish_of_stop_after_our_call_goes_on() -> None:
    relayed = relay(stream(*calls_chunks(OURS, finish="stop")), TEXT)
    assert (relayed.finishes, relayed.text) == (["stop"], "Done.")


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


def test_two_pieces_of_one_call_in_a_chunk_are_one() -> None:
    """OpenAI's client puts them into places of their own: https://github.com/openai/openai-python/issues/3201"""
    custom = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** "}}
    pieces = [custom, {"index": 0, "custom": {"input": "End"}}, {"index": 0, "extra_content": 1}]
    relayed = relay(stream(chunk({"tool_calls": pieces}), chunk({}, finish="tool_calls")))
    assert relayed.calls == [custom | {"custom": {"name": "patch", "input": "*** End"}, "extra_content": 1}]
    theirs = {"index": 0, "id": "t", "function": {"name": "edit_file"}}
    relayed = relay(stream(chunk({"tool_calls": [theirs, {"index": 0}]}), chunk({}, finish="tool_calls")))
    assert relayed.calls[0]["function"] == {"name": "edit_file", "arguments": ""}
    assert relayed.legs[0].repairs == ("a call came in two pieces at once",)


def test_repairs_are_known_before_the_leg_is_ended() -> None:
    answer = new_answer()
    feed(answer, [stream(chunk({"tool_calls": [OURS.wire()]}), chunk({}, finish="tool_calls"))])
    assert answer.repairs == ("calls had no index",) == answer.end_leg().repairs
