"""A client's request on its way through: what is held on its behalf, and how that is let go."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from mitmproxy import connection, http

from werkzeugkoppler import labels
from werkzeugkoppler.endpoints.call import Reply, Streamed
from werkzeugkoppler.endpoints.routes import Route
from werkzeugkoppler.errors import ApiError, Headers
from werkzeugkoppler.gate.limits import Slot
from werkzeugkoppler.labels import Link
from werkzeugkoppler.retention import Run, prune
from werkzeugkoppler.source import Outlet, Source
from werkzeugkoppler.stacks import Hold
from werkzeugkoppler.trace_writer import TraceWriter
from werkzeugkoppler.traces import Content, Trace, begin
from werkzeugkoppler.upload import Upload
from werkzeugkoppler.wire.glance import duration

TRACE_HEADER = "X-Werkzeugkoppler-Trace-Id"
MAX_PATH_CHARS = 200
"""Of a path in a trace."""

type Address = tuple[str, int, bytes, bytes]
"""Host, port, scheme and path of a request."""


@dataclass(slots=True, eq=False)
class Visit:
    """One request of a client's."""

    link: Link
    trace: Trace
    began: float
    """On the monotonic clock, in seconds."""
    address: Address
    """What the client asked for."""
    method: str
    route: Route | None = None
    has_key: bool = False
    slot: Slot | None = None
    hold: Hold | None = None
    parked: str | None = None
    upload: Upload | None = None
    task: asyncio.Task[Reply | Streamed] | None = None
    writing: asyncio.Task[None] | None = None
    """Writes the answer to the source's connection."""
    outlet: Outlet | None = None
    """Where it is written to."""
    is_answered: bool = False
    is_broken_off: bool = False
    is_over: bool = False
    is_named: bool = False
    replay_of: str | None = None
    """The turn of which an exchange is done once more; nobody but mitmproxy's user waits for it."""

    @property
    def headers(self) -> Headers:
        """What every response has (F10)."""
        return ((TRACE_HEADER, self.trace.id),)

    def line(self, status: int | None, ms: int, now: datetime) -> str:
        """A line about its end (OW-68).

        Args:
            status: `None` where the client left before the answer's end; shown as `-`.
            ms: Milliseconds from the head of the request to the end of the answer.
        """
        # Without its query, which may hold a key.
        path = self.address[3].partition(b"?")[0].decode("ascii", "backslashreplace")
        line = f"{self.link.client_addr} {self.method} {path} {status or '-'} {ms}ms"
        # A path, or a method, may hold what moves a terminal's cursor.
        shown = "".join(character if character.isprintable() else "?" for character in line)
        return f"{now.isoformat(timespec='milliseconds')} {shown}"

    def break_off(self) -> None:
        """End what answers it; whoever waits for that tells the client."""
        task = self.writing or self.task
        self.is_broken_off = task is None or task.cancel()  # not what has ended, and is on its way

    def note_request(self) -> None:
        """Trace what is known of any request from its head, once; a chat's is told by its endpoint."""
        if self.trace.has("proxy_request"):
            return
        path = self.address[3].partition(b"?")[0].decode("utf-8", "replace")  # a query may hold a key
        self.trace.add(
            "proxy_request",
            at=self.trace.began,
            request_id=self.trace.id,
            client_addr=self.link.client_addr,
            method=self.method,
            replay_of=self.replay_of,
            path=Content(path[:MAX_PATH_CHARS]),  # a base URL may be a key's place, by mistake
        )

    def note_refusal(self, error: ApiError) -> None:
        """Trace a request whose body is not looked at any more."""
        self.is_answered = True
        self.note_request()
        self.trace.add_error(error)

    def put_back(self, flow: http.HTTPFlow) -> None:
        """Let the flow show what the client sent. Not before the answer: mitmproxy would carry it there."""
        set_address(flow, self.address)

    def name(self, flow: http.HTTPFlow, outcome: str | int) -> None:
        """Name the flow for what came of it, once.

        Args:
            outcome: The status, or why the answer was broken off.
        """
        if self.is_named or labels.METADATA not in flow.metadata:
            return
        self.is_named = True
        if self.replay_of is not None:
            labels.end(flow)
            return
        is_failed = isinstance(outcome, str) or not 200 <= outcome < 300
        news = self.trace.tally.news()
        how = [str(outcome)] if is_failed else []
        news += [*how, duration(time.monotonic() - self.began)]
        is_turn = self.route is None or self.route.takes_slot
        labels.end_turn(flow, news, is_failed, None if is_turn else flow.request.path.rpartition("/")[2])


