"""What a turn's flows are called in a list, and how they are marked (BX-09).

A comment and a marker are the user's as well: what somebody wrote there is left alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count as count_up
from typing import Any

from mitmproxy import connection, ctx, http
from mitmproxy.flow import Error
from mitmproxy.hooks import UpdateHook

from werkzeugkoppler.errors import UpstreamError
from werkzeugkoppler.wire.glance import MAX_NOTES, count, duration, exit_code, glance, size
from werkzeugkoppler.wire.printable import printable

METADATA = "werkzeugkoppler"
"""The key in `flow.metadata` under which a flow tells which turn it belongs to."""

MARKERS = {
    "client": ":speech_balloon:",
    "leg": ":robot:",
    "models": ":clipboard:",
    "tool": ":wrench:",
    "reader": ":mag:",
    "command": ":computer:",
}
"""Of each kind of flow, by mitmproxy's names for them."""
DENIED_STATUS = 403
"""Of a flow whose work was not done because nobody, or no setting, allowed it."""
FAILED = ":x:"
"""Of a flow that failed, whatever its kind."""

SHOWN_ID = 6
"""Characters of a turn's id in a comment: enough for a thousand turns, and short."""

STEP_SECONDS = 1e-6
"""Between the flows of a turn in lists: a float can tell a quarter of it apart."""

MAX_ABOUT = 80
"""Characters of what an exchange waits for, in a comment."""

_OF_ANSWER = ("arrivals", "repairs", "failed")
"""What `flow.metadata` says of an answer."""


type Plain = str | int | Sequence[str | int] | Sequence[Sequence[str | int]]
"""What `flow.metadata` may hold: anything else could not be saved."""


@dataclass(frozen=True, slots=True)
class Link:
    """Which turn a flow belongs to."""

    client_conn: connection.Client
    turn: str
    leg: int = 0
    """From 1; 0 before the first."""
    began: float = 0.0
    """When the client's flow was made, in seconds since the epoch; 0: the turn has none."""

    marked: Iterator[int] = field(default_factory=count_up, compare=False, repr=False)
    """Counts the flows of the turn, the client's first."""

    @property
    def client_addr(self) -> str:
        """Where the client is, as `host:port`."""
        return ":".join(map(str, self.client_conn.peername[:2]))

    def mark(self, flow: http.HTTPFlow, kind: str, label: str, **more: Plain) -> None:
        """Write the link on a flow, for people and for programs.

        Args:
            kind: One of `MARKERS`.
            label: What it is called, whatever becomes of it.
            more: Further entries of `flow.metadata`.
        """
        # Flows are listed by the time they were made at: those of a turn stand together, in their order.
        if self.began:
            flow.timestamp_created = self.began + next(self.marked) * STEP_SECONDS
        begin(flow, {"turn": self.turn, "kind": kind, "leg": self.leg, **more}, label)


def begin(flow: http.HTTPFlow, link: dict[str, Any], label: str) -> None:
    """Name a flow whose work has not been done yet.

    Args:
        link: What `flow.metadata` says from now on: `turn`, `kind`, `leg` and more, plain values alone.
        label: What it is called, whatever becomes of it.
    """
    before = flow.metadata.get(METADATA, {})  # of a flow that is replayed
    ours = {key: before[key] for key in ("comment", "marker") if key in before}
    flow.metadata[METADATA] = {**link, "label": label, **ours}
    _write(flow, [label], MARKERS[link["kind"]])


def exchange_of(flow: http.HTTPFlow) -> dict[str, Any] | None:
    """What a flow's metadata says of the exchange that it shows; `None` where it shows none.

    A flow may come from a file that anybody has written.
    """
    link = flow.metadata.get(METADATA)
    if not isinstance(link, dict) or not {"turn", "kind", "leg", "label"} <= link.keys():
        return None
    return link if link["kind"] in list(MARKERS) and link["kind"] != "client" else None


def begin_again(flow: http.HTTPFlow) -> None:
    """Name an exchange that is done once more: what was known of its old answer goes."""
    link = flow.metadata[METADATA]
    for key in _OF_ANSWER:
        link.pop(key, None)
    _write(flow, [link["label"]], MARKERS[link["kind"]])


def note_begun(flow: http.HTTPFlow) -> None:
    """Say that the work has begun: a kill breaks it off, and denies it no more."""
    flow.metadata[METADATA]["begun"] = 1


def wait(flow: http.HTTPFlow, about: str = "") -> None:
    """Say that an exchange waits for somebody to decide on it.

    Args:
        about: What it asks for, where that is more than to be done.
    """
    words = "waits for approval"
    words += f": {about[:MAX_ABOUT]}{'...' if len(about) > MAX_ABOUT else ''}" if about else ""
    link = flow.metadata[METADATA]
    _write(flow, [link["label"], words], MARKERS[link["kind"]])


