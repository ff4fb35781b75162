"""The turns of a file of flows, as mitmproxy saves them (`-w FILE`)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from mitmproxy import http
from mitmproxy.exceptions import FlowReadException
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.exchange import killed_leg
from werkzeugkoppler.flows import Kill, is_killed
from werkzeugkoppler.labels import METADATA, SHOWN_ID
from werkzeugkoppler.wire.printable import printable


class NotSaved(Exception):
    """The file does not hold what was asked of it; the message says so."""


@dataclass(slots=True)
class SavedTurn:
    """The flows of one turn, each kind in the order in which they were made."""

    id: str
    client: http.HTTPFlow | None = None
    legs: dict[int, list[http.HTTPFlow]] = field(default_factory=dict)
    """By their number; those that were asked again have several."""
    tools: list[http.HTTPFlow] = field(default_factory=list)
    commands: list[http.HTTPFlow] = field(default_factory=list)

    @property
    def is_playable(self) -> bool:
        """Something was asked, and the file has what the client sent."""
        return self.client is not None and bool(self.legs or self.commands)

    @property
    def shown_id(self) -> str:
        return printable(self.id[:SHOWN_ID])


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file holds."""

    turns: dict[str, SavedTurn]
    problem: str | None = None
    """Why it ends before its end."""


def read(path: Path) -> Saved:
    """Read a file.

    Raises:
        NotSaved: It cannot be read, or holds no flow of ours.
    """
    flows: dict[tuple[str, Any], http.HTTPFlow] = {}
    problem = None
    try:
        with path.open("rb") as file:
            try:
                for flow in FlowReader(file).stream():
                    for version in _versions(flow):
                        key = version.id, link_of(version).get("turn")
                        flows[key] = _counting(flows.get(key), version, is_original=version is not flow)
            except (FlowReadException, KeyError, AttributeError) as error:
                problem = f"{path} breaks off, or is no file of flows: {error}"
    except OSError as error:
        raise NotSaved(f"{path} cannot be read: {error.strerror}") from error
    turns = _turns(flows.values())
    if not turns:
        raise NotSaved(problem or f"{path} holds no turn: save flows with ./run.sh -- -w FILE")
    return Saved(turns, problem)


def _versions(flow: Flow) -> Iterator[http.HTTPFlow]:
    """A flow, and what it was before an operator replayed it: that belongs to its turn."""
    if not isinstance(flow, http.HTTPFlow):
        return
    yield flow
    if flow.is_replay is not None and flow.modified():
        original = flow.copy()
        original.revert()
        yield original


def _counting(known: http.HTTPFlow | None, version: http.HTTPFlow, *, is_original: bool) -> http.HTTPFlow:
    """Which of two versions of a flow counts: the one that was saved last, unless it was done again.

    An original is as old as the operator's first edit: what the file already has of it is as good or better,
    and where it was edited while held, it has no answer.
    """
    if known is None:
        return version
    if version.is_replay is not None:
        return known
    if not is_original:
        return version
    is_better = known.is_replay is not None and (version.response is not None or known.response is None)
    return version if is_better else known


def _turns(flows: Iterable[http.HTTPFlow]) -> dict[str, SavedTurn]:
    turns: dict[str, SavedTurn] = {}
    for flow in sorted(flows, key=lambda flow: flow.request.timestamp_start):
        link = link_of(flow)
        kind, id, leg = link.get("kind"), link.get("turn"), link.get("leg")
        if not isinstance(id, str) or not isinstance(leg, int) or not _is_timed(flow):
            continue  # somebody else's
        turn = turns.setdefault(id, SavedTurn(id))
        match kind:
            case "client":
                turn.client = flow
            case "leg":
                turn.legs.setdefault(leg, []).append(flow)
            case "tool":
                turn.tools.append(flow)
            case "command":
                turn.commands.append(flow)
    return turns


def _is_timed(flow: http.HTTPFlow) -> bool:
    """Its times are times: a file can hold any number."""
    times = [flow.request.timestamp_start, flow.request.timestamp_end]
    times.append(flow.response.timestamp_end if flow.response is not None else None)
    times.append(flow.error.timestamp if flow.error is not None else None)
    return all(isfinite(time) for time in times if time is not None)


# What a flow holds


def link_of(flow: http.HTTPFlow) -> dict[str, Any]:
    """What the flow says of its turn; empty for one of somebody else's."""
    link = flow.metadata.get(METADATA)
    return link if isinstance(link, dict) else {}


def asked_body(flow: http.HTTPFlow) -> bytes:
    """The request's body as it was made, before an operator or a script edited it."""
    made = link_of(flow).get("made")
    if isinstance(made, bytes):
        return made
    if flow.modified():  # edited when all was over: it was never sent so
        original = flow.copy()
        original.revert()
        flow = original
    return flow.request.get_content(strict=False) or b""


def content_of(flow: http.HTTPFlow) -> bytes:
    """The answer's body; edits count."""
    return b"" if flow.response is None else flow.response.get_content(strict=False) or b""


def pieces_of(flow: http.HTTPFlow) -> list[tuple[int, bytes]]:
    """The answer in the pieces that it came in, each with the milliseconds since it was asked for."""
    content, pieces, begin = content_of(flow), [], 0
    for end, ms in _pairs(flow, "arrivals", int, int):
        if begin < end <= len(content):
            pieces.append((ms, content[begin:end]))
            begin = end
    if begin < len(content):
        pieces.append((duration_of(flow), content[begin:]))
    return pieces


def said_in(flow: http.HTTPFlow) -> list[tuple[int, str]]:
    """What a tool said while it ran, each line with the milliseconds since it was called."""
    return _pairs(flow, "said", int, str)


def lacking_of(flow: http.HTTPFlow) -> list[str]:
    """The costs of a tool that were not authorized."""
    costs = link_of(flow).get("lacks")
    return [str(cost) for cost in costs] if isinstance(costs, list) else []


def _pairs[A, B](flow: http.HTTPFlow, key: str, first: type[A], second: type[B]) -> list[tuple[A, B]]:
    """A list of pairs that the flow has, as far as it is one."""
    pairs = link_of(flow).get(key)
    return [
        (pair[0], pair[1])
        for pair in (pairs if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2
        if isinstance(pair[0], first) and isinstance(pair[1], second)
    ]


def duration_of(flow: http.HTTPFlow) -> int:
    """Milliseconds from the request's end to the answer's end, as far as the flow knows them."""
    began, ended = flow.request.timestamp_end, flow.response.timestamp_end if flow.response else None
    ended = ended or (flow.error.timestamp if flow.error is not None else None)
    return max(0, round((ended - began) * 1000)) if began and ended else 0


def failure_of(flow: http.HTTPFlow) -> UpstreamError | None:
    """What the turn was told besides, or in place of, the answer that the flow holds."""
    if is_killed(flow):
        return killed_leg()
    failed = link_of(flow).get("failed")
    if flow.error is None or (flow.response is not None and not isinstance(failed, dict)):
        return None  # what is wrong with an answer shows again when it is read
    told = failed if isinstance(failed, dict) else {}
    cause = Cause.__members__.get(str(told.get("cause")))
    return UpstreamError(flow.error.msg, cause=cause, can_retry=bool(told.get("can_retry")))


def kill_of(flow: http.HTTPFlow) -> Kill:
    """When an operator killed a call: before it, while it ran, or when it had been done."""
    if flow.response is not None:
        return Kill.AFTER
    return Kill.DURING if link_of(flow).get("begun") else Kill.BEFORE
