"""The addon's hooks and their error boundary: what is this flow, and who answers it.

A hook that raises would let its request through (mitmproxy logs it and carries on). Therefore every
hook that decides has a boundary, and the address that mitmproxy would carry on to is one that nobody
serves.
"""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from anyio import move_on_after, to_thread
from mitmproxy import connection, http
from mitmproxy.addonmanager import Loader
from mitmproxy.exceptions import OptionsError
from mitmproxy.utils.asyncio_utils import create_task

from werkzeugkoppler import options
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints import routes
from werkzeugkoppler.endpoints.call import Call, Reply, Streamed, error_reply
from werkzeugkoppler.errors import ApiError, ConfigError, Headers, internal_error
from werkzeugkoppler.exchange import METADATA, Link, released, response
from werkzeugkoppler.gate import auth
from werkzeugkoppler.gate.limits import Slot, Slots, check_size
from werkzeugkoppler.source import Outlet, Source
from werkzeugkoppler.stack import Stack
from werkzeugkoppler.traces import Trace, TraceWriter, begin
from werkzeugkoppler.upload import Upload

TRACE_HEADER = "X-Werkzeugkoppler-Trace-Id"
OPEN_SECONDS = 10.0
"""How long a request waits for the addon to have started."""
CLOSE_SECONDS = 5.0
"""How long everything may take to stop: as the graceful window of the original (A2)."""
REDACTED_HEADERS = ("authorization", "proxy-authorization", "x-api-key", "api-key")
"""A flow is saved, exported and looked at: what is in these is taken out (BX-17)."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Visit:
    """A client's request on its way through, and what is held on its behalf."""

    link: Link
    trace: Trace
    began: float
    address: tuple[str, int, bytes, bytes]
    """What the client asked for: host, port, scheme, path."""
    route: routes.Route | None = None
    has_key: bool = False
    slot: Slot | None = None
    parked: str | None = None
    upload: Upload | None = None
    task: asyncio.Task[Reply | Streamed] | None = None
    is_answered: bool = False
    is_over: bool = False

    @property
    def headers(self) -> Headers:
        return ((TRACE_HEADER, self.trace.id),)


