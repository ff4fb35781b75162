"""A diff of two JSON texts."""

import json
import random
import time
from typing import Any

import pytest

from werkzeugkoppler.endpoints.comparing import MAX_BYTES, diff


def lines(value: Any) -> list[str]:
    return json.dumps(value, indent=2, ensure_ascii=False).split("\n")


def patched(before: list[str], told: list[str]) -> list[str]:
    """What a diff makes of a text: the judge."""
    after, at = [], 0
    for line in told[2:]:
        if line.startswith("@@"):
            begin, count = map(int, line.split()[1][1:].split(","))
            begin -= bool(count)
            after += before[at:begin]
            at = begin
        elif line.startswith("+"):
            after.append(line[1:])
        else:
            assert before[at] == line[1:]
            at += 1
            after += [line[1:]] if line.startswith(" ") else []
    return after + before[at:]


def check(before: Any, after: Any) -> list[str]:
    text = diff(json.dumps(before), json.dumps(after))
    assert text is not None
    told = text.split("\n")
    assert patched(lines(before), told) == lines(after)
    return told


def test_what_is_put_in_is_all_that_is_told() -> None:
    said = [{"role": "user", "content": f"Number {number}"} for number in range(50)]
    ours = {"role": "system", "content": "Be brief."}
    told = check({"messages": said}, {"messages": [ours, *said], "model": "m"})
    assert [line for line in told[2:] if line[0] in "+-"] == [
        '+      "role": "system",',
        '+      "content": "Be brief."',
        "+    },",
        "+    {",
        "-  ]",
        "+  ],",
        '+  "model": "m"',
    ]
    assert told[2] == "@@ -1,6 +1,10 @@"


def test_equal_texts_have_no_diff() -> None:
    assert diff('{"a": 1}', '{"a":1}') == ""


@pytest.mark.parametrize(
    ("before", "after"), [({}, {"a": 1}), ({"a": 1}, {}), ([1, 2, 3], [3, 2, 1]), ([1, 1], [1, 1, 1]), (1, 2)]
)
def test_a_diff_makes_one_text_the_other(before: Any, after: Any) -> None:
    check(before, after)


def test_a_diff_makes_any_text_any_other() -> None:
    some = random.Random(1)
    for kinds in range(1, 200):
        check(*([some.randrange(kinds) for _ in range(some.randrange(30))] for _ in range(2)))


@pytest.mark.parametrize("kinds", [1, 50, 110, 1_000_000])
def test_lines_that_are_alike_take_no_longer_than_others(kinds: int) -> None:
    some = random.Random(1)
    before = [some.randrange(kinds) for _ in range(40_000)]
    after = [line for line in before for line in (line, some.randrange(kinds))]
    texts = json.dumps({"a": before}, separators=(",", ":")), json.dumps({"b": 0, "a": after})
    began = time.process_time()
    assert diff(*texts)
    assert time.process_time() - began < 10  # a second or so; difflib takes minutes


def test_texts_that_are_or_become_too_long_have_none() -> None:
    assert diff("1", json.dumps("x" * MAX_BYTES)) is None
    deep = "[" * 500 + "1,1," * 10_000 + "1" + "]" * 500
    assert diff("1", deep) is None
    assert diff("1", "[" * 5000 + "]" * 5000) is None
