"""The events of a trace are put together."""

from typing import Any

import pytest

from tests.inspecting.events import HEAD, REFUSED, REQUEST, TURN, event, facts
from werkzeugkoppler.inspecting.facts import Span


def seen(span: Span) -> tuple[Any, ...]:
    return span.kind, span.name, span.begin, span.end, span.state


def test_a_turn_is_its_steps_in_the_order_of_their_beginnings() -> None:
    turn = facts(*TURN)
    assert [seen(span) for span in turn.spans] == [
        ("reader", "notes", 10, 100, "ok"),
        ("leg", "1", 110, 610, "tool_calls"),
        ("tool", "files__read", 610, 900, "ok"),
        ("tool", "actions__df", 611, 700, "failed"),
        ("leg", "2", 900, 1900, "stop"),
    ]
    assert (turn.status, turn.ms, turn.models, turn.is_chat) == ("200", 1900, ["small-0815"], True)


def test_usage_is_added_up() -> None:
    usage = facts(*TURN).usage
    assert usage is not None and (usage["prompt_tokens"], usage["completion_tokens"]) == (200, 40)


def test_what_has_not_ended_runs() -> None:
    running = facts(*TURN[:7])
    assert [seen(span) for span in running.of("tool")] == [
        ("tool", "files__read", 610, 611, "running"),
        ("tool", "actions__df", 611, 611, "running"),
    ]
    assert running.status == "running"
    assert [seen(span) for span in facts(HEAD, event("leg_request", 5, leg=1)).spans] == [
        ("leg", "1", 5, 5, "running")
    ]


def test_a_call_id_may_come_again_in_a_later_leg() -> None:
    calls = [
        event("tool_call", 1, call_id="call_0", name="a", leg=1, bytes=10),
        event("tool_result", 2, call_id="call_0", name="a", success=True),
        event("tool_call", 3, call_id="call_0", name="b", leg=2, bytes=2000),
        event("tool_result", 4, call_id="call_0", name="b", success=True),
        event("tool_call", 5, call_id="call_0", name="c", leg=3, bytes=7),
    ]
    tools = facts(HEAD, *calls).of("tool")
    assert [(span.name, span.call["leg"], span.call["bytes"]) for span in tools] == [
        ("a", 1, 10),
        ("b", 2, 2000),
        ("c", 3, 7),
    ]
    assert [span.state for span in tools] == ["ok", "ok", "running"]


@pytest.mark.parametrize("is_cancelled, state", [(False, "failed"), (True, "cancelled")])
def test_a_leg_that_never_answered_ends_with_its_request(is_cancelled: bool, state: str) -> None:
    ended = facts(HEAD, event("leg_request", 5, leg=1), event("proxy_response", 9, cancelled=is_cancelled))
    assert [seen(span) for span in ended.spans] == [("leg", "1", 5, 9, state)]


@pytest.mark.parametrize(
    "fields, state",
    [
        ({"type": "tool_cancelled"}, "cancelled"),
        ({"type": "tool_result", "success": False, "denied": True}, "denied"),
        ({"type": "reader", "cancelled": True}, "cancelled"),
        ({"type": "direct_command", "return_code": 0}, "exit 0"),
        ({"type": "direct_command"}, "cancelled"),
        ({"type": "leg"}, "ended"),
    ],
)
def test_it_is_told_how_a_step_ended(fields: dict[str, Any], state: str) -> None:
    assert facts(HEAD, event("x", 5) | fields).spans[0].state == state


def test_a_refused_request_is_no_chat() -> None:
    refused = facts(*REFUSED)
    assert (refused.status, refused.is_chat, len(refused.errors)) == ("401", False, 1)


def test_a_request_whose_client_left_is_cancelled() -> None:
    assert facts(REQUEST, event("proxy_response", cancelled=True)).status == "cancelled"


@pytest.mark.contract("OW-33")
@pytest.mark.parametrize("value", [None, "x", -1, True, [], {"a": 1}, 1e299, 10**299])
def test_no_value_of_an_event_does_harm(value: Any) -> None:
    keys = ("at", "leg", "usage", "duration_ms", "call_id", "name", "status_code", "return_code", "model")
    types = ("leg", "leg_request", "tool_call", "tool_result", "reader", "proxy_response", "tomorrow")
    odd = [{"at": "", **dict.fromkeys(keys, value), "type": type} for type in types]
    assert facts(HEAD, *odd, event("leg", 3, leg=1)).id
