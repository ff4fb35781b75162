"""Old turns leave mitmproxy's view, whole, and what somebody works with stays."""

from collections.abc import Callable, Generator

import pytest
from mitmproxy.addons.view import View
from mitmproxy.http import HTTPFlow
from mitmproxy.test.taddons import context
from mitmproxy.test.tflow import tflow

from werkzeugkoppler import labels
from werkzeugkoppler.retention import OTHERS, Run, prune


@pytest.fixture
def view() -> Generator[View]:
    with context(View()) as here:
        view: View = here.master.addons.get("view")
        yield view


def add(view: View, *turns: str) -> list[HTTPFlow]:
    """Add an ended flow for each turn that is named, in this order."""
    flows = [tflow() for _ in turns]
    for number, (flow, turn) in enumerate(zip(flows, turns, strict=True)):
        labels.begin(flow, {"turn": turn, "kind": "leg", "leg": number}, f"{turn}{number}")
        flow.live = False
    view.add(flows)
    return flows


def add_others(view: View, count: int, *kinds: str) -> list[HTTPFlow]:
    """Add requests that came to no turn: for each a flow of every kind that is named."""
    flows = [tflow() for _ in range(count) for _ in kinds]
    for number, flow in enumerate(flows):
        kind = kinds[number % len(kinds)]
        labels.begin(flow, {"turn": f"o{number // len(kinds)}", "kind": kind, "leg": 0}, kind)
        flow.live = False
    view.add(flows)
    return flows


def run(*running: str, turns: tuple[str, ...] = (), since: float = 0.0) -> Callable[[], Run]:
    return lambda: Run(since, set(running), {*running, *turns})


def left(view: View) -> list[str]:
    return [flow.metadata[labels.METADATA]["label"] for flow in view.resolve("@all")]


@pytest.mark.contract("BX-09")
def test_the_oldest_turns_go_whole(view: View) -> None:
    add(view, "a", "b", "a", "b", "c", "c", "d")
    prune(4, run())
    assert left(view) == ["c4", "c5", "d6"]  # of b only one flow would have had to go


@pytest.mark.parametrize("keep", [0, 4, 5])
def test_nothing_goes_below_the_limit(view: View, keep: int) -> None:
    add(view, "a", "b", "b", "c")
    prune(keep, run())
    assert len(left(view)) == 4


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("reason", ["running", "held", "marked", "live"])
def test_a_turn_that_somebody_needs_stays(view: View, reason: str) -> None:
    flows = add(view, "a", "a", "b", "c")
    flows[1].intercepted = reason == "held"
    flows[1].live = reason == "live"
    flows[1].marked = ":default:" if reason == "marked" else flows[1].marked
    prune(2, run("a") if reason == "running" else run())
    assert left(view) == ["a0", "a1"]


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("kinds", [("client",), ("client", "models")])
def test_what_is_no_turn_costs_no_turn(view: View, kinds: tuple[str, ...]) -> None:
    turns = add(view, "a", "a", "b", "c")
    others = add_others(view, OTHERS + 10, *kinds)
    prune(4, run())
    assert left(view)[:4] == ["a0", "a1", "b2", "c3"]
    assert view.resolve("@all")[4:] == others[-OTHERS:] and len(turns) == 4


def test_flows_of_nobody_are_no_turns(view: View) -> None:
    foreign = [tflow() for _ in range(OTHERS + 2)]
    for flow in foreign:
        flow.live = False
    view.add(foreign)
    add(view, "a")
    prune(1, run())
    assert view.store_count() == OTHERS + 1 and view.resolve("@all")[0] is foreign[2]


@pytest.mark.contract("BX-09")
def test_what_was_loaded_from_a_file_stays_and_does_not_count(view: View) -> None:
    loaded = add(view, "x", "x", "y")
    for flow in loaded:
        flow.timestamp_created = 5.0
    add(view, "a", "b", "c")
    prune(2, run(since=10.0))
    assert left(view) == ["x0", "x1", "y2", "b1", "c2"]


def test_what_was_loaded_and_then_replayed_is_a_turn_of_now(view: View) -> None:
    for flow in add(view, "x", "x"):
        flow.timestamp_created = 5.0
    add(view, "a", "b")
    prune(2, run(turns=("x",), since=10.0))
    assert left(view) == ["a0", "b1"]


def test_without_a_view_there_is_nothing_to_take_out() -> None:
    with context():
        prune(1, run())
