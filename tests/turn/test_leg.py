"""After a leg it is decided whether the turn goes on."""

import pytest

from tests.turn.relaying import is_ours
from werkzeugkoppler.turn.leg import conclude, to_run
from werkzeugkoppler.wire.assemble import MessageAssembler


def assembler(*names: str) -> MessageAssembler:
    assembler = MessageAssembler(lambda: "made")
    assembler.add({"role": "assistant", "content": "Hi"})
    for index, name in enumerate(names):
        assembler.add_call({"index": index, "function": {"name": name, "arguments": "{}"}})
    return assembler


@pytest.mark.parametrize(
    ("names", "finish", "expected"),
    [
        ((), "stop", False),
        (("server__a",), "tool_calls", True),
        (("server__a",), "stop", True),
        (("server__a",), None, True),
        (("server__a",), "length", False),
        (("server__a",), "content_filter", False),
        (("server__a", "server__b"), "tool_calls", True),
        (("server__a", "edit"), "tool_calls", False),
        (("edit",), "tool_calls", False),
    ],
)
def test_only_a_whole_message_of_our_calls_alone_goes_on(
    names: tuple[str, ...], finish: str | None, expected: bool
) -> None:
    leg = conclude(assembler(*names), finish, None, is_ours, runs_mixed=True)
    assert leg.goes_on is expected


@pytest.mark.parametrize(("runs_mixed", "expected"), [(True, ["server__a"]), (False, [])])
def test_ours_beside_the_clients_are_run_where_kept(runs_mixed: bool, expected: list[str]) -> None:
    leg = conclude(assembler("edit", "server__a"), "tool_calls", None, is_ours, runs_mixed=runs_mixed)
    assert [call.name for call in leg.calls] == expected
    assert [call.name for call in leg.handed_over] == ["edit"]
    assert not leg.goes_on


def test_ours_beside_a_call_with_free_text_are_not_run() -> None:
    mixed = assembler("server__a")
    mixed.add_call({"index": 1, "id": "c", "type": "custom", "custom": {"name": "sql", "input": "x"}})
    assert to_run(mixed.calls, "tool_calls", is_ours, runs_mixed=True) == []


def test_a_leg_tells_what_it_brought() -> None:
    leg = conclude(assembler("server__a"), "tool_calls", {"total_tokens": 1}, is_ours, runs_mixed=True)
    assert [(call.id, call.name, call.arguments) for call in leg.calls] == [("made", "server__a", "{}")]
    assert leg.message["tool_calls"][0]["id"] == "made"
    assert (leg.finish_reason, leg.usage) == ("tool_calls", {"total_tokens": 1})
    assert leg.repairs == ("a call had no id",)


def test_a_call_that_is_not_run_has_an_id_all_the_same() -> None:
    leg = conclude(assembler("edit"), "tool_calls", None, is_ours, runs_mixed=True)
    assert (leg.calls, leg.message["tool_calls"][0]["id"]) == ((), "made")