class Werkzeugkoppler:
    """The addon.

    Args:
        settings: The config; where it is `None` the option `koppler_config` names the file.
        announce: Called once everything has started.
    """

    def __init__(
        self, settings: Settings | None = None, announce: Callable[[Stack], None] | None = None
    ) -> None:
        self._settings = settings
        self._is_launched = settings is not None
        self._announce = announce
        self._stack: Stack | None = None
        self._traces: TraceWriter | None = None
        self._source = Source()
        self._slots = Slots()
        self._opened = asyncio.Event()
        self._visits: WeakKeyDictionary[http.HTTPFlow, Visit] = WeakKeyDictionary()
        self._by_client: dict[str, set[Visit]] = {}

    # Its life

    def load(self, loader: Loader) -> None:
        options.add_options(loader)

    def configure(self, updated: set[str]) -> None:
        if self._is_launched or "koppler_config" not in updated:
            return
        try:
            self._settings = options.read_settings()
        except ConfigError as error:
            raise OptionsError(str(error)) from error

    def running(self) -> None:
        if not self._is_launched:
            options.pin()
        create_task(self._open(), name="werkzeugkoppler start", keep_ref=True)

    def done(self) -> Awaitable[None]:
        # Not a coroutine function: mitmproxy calls `done` without awaiting when it reloads the script.
        return create_task(self._close(), name="werkzeugkoppler stop", keep_ref=True)

    # A request, in the order of its events

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or not flow.live:
            return
        visit = self._receive(flow)
        with self._boundary(flow, visit):
            self._admit(flow, visit)

    async def request(self, flow: http.HTTPFlow) -> None:
        visit = self._visits.get(flow)
        if visit is None or visit.is_answered or flow.response or flow.error or not flow.live:
            return
        if visit.upload is not None:
            flow.request.data.content = visit.upload.body()
        await released(flow)
        if flow.error:
            return  # killed while it was held
        visit.task = create_task(self._answer(flow, visit), name=f"turn {visit.trace.id}", keep_ref=True)
        try:
            reply = await visit.task
        except asyncio.CancelledError:
            if visit.is_over:
                return  # the client left
            raise
        self._give(flow, visit, reply)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        visit = self._visits.get(flow)
        if visit is None or flow.response is None:
            return
        if visit.parked is not None:
            flow.response.stream = True
        self._put_back(flow, visit)

    def response(self, flow: http.HTTPFlow) -> None:
        visit = self._visits.get(flow)
        if visit is not None:
            self._end(visit, flow)

    def error(self, flow: http.HTTPFlow) -> None:
        visit = self._visits.get(flow)
        if visit is not None:
            self._put_back(flow, visit)
            self._end(visit, flow)

    def client_disconnected(self, client: connection.Client) -> None:
        for visit in list(self._by_client.get(client.id, ())):
            self._end(visit, None)

    # How it starts and stops

    async def _open(self) -> None:
        assert self._settings is not None  # configure comes first
        settings = self._settings
        options.set_log_levels(settings.logging.level)
        if settings.traces.enabled:
            self._traces = TraceWriter(
                settings.traces.folder(os.environ),
                keep_seconds=settings.traces.keep_days * 86400,
                keep_bytes=settings.traces.keep_bytes,
            )
            self._traces.open()
        self._stack = Stack(settings)
        await self._source.open()
        await self._stack.open()
        self._opened.set()
        await self._stack.toolbox.settled()
        if self._announce is not None:
            self._announce(self._stack)

    async def _close(self) -> None:
        for visits in list(self._by_client.values()):
            for visit in list(visits):
                self._end(visit, None)
        self._source.close()
        with move_on_after(CLOSE_SECONDS):
            if self._stack is not None:
                await self._stack.close()
        if self._traces is not None:
            await to_thread.run_sync(self._traces.close)

    # What a request is, and whether it is let in

    def _receive(self, flow: http.HTTPFlow) -> Visit:
        trace = begin(secrets.token_hex(8))
        link = Link(flow.client_conn, trace.id)
        visit = Visit(link, trace, time.monotonic(), _address(flow))
        self._visits[flow] = visit
        self._by_client.setdefault(flow.client_conn.id, set()).add(visit)
        return visit

    def _admit(self, flow: http.HTTPFlow, visit: Visit) -> None:
        headers = flow.request.headers
        authorization = headers.get("authorization")
        for name in REDACTED_HEADERS:
            if name in headers:
                headers[name] = "[removed]"
        if METADATA in flow.metadata and flow.metadata[METADATA]["kind"] != "client":
            problem = "this is a part of a turn: replay the client's request instead"
            raise ApiError(409, problem, code="not_a_client_request")
        visit.link.mark(flow, "client", "client")
        assert self._settings is not None
        settings = self._settings
        # Only mitmproxy's own user can replay, and the key is no longer in the flow.
        key = None if flow.is_replay == "request" else settings.service_api_key
        visit.has_key = auth.is_allowed(authorization, key)
        if not routes.is_open(flow.request.path):
            auth.check(authorization, key)
        visit.route = routes.find(flow.request.method, flow.request.path)
        if visit.route.takes_slot:
            visit.slot = self._slots.take(settings.max_concurrent_requests)
        if headers.get("content-encoding", "identity").lower() != "identity":
            problem = "send the request body without a Content-Encoding"
            raise ApiError(415, problem, code="unsupported_content_encoding")
        check_size(_length(headers.get("content-length")), settings.max_request_bytes)
        if "transfer-encoding" in headers:
            visit.upload = Upload(settings.max_request_bytes)
            flow.request.stream = visit.upload
            self._point_at_source(flow, visit, visit.upload.write)

    @contextmanager
    def _boundary(self, flow: http.HTTPFlow, visit: Visit) -> Iterator[None]:
        """Fail closed: whatever goes wrong in here, the request is answered by us."""
        try:
            yield
        except ApiError as error:
            self._refuse(flow, visit, error)
        except Exception:  # boundary
            logger.exception("A request's head could not be handled")
            self._refuse(flow, visit, internal_error())

    def _refuse(self, flow: http.HTTPFlow, visit: Visit, error: ApiError) -> None:
        """Answer from the request's head alone, without waiting for a body that is announced (OW-15)."""
        visit.is_answered = True
        reply = error_reply(error)
        headers = flow.request.headers
        if _length(headers.get("content-length")) or "transfer-encoding" in headers:

            async def write(outlet: Outlet, headers: Headers) -> None:
                outlet.reply(reply.status, (*reply.headers, *headers), reply.body)

            flow.request.stream = lambda data: []
            self._point_at_source(flow, visit, write)
        else:
            flow.response = _response(flow, visit, reply)

    # Who answers it

    async def _answer(self, flow: http.HTTPFlow, visit: Visit) -> Reply | Streamed:
        try:
            if not self._opened.is_set():
                with move_on_after(OPEN_SECONDS):
                    await self._opened.wait()
            if self._stack is None or not self._opened.is_set():
                raise ApiError(503, "still starting, try again", code="starting", type="server_error")
            assert visit.route is not None
            body = flow.request.get_content(strict=False) or b""
            return await visit.route.endpoint(Call(self._stack, visit.link, visit.trace, body, visit.has_key))
        except ApiError as error:
            return error_reply(error)
        except Exception:  # boundary
            logger.exception("A request could not be answered")
            return error_reply(internal_error())

    def _give(self, flow: http.HTTPFlow, visit: Visit, reply: Reply | Streamed) -> None:
        visit.is_answered = True
        if visit.upload is not None:
            visit.upload.answer(reply)
        elif isinstance(reply, Streamed):
            self._point_at_source(flow, visit, reply.write)
        else:
            flow.response = _response(flow, visit, reply)

    def _point_at_source(
        self, flow: http.HTTPFlow, visit: Visit, write: Callable[[Outlet, Headers], Awaitable[None]]
    ) -> None:
        async def answerer(outlet: Outlet) -> None:
            await write(outlet, visit.headers)

        visit.parked = self._source.park(answerer)
        _set_address(flow, ("127.0.0.1", self._source.port, b"http", visit.parked.encode()))

    def _put_back(self, flow: http.HTTPFlow, visit: Visit) -> None:
        """Let the flow show what the client sent. Not before the answer: mitmproxy would carry it there."""
        _set_address(flow, visit.address)

    def _end(self, visit: Visit, flow: http.HTTPFlow | None) -> None:
        """Let go of everything; `flow` is `None` where the client has left."""
        if visit.is_over:
            return
        visit.is_over = True
        client_id = visit.link.client_conn.id
        self._by_client[client_id].discard(visit)
        if not self._by_client[client_id]:
            del self._by_client[client_id]
        if visit.parked is not None:
            self._source.forget(visit.parked)
        if visit.slot is not None:
            visit.slot.free()
        if visit.task is not None:
            visit.task.cancel()
        self._trace_end(visit, flow)

    def _trace_end(self, visit: Visit, flow: http.HTTPFlow | None) -> None:
        if self._traces is None or visit.route is None or not visit.route.takes_slot:
            return
        response = flow.response if flow is not None else None
        visit.trace.add(
            "proxy_response",
            request_id=visit.trace.id,
            status_code=response.status_code if response is not None else None,
            duration_ms=round((time.monotonic() - visit.began) * 1000),
            bytes_written=len(response.raw_content or b"") if response is not None else 0,
            cancelled=flow is None or flow.error is not None,
        )
        self._traces.write(visit.trace)


def _address(flow: http.HTTPFlow) -> tuple[str, int, bytes, bytes]:
    """Where the client sent its request: the address that it reached, not the dead end behind it."""
    data = flow.request.data
    host, port = (flow.client_conn.sockname or (data.host, data.port))[:2]
    return host, port, data.scheme, data.path


def _set_address(flow: http.HTTPFlow, address: tuple[str, int, bytes, bytes]) -> None:
    # By way of `data`: the properties would change the Host header too, which shows what the client asked.
    data = flow.request.data
    data.host, data.port, data.scheme, data.path = address


def _response(flow: http.HTTPFlow, visit: Visit, reply: Reply) -> http.Response:
    body = b"" if flow.request.method == "HEAD" else reply.body
    return response(reply.status, (*reply.headers, *visit.headers), body)


def _length(header: str | None) -> int:
    return int(header) if header is not None and header.isascii() and header.isdigit() else 0
