"""Every recorded shape of streamed calls is put together to the calls that it means."""

from itertools import count

import pytest

from tests.wire.completed import from_chunks
from tests.wire.shapes import SHAPES, Shape, chunks
from werkzeugkoppler.wire.assemble import MessageAssembler

# What only the client's side has to mend, or what is known from the finish alone.
ELSEWHERE = {"finish_reason was stop after calls", "the finish had no delta"}

each = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def assembled(shape: Shape) -> MessageAssembler:
    numbers = count(1)
    assembler = MessageAssembler(lambda: f"made_{next(numbers)}")
    for delta in shape.deltas:
        for item in (delta or {}).get("tool_calls") or ():
            assembler.add_call(item)
    assembler.settle()
    return assembler


@each
def test_the_calls_that_were_meant_are_found(shape: Shape) -> None:
    found = assembled(shape).calls
    assert [(call.name, call.arguments) for call in found] == [("NAME", text) for _, text in shape.calls]
    numbers = count(1)
    assert [call.made_id or call.id for call in found] == [
        id or f"made_{next(numbers)}" for id, _ in shape.calls
    ]


@each
def test_each_repair_is_told_once_and_no_other(shape: Shape) -> None:
    assert sorted(assembled(shape).repairs) == sorted(shape.repairs - ELSEWHERE)


@each
def test_they_are_found_in_a_stream_that_nobody_asked_for(shape: Shape) -> None:
    completion = from_chunks(chunks(shape, "add"), lambda: "made")
    told = completion["choices"][0]["message"]["tool_calls"]
    assert [call["function"] for call in told] == [
        {"name": "add", "arguments": text} for _, text in shape.calls
    ]
    assert [call["id"] for call in told] == [id or "made" for id, _ in shape.calls]