class Visits:
    """The requests that are under way."""

    def __init__(self, source: Source, log_line: Callable[[str], None] | None = None) -> None:
        self.traces: TraceWriter | None = None
        self.keep_flows = 0
        """See `retention.prune`."""
        self._source = source
        self._log_line = log_line
        self._since = time.time()
        self._of_flow: WeakKeyDictionary[http.HTTPFlow, Visit] = WeakKeyDictionary()
        self._of_client: dict[str, set[Visit]] = {}

    def receive(self, flow: http.HTTPFlow) -> Visit:
        """A visit for a client's flow that has just come."""
        keeps_content = self.traces is not None and self.traces.keeps_content
        trace = begin(secrets.token_hex(8), keeps_content=keeps_content)
        is_replay = flow.is_replay == "request"
        client = flow.client_conn.copy() if is_replay else flow.client_conn  # who asked once may leave now
        link = Link(client, trace.id, began=flow.timestamp_created)
        visit = Visit(link, trace, time.monotonic(), _address(flow), flow.request.method)
        if (exchange := labels.exchange_of(flow)) is not None:
            visit.replay_of, visit.address = str(exchange["turn"]), _shown_address(flow)
        self._of_flow[flow] = visit
        self._of_client.setdefault(client.id, set()).add(visit)
        return visit

    def let_in(self, visit: Visit) -> None:
        """From now on its events are written, unless it only asks how we are."""
        if visit.route is not None and not visit.route.is_open:
            visit.trace.send_to(self._write)

    def refuse(self, visit: Visit, error: ApiError) -> None:
        """Note that a request was refused from its head alone (OW-30)."""
        visit.trace.is_refused = True
        visit.note_refusal(error)
        visit.trace.send_to(self._write)

    def get(self, flow: http.HTTPFlow) -> Visit | None:
        """The flow's visit; `None` for an exchange of ours."""
        return self._of_flow.get(flow)

    def leave(self, client: connection.Client) -> None:
        """End what a client left behind."""
        for visit in list(self._of_client.get(client.id, ())):
            self.end(visit, None, "client_left")

    def break_off(self, visit: Visit, flow: http.HTTPFlow) -> None:
        """End a visit whose flow has an error."""
        visit.put_back(flow)
        visit.name(flow, "cancelled")
        labels.tell_view(flow)  # it was told of the end before the flow had this name
        self.end(visit, flow)

    @property
    def under_way(self) -> list[Visit]:
        """Those that have not ended."""
        return [visit for visits in self._of_client.values() for visit in visits]

    def stop_replays(self) -> None:
        """End the exchanges that are done once more."""
        for flow, visit in list(self._of_flow.items()):
            if visit.replay_of is not None and not visit.is_over and flow.killable:
                flow.kill()
                labels.tell_view(flow)

    def end_all(self) -> None:
        self.stop_replays()  # of what has no answer mitmproxy would make a request of its own
        for visit in self.under_way:
            self.end(visit, None, "shutdown")

    def end(self, visit: Visit, flow: http.HTTPFlow | None, why: str = "client_left") -> None:
        """Let go of everything, once.

        Args:
            flow: `None` where nobody waits for the answer any more.
            why: The reason for that, or for an error of the flow.
        """
        if visit.is_over:
            return
        visit.is_over = True
        client_id = visit.link.client_conn.id
        self._of_client[client_id].discard(visit)
        if not self._of_client[client_id]:
            del self._of_client[client_id]
        if visit.parked is not None:
            self._source.forget(visit.parked)
        if visit.slot is not None:
            visit.slot.free()
        if visit.hold is not None:
            visit.hold.free()
        if visit.task is not None:
            visit.task.cancel()
        self._log_end(visit, flow)
        _trace_end(visit, flow, why)
        prune(self.keep_flows, self._run)

    def _run(self) -> Run:
        running = {visit.link.turn for visit in self.under_way}
        return Run(self._since, running, {visit.link.turn for visit in self._of_flow.values()})

    def _log_end(self, visit: Visit, flow: http.HTTPFlow | None) -> None:
        if self._log_line is not None:
            response = flow.response if flow is not None and flow.error is None else None
            status = None if response is None else response.status_code
            ms = round((time.monotonic() - visit.began) * 1000)
            self._log_line(visit.line(status, ms, datetime.now(UTC)))

    def _write(self, trace: Trace) -> None:
        if self.traces is not None:
            self.traces.write(trace)


def _trace_end(visit: Visit, flow: http.HTTPFlow | None, why: str) -> None:
    visit.note_request()
    response = flow.response if flow is not None else None
    why = "shutdown" if visit.is_broken_off else why
    is_cancelled = flow is None or flow.error is not None or visit.is_broken_off
    body = len(response.raw_content or b"") if response is not None else 0
    visit.trace.add(
        "proxy_response",
        request_id=visit.trace.id,
        status_code=response.status_code if response is not None else None,
        duration_ms=round((time.monotonic() - visit.began) * 1000),
        bytes_written=body if visit.outlet is None else visit.outlet.written,
        cancelled=is_cancelled,
        cancelled_by=why if is_cancelled else None,
        **visit.trace.closing,
    )


def set_address(flow: http.HTTPFlow, address: Address) -> None:
    """Say where mitmproxy is to carry a request."""
    # By way of `data`: the properties would change the Host header too, which shows what the client asked.
    data = flow.request.data
    data.host, data.port, data.scheme, data.path = address


def _address(flow: http.HTTPFlow) -> Address:
    """Where the client sent its request: the address that it reached, not the dead end behind it."""
    data = flow.request.data
    host, port = (flow.client_conn.sockname or (data.host, data.port))[:2]
    return host, port, data.scheme, data.path


def _shown_address(flow: http.HTTPFlow) -> Address:
    data = flow.request.data
    return data.host, data.port, data.scheme, data.path
