"""How often, and how soon, an upstream is asked again."""

from typing import Any

import pytest

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn.retry import Patience, is_noted

NOW = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT."""


def waits(retries: int, count: int, interval: float = 0.5, **error: Any) -> list[float | None]:
    patience = Patience(retries, interval, lambda: NOW)
    failure = UpstreamError("away", **{"cause": Cause.CONNECTION} | error)
    return [patience.wait_after(failure, failures) for failures in range(1, count + 1)]


def test_it_is_asked_as_often_as_is_set() -> None:
    assert waits(0, 2) == [None, None]
    assert waits(2, 4) == [0.5, 0.5, None, None]


def test_below_zero_is_without_end() -> None:
    assert waits(-1, 1000) == [0.5] * 1000


@pytest.mark.contract("WK-146")
def test_an_interval_of_nothing_is_a_short_pause() -> None:
    assert waits(-1, 3, interval=0) == [0.05] * 3
    assert waits(-1, 1, interval=0, headers=(("Retry-After", "0.01"),)) == [0.05]


def test_of_retries_without_end_few_are_noted() -> None:
    assert [retry for retry in range(1, 100) if is_noted(retry)] == [1, 2, 4, 8, 16, 32, 64]


def test_without_a_cause_it_is_not_asked_again() -> None:
    assert waits(2, 1, cause=None) == [None]
    assert waits(2, 1, can_retry=False) == [None]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.5),
        ("3600", 60.0),
        ("Wed, 21 Oct 2015 07:28:10 GMT", 10.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.5),
        ("Wed, 21 Oct 2099 07:28:10 GMT", 60.0),
        ("soon", 0.5),
        ("-5", 0.5),
        ("1.5", 1.5),
        ("inf", 60.0),
        ("nan", 0.5),
        ("", 0.5),
    ],
)
def test_the_time_that_it_asks_for_is_kept_within_bounds(value: str, seconds: float) -> None:
    assert waits(1, 1, headers=(("Retry-After", value),)) == [seconds]
