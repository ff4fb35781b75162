"""Takes the flows of old turns out of mitmproxy's view, which keeps them all: memory stays flat."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from mitmproxy import ctx, http
from mitmproxy.addons.view import View
from mitmproxy.flow import Flow

from werkzeugkoppler.labels import METADATA, exchange_of, is_marked_by_user

OTHERS = 50
"""Flows that are kept of what is no turn: health checks, lists of models, refused requests."""

type Turns = Mapping[str, list[Flow]]
"""Flows by their turn's id."""


class Run(NamedTuple):
    """What is known of the turns since the proxy was started."""

    since: float
    """In seconds since the epoch; a flow that was made before is from a file."""
    running: Collection[str]
    """The ids of those that have not ended."""
    turns: Collection[str]
    """The ids of those whose client's flow is still there: also of one from a file that was replayed."""


def prune(keep: int, run: Callable[[], Run]) -> None:
    """Take out the oldest turns, whole, until no more flows than `keep` are there; 0: no limit.

    What is held, marked by the user, or not at its end stays, with all of its turn. What is no turn is
    bounded apart, and what was loaded from a file stays: neither costs a turn.
    """
    view: View | None = ctx.master.addons.get("view") if keep else None
    if view is None or view.store_count() <= keep:
        return
    now = run()
    own = {turn: flows for turn, flows in _turns(view).items() if turn in now.turns or _is_of(now, flows)}
    turns = {turn: flows for turn, flows in own.items() if any(map(_is_work, flows))}
    others = {turn: flows for turn, flows in own.items() if turn not in turns}
    _cut(view, turns, keep, now.running)
    _cut(view, others, OTHERS, now.running)


def _cut(view: View, turns: Turns, keep: int, running: Collection[str]) -> None:
    too_many = sum(map(len, turns.values())) - keep
    for turn, flows in turns.items():
        if too_many <= 0:
            return
        if turn not in running and not any(map(_is_wanted, flows)):
            too_many -= len(flows)
            for flow in flows:
                view.remove([flow])  # of several at a time an alert would be shown


def _turns(view: View) -> Turns:
    """All flows by their turn, the oldest first; a flow of nobody's is its own."""
    turns: dict[str, list[Flow]] = {}
    for flow in view.resolve("@all"):
        link = flow.metadata.get(METADATA)
        turns.setdefault(str(link["turn"]) if _has_turn(link) else flow.id, []).append(flow)
    return turns


def _has_turn(link: object) -> bool:
    return isinstance(link, dict) and "turn" in link  # a file may say anything


def _is_of(run: Run, flows: list[Flow]) -> bool:
    return any(flow.timestamp_created >= run.since for flow in flows)


def _is_work(flow: Flow) -> bool:
    """Whether a flow is what makes a request a turn: a leg, a tool call, a reader, a command."""
    link = exchange_of(flow) if isinstance(flow, http.HTTPFlow) else None
    return link is not None and link["kind"] != "models"


def _is_wanted(flow: Flow) -> bool:
    is_marked = is_marked_by_user(flow) if isinstance(flow, http.HTTPFlow) else bool(flow.marked)
    return flow.intercepted or flow.live or is_marked
