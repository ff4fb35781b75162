"""Deltas, however a server cuts them, are put together to what was meant."""

from itertools import count
from typing import Any

import pytest

from werkzeugkoppler.wire.assemble import MessageAssembler

type Deltas = list[dict[str, Any]]


def new_assembler() -> MessageAssembler:
    numbers = count(1)
    return MessageAssembler(lambda: f"made_{next(numbers)}")


def part(arguments: Any = None, **members: Any) -> dict[str, Any]:
    """An item of `tool_calls`: `name` goes into its function, all else stays beside it."""
    function = {"name": members.pop("name", None), "arguments": arguments}
    known = {key: value for key, value in function.items() if value is not None}
    return members | ({"function": known} if known else {})


def assembled(parts: Deltas) -> MessageAssembler:
    assembler = new_assembler()
    for delta in parts:
        assembler.add_call(delta)
    for call in assembler.calls:
        assembler.ensure_id(call)
    return assembler


def meant(parts: Deltas) -> list[tuple[str, str, str]]:
    """The calls' ids, names and arguments."""
    return [(c.made_id or c.id or "", c.name, c.arguments) for c in assembled(parts).calls]


ADD = ("a", "add", '{"x":1}')
SUB = ("b", "sub", "{}")

SHAPES: dict[str, tuple[Deltas, list[tuple[str, str, str]]]] = {
    "OpenAI": (
        [
            part("", index=0, id="a", type="function", name="add"),
            part('{"x"', index=0),
            part(":1}", index=0),
            part("", index=1, id="b", type="function", name="sub"),
            part("{}", index=1),
        ],
        [ADD, SUB],
    ),
    "OpenAI, interleaved": (
        [
            part('{"x"', index=0, id="a", name="add"),
            part("{}", index=1, id="b", name="sub"),
            part(":1}", index=0),
        ],
        [ADD, SUB],
    ),
    "llama.cpp: the id with the first piece": (
        [part("{", index=0, id="a", type="function", name="add"), part('"x":1}', index=0)],
        [ADD],
    ),
    "vLLM: nulls where nothing is new": (
        [
            part("", index=0, id="a", type="function", name="add"),
            {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": '{"x":1}'}},
        ],
        [ADD],
    ),
    "Ollama: every call has index 0": (
        [part('{"x":1}', index=0, id="a", name="add"), part("{}", index=0, id="b", name="sub")],
        [ADD, SUB],
    ),
    "one index, one name, two ids": (
        [part('{"x":1}', index=0, id="a", name="add"), part('{"x":2}', index=0, id="b", name="add")],
        [ADD, ("b", "add", '{"x":2}')],
    ),
    "one index, two names, no ids": (
        [part('{"x":1}', index=0, name="add"), part("{}", index=0, name="sub")],
        [("made_1", *ADD[1:]), ("made_2", *SUB[1:])],
    ),
    "one index, one name, no ids": (
        [part('{"x":1}', index=0, name="add"), part('{"x":2}', index=0, name="add")],
        [("made_1", "add", '{"x":1}'), ("made_2", "add", '{"x":2}')],
    ),
    "one index, then pieces of the second": (
        [
            part('{"x":1}', index=0, id="a", name="add"),
            part("", index=0, id="b", name="sub"),
            part("{", index=0),
            part("}", index=0),
        ],
        [ADD, SUB],
    ),
    "no index": ([part('{"x"', id="a", name="add"), part(":1}")], [ADD]),
    "no index, with ids": (
        [
            part("{", id="a", name="add"),
            part("{", id="b", name="sub"),
            part('"x":1}', id="a"),
            part("}", id="b"),
        ],
        [ADD, SUB],
    ),
    "no index, two whole calls": (
        [part('{"x":1}', id="a", name="add"), part("{}", id="b", name="sub")],
        [ADD, SUB],
    ),
    "no index, an empty id, two whole calls": (
        [part('{"x":1}', id="", name="add"), part('{"x":2}', id="", name="add")],
        [("made_1", "add", '{"x":1}'), ("made_2", "add", '{"x":2}')],
    ),
    "the id late": ([part("{", index=0, name="add"), part('"x":1}', index=0, id="a")], [ADD]),
    "the name late": ([part("{", index=0, id="a"), part('"x":1}', index=0, name="add")], [ADD]),
    "id and name every time": (
        [part("{", index=0, id="a", name="add"), part('"x":1}', index=0, id="a", name="add")],
        [ADD],
    ),
    "the name every time": (
        [
            part("{", index=0, id="a", name="add"),
            part('"x":1}', index=0, name="add"),
            part("", index=0, name="add"),
        ],
        [ADD],
    ),
    "arguments as an object": ([part({"x": 1}, index=0, id="a", name="add")], [ADD]),
    "arguments as an array": ([part([1], index=0, id="a", name="add")], [("a", "add", "[1]")]),
    "arguments as a number": ([part(5, index=0, id="a", name="add")], [("a", "add", "5")]),
    "arguments as null": (
        [{"index": 0, "id": "b", "function": {"name": "sub", "arguments": None}}],
        [("b", "sub", "")],
    ),
    "the id a number": ([part("{}", index=0, id=7, name="sub")], [("7", "sub", "{}")]),
    "ids that are numbers, one index": (
        [part("{}", index=0, id=n, name="sub") for n in (0, 1)],
        [("0", "sub", "{}"), ("1", "sub", "{}")],
    ),
    "the index a word": (
        [part("{", index="0", id="a", name="sub"), part("}", index="0")],
        [("a", "sub", "{}")],
    ),
    "the whole call again": ([part('{"x":1}', index=0, id="a", name="add")] * 2, [ADD]),
    "the arguments again, without a name": (
        [part('{"x":1}', index=0, id="a", name="add"), part('{"x":1}', index=0)],
        [ADD],
    ),
    "one index, one id, two whole calls": (
        [part('{"x":1}', index=0, id="a", name="add"), part("{}", index=0, id="a", name="sub")],
        [ADD, ("made_1", "sub", "{}")],
    ),
    "no index, one id, two whole calls": (
        [part('{"x":1}', id="a", name="add"), part('{"x":2}', id="a", name="add")],
        [ADD, ("made_1", "add", '{"x":2}')],
    ),
    "no index, no id, the second without arguments at first": (
        [part('{"x":1}', name="add"), part("", id="b", name="sub"), part("{}")],
        [("made_1", *ADD[1:]), SUB],
    ),
    "two indexes, one id, the first without arguments": (
        [part("", index=0, id="a", name="add"), part("{}", index=1, id="a", name="sub")],
        [("a", "add", ""), ("made_1", "sub", "{}")],
    ),
    # https://github.com/dyedd/lens/issues/49: the second call's name is lost. It is not guessed, and what
    # is no JSON is not run.
    "the head of the second call lost": (
        [part("", index=0, id="a", name="add"), part('{"x":1}', index=0, name=""), part('{"x":2}', index=0)],
        [("a", "add", '{"x":1}{"x":2}')],
    ),
    "pieces that look like whole ones": (
        [part('{"x":{}', index=0, id="a", name="add"), part('{"y":1}}', index=0, id="a", name="add")],
        [("a", "add", '{"x":{}{"y":1}}')],
    ),
    "no arguments": ([part(index=0, id="b", name="sub")], [("b", "sub", "")]),
}


@pytest.mark.parametrize(("parts", "expected"), SHAPES.values(), ids=SHAPES)
def test_the_calls_that_were_meant_are_found(parts: Deltas, expected: list[tuple[str, str, str]]) -> None:
    assert meant(parts) == expected


@pytest.mark.parametrize(
    ("parts", "repair"),
    [
        ([part({"x": 1}, index=0, id="a", name="add")], "arguments were no text"),
        ([part("{}", id="a", name="add")], "calls had no index"),
        (SHAPES["Ollama: every call has index 0"][0], "calls shared an index"),
        ([part("{}", index=0, name="add")], "a call had no id"),
        ([part("{}", index=n, id="a", name="add") for n in (0, 1)], "two calls had one id"),
    ],
)
def test_what_was_mended_is_told(parts: Deltas, repair: str) -> None:
    assert repair in assembled(parts).repairs


def test_a_repair_of_many_deltas_is_told_once() -> None:
    assert assembled([part("", id="a", name="add"), *[part("x")] * 500]).repairs == ["calls had no index"]


def test_what_needs_no_mending_is_not_told() -> None:
    assert assembled(SHAPES["OpenAI"][0]).repairs == []


def test_ids_of_any_form_stay() -> None:
    parts = [
        part("{}", index=0, id="aB3dE6gH9", name="add"),
        part("{}", index=1, id="functions.add:1", name="add"),
    ]
    assert [id for id, _, _ in meant(parts)] == ["aB3dE6gH9", "functions.add:1"]


def test_only_the_second_of_two_equal_ids_is_replaced() -> None:
    parts = [part("{}", index=0, id="a", name="add"), part("{}", index=1, id="a", name="sub")]
    assert [id for id, _, _ in meant(parts)] == ["a", "made_1"]


def test_a_made_id_stays_though_the_upstreams_comes_late() -> None:
    assembler = new_assembler()
    call, _ = assembler.add_call(part("{", index=0, name="add"))
    assert assembler.ensure_id(call) == "made_1"
    assembler.add_call(part("}", index=0, id="a"))
    assert assembler.ensure_id(call) == "made_1"
    assert call.to_message()["id"] == "made_1"


def test_a_piece_is_given_with_the_call_that_it_belongs_to() -> None:
    assembler = new_assembler()
    first, _ = assembler.add_call(part("{", index=0, id="a", name="add"))
    again, piece = assembler.add_call(part("}", index=0))
    assert (again is first, piece) == (True, "}")


def test_what_a_vendor_puts_beside_a_call_goes_back_with_it() -> None:
    (call,) = assembled([part("{}", index=0, id="a", name="add", extra_content={"google": 1})]).calls
    assert call.to_message() == {
        "id": "a",
        "type": "function",
        "function": {"name": "add", "arguments": "{}"},
        "extra_content": {"google": 1},
    }


@pytest.mark.parametrize("function", ["add", None, {"arguments": "{}"}, {"name": 5}])
def test_a_call_without_a_name_is_left_out(function: Any) -> None:
    """As LM Studio sent one: https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/830"""
    assembler = assembled([{"index": 0, "id": "", "type": "function", "function": function}])
    assembler.settle()
    assert (assembler.calls, "tool_calls" in assembler.message()) == ([], False)
    assert "a call without a name was left out" in assembler.repairs


def test_a_call_of_a_tool_that_takes_text_is_joined() -> None:
    pieces = [{"name": "patch", "input": "*** "}, {"input": "End"}, {"name": "patch", "input": "!"}]
    assembler = assembled([{"index": 0, "id": "c", "custom": piece} for piece in pieces])
    assembler.settle()
    assert assembler.message()["tool_calls"] == [
        {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** End!"}}
    ]


def test_a_call_in_the_old_form_is_joined() -> None:
    assembler = new_assembler()
    for piece in ({"name": "add", "arguments": ""}, {"arguments": '{"x"'}, {"arguments": ":1}"}):
        assembler.add({"function_call": piece})
    assert assembler.message()["function_call"] == {"name": "add", "arguments": '{"x":1}'}


def test_texts_are_joined_and_all_else_is_kept() -> None:
    assembler = new_assembler()
    deltas: Deltas = [
        {"role": "assistant", "content": "", "refusal": None},
        {"reasoning_content": "hm", "content": None},
        {"content": "a", "tool_calls": [], "annotations": [1]},
        {"content": "b", "annotations": [2], "audio": {"id": "x"}},
    ]
    for delta in deltas:
        assembler.add(delta)
    assert assembler.message() == {
        "role": "assistant",
        "content": "ab",
        "reasoning_content": "hm",
        "annotations": [1, 2],
        "audio": {"id": "x"},
    }
    assert (assembler.text(), assembler.text("reasoning")) == ("ab", None)


def test_a_content_of_parts_stays_a_list() -> None:
    assembler = new_assembler()
    for part_ in ({"type": "thinking"}, {"type": "text", "text": "a"}):
        assembler.add({"content": [part_]})
    assert assembler.message()["content"] == [{"type": "thinking"}, {"type": "text", "text": "a"}]


def test_a_message_of_calls_has_no_text() -> None:
    assembler = assembled([part("{}", index=0, id="b", name="sub")])
    assembler.add({"role": "assistant", "content": ""})
    assert assembler.message() == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "b", "type": "function", "function": {"name": "sub", "arguments": "{}"}}],
    }
