"""Usage objects are added up with their details."""

from typing import Any

import pytest

from werkzeugkoppler.wire.usage import Usage, add

PLAIN = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


@pytest.mark.parametrize(
    ("total", "more", "expected"), [(None, None, None), (PLAIN, None, PLAIN), (None, PLAIN, PLAIN)]
)
def test_nothing_adds_nothing(total: Usage | None, more: Usage | None, expected: Usage | None) -> None:
    assert add(total, more) is expected


def test_counts_are_added_with_their_details() -> None:
    first = PLAIN | {"prompt_tokens_details": {"cached_tokens": 4}}
    second = PLAIN | {"prompt_tokens_details": {"cached_tokens": 5}, "cost": 0.5}
    assert add(first, second) == {
        "prompt_tokens": 2,
        "completion_tokens": 4,
        "total_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 9},
        "cost": 0.5,
    }


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (1, None, 1),
        (None, 1, 1),
        (1, 0.5, 1.5),
        ({"a": 1}, None, {"a": 1}),
        (None, {"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 5, "c": 4}),
        ("flex", "default", "default"),
        (True, False, False),
        (1, "many", "many"),
    ],
)
def test_of_what_is_no_count_the_newer_value_stands(first: Any, second: Any, expected: Any) -> None:
    assert add({"key": first}, {"key": second}) == {"key": expected}


def test_the_summands_stay_as_they_were() -> None:
    first: Usage = {"details": {"n": 1}}
    add(first, {"details": {"n": 1}})
    assert first == {"details": {"n": 1}}