def wait_no_more(flow: http.HTTPFlow) -> None:
    """Name an exchange as it was before."""
    link = flow.metadata[METADATA]
    _write(flow, [link["label"]], MARKERS[link["kind"]])


def note_repairs(flow: http.HTTPFlow, repairs: Sequence[str]) -> None:
    """Say what had to be mended in the answer (BX-02)."""
    if repairs:
        flow.metadata[METADATA]["repairs"] = list(repairs)


def note_made(flow: http.HTTPFlow, body: bytes) -> None:
    """Say what the request was before somebody edited it."""
    flow.metadata[METADATA]["made"] = body


def note_failure(flow: http.HTTPFlow, error: UpstreamError) -> None:
    """Say why no whole answer came; the flow's error has the words."""
    cause = error.cause.name if error.cause is not None else ""
    flow.metadata[METADATA]["failed"] = {"cause": cause, "can_retry": error.can_retry}


def note_settings(flow: http.HTTPFlow, settings: Mapping[str, Any]) -> None:
    """Say which settings decide how the turn goes, for who plays it again (BX-12).

    Args:
        settings: See `config.kept`.
    """
    flow.metadata[METADATA]["settings"] = settings


def note_arrivals(flow: http.HTTPFlow, points: Sequence[Sequence[int]]) -> None:
    """Say when how much of the answer had come: pairs of bytes and milliseconds since it was asked for."""
    flow.metadata[METADATA]["arrivals"] = [list(point) for point in points]


def end(flow: http.HTTPFlow) -> None:
    """Name an exchange for what came of it."""
    link = flow.metadata[METADATA]
    outcome, is_failed = _outcome(flow, link)
    took = []
    if flow.response is not None and flow.response.timestamp_end and flow.request.timestamp_end:
        took = [duration(flow.response.timestamp_end - flow.request.timestamp_end)]
    repairs = link.get("repairs")
    mended = [f"repaired: {', '.join(repairs)}"] if repairs else []
    marker = FAILED if is_failed else MARKERS[link["kind"]]
    _write(flow, [link["label"], *outcome, *took, *mended], marker)


def end_turn(flow: http.HTTPFlow, news: Sequence[str], is_failed: bool, what: str | None = None) -> None:
    """Name a client's flow for what came of it.

    Args:
        what: What was asked, where it was no turn.
    """
    turn = f"turn {flow.metadata[METADATA]['turn'][:SHOWN_ID]}"
    parts = [turn, *news] if what is None else [what, *news, turn]
    _rename(flow, " · ".join(parts), FAILED if is_failed else MARKERS["client"])


def tell_view(flow: http.HTTPFlow) -> None:
    """Let what shows flows look at this one again."""
    ctx.master.addons.trigger(UpdateHook([flow]))


def is_marked_by_user(flow: http.HTTPFlow) -> bool:
    """Whether somebody marked the flow, other than we did."""
    return bool(flow.marked) and flow.marked != flow.metadata.get(METADATA, {}).get("marker")


def _outcome(flow: http.HTTPFlow, link: dict[str, Any]) -> tuple[list[str], bool]:
    """What came of an exchange, in few words, and whether it failed."""
    if flow.error is not None:
        killed = "denied" if link["kind"] == "tool" and not link.get("begun") else "killed"
        words = {Error.KILLED_MESSAGE: killed, "cancelled": "cancelled"}
        return [words.get(flow.error.msg, "failed")], True
    if flow.response is None:
        return [], False
    content = flow.response.raw_content or b""
    if link["kind"] not in ("leg", "models"):
        status = flow.response.status_code
        word = "ok" if status < 400 else "denied" if status == DENIED_STATUS else "failed"
        end = content[-MAX_NOTES:].decode("utf-8", "replace")
        if link["kind"] == "tool" and word == "ok" and (code := exit_code(end)) is not None:
            word = f"exit {code}"
        return [word, size(len(content))], word != "ok"
    if not 200 <= flow.response.status_code < 300:
        return [str(flow.response.status_code)], True
    if link["kind"] == "models":
        return [size(len(content))], False
    found = glance(content)
    tokens = [count(found.tokens, "token")] if found.tokens is not None else []
    return [found.finish or "no finish", *tokens], False


def _write(flow: http.HTTPFlow, parts: Sequence[str], marker: str) -> None:
    link = flow.metadata[METADATA]
    parts = [*parts, f"leg {link['leg']}"] if link["leg"] and link["kind"] != "leg" else parts
    _rename(flow, " · ".join([*parts, f"turn {link['turn'][:SHOWN_ID]}"]), marker)


def _rename(flow: http.HTTPFlow, comment: str, marker: str) -> None:
    link, comment = flow.metadata[METADATA], printable(comment)
    if flow.comment in ("", link.get("comment")):
        flow.comment = link["comment"] = comment
    if flow.marked in ("", link.get("marker")):
        flow.marked = link["marker"] = marker
