"""Takes the flows of old turns out of mitmproxy's view, which keeps them all: memory stays flat."""

from collections.abc import Callable, Collection

from mitmproxy import ctx, http
from mitmproxy.addons.view import View
from mitmproxy.flow import Flow

from werkzeugkoppler.labels import METADATA, is_marked_by_user


def prune(keep: int, running: Callable[[], Collection[str]]) -> None:
    """Take out the oldest turns, whole, until no more flows than `keep` are there; 0: no limit.

    What is held, marked by the user, or not at its end stays, with all of its turn.

    Args:
        running: The ids of the turns that have not ended.
    """
    view: View | None = ctx.master.addons.get("view") if keep else None
    if view is None or view.store_count() <= keep:
        return
    still_running = running()
    too_many = view.store_count() - keep
    for turn, flows in _turns(view).items():
        if too_many <= 0:
            return
        if turn not in still_running and not any(map(_is_wanted, flows)):
            too_many -= len(flows)
            for flow in flows:
                view.remove([flow])  # of several at a time an alert would be shown


def _turns(view: View) -> dict[str, list[Flow]]:
    """All flows by their turn, the oldest first; a flow of nobody's is its own."""
    turns: dict[str, list[Flow]] = {}
    for flow in view.resolve("@all"):
        turns.setdefault(flow.metadata.get(METADATA, {}).get("turn", flow.id), []).append(flow)
    return turns


def _is_wanted(flow: Flow) -> bool:
    is_marked = is_marked_by_user(flow) if isinstance(flow, http.HTTPFlow) else bool(flow.marked)
    return flow.intercepted or flow.live or is_marked
