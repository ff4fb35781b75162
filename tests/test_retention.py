"""Old turns leave mitmproxy's view, whole, and what somebody works with stays."""

from collections.abc import Generator

import pytest
from mitmproxy.addons.view import View
from mitmproxy.http import HTTPFlow
from mitmproxy.test.taddons import context
from mitmproxy.test.tflow import tflow

from werkzeugkoppler import labels
from werkzeugkoppler.retention import prune


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


def left(view: View) -> list[str]:
    return [flow.metadata[labels.METADATA]["label"] for flow in view.resolve("@all")]


@pytest.mark.contract("BX-09")
def test_the_oldest_turns_go_whole(view: View) -> None:
    add(view, "a", "b", "a", "b", "c", "c", "d")
    prune(4, set)
    assert left(view) == ["c4", "c5", "d6"]  # of b only one flow would have had to go


@pytest.mark.parametrize("keep", [0, 4, 5])
def test_nothing_goes_below_the_limit(view: View, keep: int) -> None:
    add(view, "a", "b", "b", "c")
    prune(keep, set)
    assert len(left(view)) == 4


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("reason", ["running", "held", "marked", "live"])
def test_a_turn_that_somebody_needs_stays(view: View, reason: str) -> None:
    flows = add(view, "a", "a", "b", "c")
    flows[1].intercepted = reason == "held"
    flows[1].live = reason == "live"
    flows[1].marked = ":default:" if reason == "marked" else flows[1].marked
    prune(2, lambda: {"a"} if reason == "running" else set())
    assert left(view) == ["a0", "a1"]


def test_flows_of_nobody_go_one_by_one(view: View) -> None:
    foreign = [tflow() for _ in range(3)]
    for flow in foreign:
        flow.live = False
    view.add(foreign)
    add(view, "a")
    prune(2, set)
    assert [flow.id for flow in view.resolve("@all")][0] == foreign[2].id and view.store_count() == 2


def test_without_a_view_there_is_nothing_to_take_out() -> None:
    with context():
        prune(1, set)
