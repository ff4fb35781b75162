"""An event of a trace says how something went."""

import asyncio
from typing import Any

import pytest

from werkzeugkoppler.endpoints.traced import traced
from werkzeugkoppler.flows import Kill
from werkzeugkoppler.traces import begin


def event_of(done: tuple[int, str] | Kill, failure: BaseException | None = None) -> dict[str, Any]:
    """The event without its times."""
    trace = begin("turn")
    try:
        with traced(trace, "reader", name="manuals") as outcome:
            if failure is not None:
                raise failure
            assert outcome.of(done, lambda kill: "no") == ("no" if isinstance(done, Kill) else done[1])
    except BaseException as error:
        assert error is failure
    event = trace.events[-1]
    assert event.pop("duration_ms") >= 0 and event.pop("at")
    return event


READER = {"type": "reader", "name": "manuals"}


def test_the_status_says_whether_it_went_well() -> None:
    assert event_of((200, "abc")) == READER | {"success": True, "bytes": 3}
    assert event_of((500, "")) == READER | {"success": False, "bytes": 0}


def test_the_exit_code_of_a_tools_command_is_told() -> None:
    trace = begin("turn")
    for type in ("tool_result", "reader"):
        with traced(trace, type) as outcome:
            outcome.of((200, '{"ok": true, "result": [], "exit_code": 3}'), lambda kill: "")
    assert [event.get("exit_code") for event in trace.events][1:] == [3, None]


def test_what_was_killed_before_it_was_done_was_denied() -> None:
    assert event_of(Kill.BEFORE) == READER | {"success": False, "denied": True, "bytes": 2}
    assert event_of((403, "no")) == READER | {"success": False, "denied": True, "bytes": 2}


@pytest.mark.parametrize("kill", [Kill.DURING, Kill.AFTER])
def test_what_was_done_was_not_denied(kill: Kill) -> None:
    assert event_of(kill) == READER | {"success": False, "bytes": 2}


@pytest.mark.contract("BX-05")
def test_only_a_cancellation_is_called_one() -> None:
    assert event_of(Kill.BEFORE, asyncio.CancelledError()) == READER | {"success": False, "cancelled": True}
    assert event_of(Kill.BEFORE, ValueError("broken")) == READER | {"success": False}
