"""One exchange as a flow of its own, through mitmproxy's addon chain.

Before an exchange is carried out and after it came back, its flow runs through the chain as a client's
flow would: it can be held, edited, answered by another addon (no network then), killed and saved
(BX-09, BX-10).
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import quote

from anyio import CancelScope, move_on_after
from mitmproxy import connection, ctx, http
from mitmproxy.flow import Error
from mitmproxy.hooks import Hook, UpdateHook
from mitmproxy.net.http.url import hostport, parse
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook, HttpRequestHook, HttpResponseHook

from werkzeugkoppler.errors import Headers, UpstreamError
from werkzeugkoppler.wire.http import (
    EVENT_STREAM,
    JSON_HEADERS,
    HttpAnswer,
    HttpRequest,
    MadeAnswer,
    media_type,
    whole,
)

METADATA = "werkzeugkoppler"
"""The key in `flow.metadata` under which a flow tells which turn it belongs to."""

_VIEW_INTERVAL = 0.5
"""Seconds between two looks that the view gets at a growing answer: each copies all that has come."""

_TRANSFER_HEADERS = ("content-encoding", "transfer-encoding", "content-length")

_KILL_SECONDS = 0.2
"""How soon it is noticed that a flow was killed while it was held, or while its work was done."""

type Send = Callable[[HttpRequest], AbstractAsyncContextManager[HttpAnswer]]


class Killed(Exception):
    """Somebody killed the exchange's flow."""


@dataclass(frozen=True, slots=True)
class Link:
    """Which turn an exchange belongs to."""

    client_conn: connection.Client
    turn: str
    leg: int = 0
    """From 1; 0 before the first."""

    def mark(self, flow: http.HTTPFlow, kind: str, comment: str, **more: str) -> None:
        """Write the link on a flow, for people and for programs."""
        flow.comment = f"{comment} · turn {self.turn}"
        flow.metadata[METADATA] = {"turn": self.turn, "kind": kind, "leg": self.leg, **more}


@asynccontextmanager
async def leg(link: Link, request: HttpRequest, send: Send) -> AsyncIterator[HttpAnswer]:
    """Ask an upstream.

    A stream's pieces are handed on as they come. Any other answer has run through the chain when it is
    handed on, as it may have been edited there.

    Raises:
        UpstreamError: The flow was killed, or what `send` raises.
    """
    flow = _flow(link, request)
    link.mark(flow, *(("leg", f"leg {link.leg}") if link.leg else ("models", "models")))
    try:
        async with _lifecycle(flow):
            await _before(flow)
            if flow.response is None:
                async with send(_request(flow)) as answer:
                    flow.response = response(answer.status, answer.headers, b"")
                    with _Recording(flow, flow.response) as recording:
                        pieces = recording.of(answer.pieces)
                        if media_type(answer.headers) == EVENT_STREAM:
                            yield MadeAnswer(answer.status, answer.headers, pieces)
                            return
                        async for _ in pieces:
                            pass
        _check_killed(flow)
    except Killed as error:
        raise UpstreamError("the request to the upstream was killed by the operator") from error
    content = flow.response.get_content(strict=False) or b""
    yield MadeAnswer(
        flow.response.status_code, tuple(flow.response.headers.items(multi=True)), whole(content)
    )


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done here, shown as a request: a tool call, a command."""

    kind: str
    """What `flow.metadata` says it is; also the end of the host's name."""
    host: str
    """Who does it, such as the server of a tool."""
    name: str
    """What is done."""
    body: str
    more: Mapping[str, str] = field(default_factory=dict)
    """Further entries of `flow.metadata`."""
    headers: Headers = JSON_HEADERS
    """What the body and the outcome are."""

    @property
    def url(self) -> str:
        host = re.sub(r"[^a-z0-9.-]", "-", self.host.lower()).strip(".-") or "unnamed"
        return f"http://{host}.{self.kind}/{quote(self.name, safe='')}"

    def comment(self, leg: int) -> str:
        """What it is called in a list of flows; `leg` is 0 before the first."""
        label = f"{self.host}/{self.name}" if self.name else f"{self.kind} {self.host}"
        return f"{label} · leg {leg}" if leg else label


async def act(link: Link, what: Act, perform: Callable[[str], Awaitable[tuple[int, str]]]) -> str | None:
    """Do something, by way of a flow.

    Args:
        perform: Takes the body, as it may have been edited, and gives a status and the outcome.

    Returns:
        The outcome, as it may have been edited; `None` where the flow was killed.
    """
    flow = _flow(link, HttpRequest("POST", what.url, what.headers, what.body.encode("utf-8", "replace")))
    link.mark(flow, what.kind, what.comment(link.leg), **what.more)
    try:
        async with _lifecycle(flow):
            await _before(flow)
            if flow.response is None:
                status, outcome = await _unless_killed(
                    flow, perform(flow.request.get_text(strict=False) or "")
                )
                flow.response = response(status, what.headers, outcome.encode("utf-8", "replace"))
        _check_killed(flow)
    except Killed:
        return None
    assert flow.response is not None
    return flow.response.get_text(strict=False) or ""


# The flow


def response(status: int, headers: Headers, body: bytes) -> http.Response:
    """A response with a whole body, whatever transfer the headers speak of."""
    now = time.time()
    reason = HTTPStatus(status).phrase.encode() if status in HTTPStatus else b""
    kept = tuple((n, v) for n, v in headers if n.lower() not in _TRANSFER_HEADERS)
    return http.Response(b"HTTP/1.1", status, reason, _fields(kept, len(body)), body, None, now, now)


def _flow(link: Link, request: HttpRequest) -> http.HTTPFlow:
    scheme, host, port, path = _parsed(request.url)
    now = time.time()
    headers = (("host", hostport(scheme.decode(), host, port)), *request.headers)
    flow = http.HTTPFlow(link.client_conn, _server(host, port), live=True)
    flow.request = http.Request(
        host=host,
        port=port,
        method=request.method.encode(),
        scheme=scheme,
        authority=b"",
        path=path,
        http_version=b"HTTP/1.1",
        headers=_fields(headers, len(request.body)),
        content=request.body,
        trailers=None,
        timestamp_start=now,
        timestamp_end=now,
    )
    return flow


@lru_cache(maxsize=256)
def _parsed(url: str) -> tuple[bytes, str, int, bytes]:
    # Few addresses are asked again and again, and mitmproxy checks each as if it came from the wire.
    scheme, host, port, path = parse(url)
    return scheme, host.decode(), port, path


@lru_cache(maxsize=256)
def _server(host: str, port: int) -> connection.Server:
    # Shared by the flows to one address: a flow only shows it, and making one takes its time.
    return connection.Server(address=(host, port))


def _request(flow: http.HTTPFlow) -> HttpRequest:
    """What is sent: the flow's request as the addon chain left it."""
    request = flow.request
    headers = [(n.decode(), v.decode("utf-8", "surrogateescape")) for n, v in request.headers.fields]
    kept = tuple((n, v) for n, v in headers if n.lower() not in ("host", "content-length"))
    url = f"{request.scheme}://{hostport(request.scheme, request.host, request.port)}{request.path}"
    return HttpRequest(request.method, url, kept, request.get_content(strict=False) or b"")


def _fields(headers: Headers, length: int) -> http.Headers:
    headers = (*headers, ("content-length", str(length)))
    return http.Headers([(n.encode(), v.encode("utf-8", "surrogateescape")) for n, v in headers])


# Its way through the chain


@asynccontextmanager
async def _lifecycle(flow: http.HTTPFlow) -> AsyncIterator[None]:
    """Ends the flow, however the exchange ends."""
    try:
        yield
    except BaseException as error:
        if flow.error is None:
            flow.error = Error(str(error) or "cancelled: the client left")
        await _end(flow, HttpErrorHook(flow))
        raise
    await _end(flow, HttpResponseHook(flow))


async def _before(flow: http.HTTPFlow) -> None:
    if (view := ctx.master.addons.get("view")) is not None:
        view.add([flow])  # what it does for a client's flow when its head has come
    await _trigger(HttpRequestHook(flow), flow)
    await released(flow)
    _check_killed(flow)


async def _unless_killed[T](flow: http.HTTPFlow, work: Awaitable[T]) -> T:
    """Do the work; a kill of the flow, which wakes nobody either, breaks it off.

    Raises:
        Killed: It was.
    """
    loop = asyncio.get_running_loop()
    scope = CancelScope()
    timer = loop.call_later(_KILL_SECONDS, lambda: look())

    def look() -> None:
        nonlocal timer
        if flow.error is not None:
            scope.cancel()
        else:
            timer = loop.call_later(_KILL_SECONDS, look)

    try:
        with scope:
            return await work
    finally:
        timer.cancel()
    raise Killed


async def released(flow: http.HTTPFlow) -> None:
    """Wait while somebody holds the flow: it was let go, or killed, which wakes nobody that waits."""
    while flow.intercepted:
        with move_on_after(_KILL_SECONDS):
            await flow.wait_for_resume()


async def _end(flow: http.HTTPFlow, hook: Hook) -> None:
    if flow.response is not None:
        flow.response.timestamp_end = time.time()
    await _trigger(hook, flow)
    await released(flow)
    flow.live = False


async def _trigger(hook: Hook, flow: http.HTTPFlow) -> None:
    await ctx.master.addons.trigger_event(hook)
    await ctx.master.addons.trigger_event(UpdateHook([flow]))


def _check_killed(flow: http.HTTPFlow) -> None:
    if flow.error is not None and flow.error.msg == Error.KILLED_MESSAGE:
        raise Killed


class _Recording:
    """Lets the flow's content grow while an answer comes in; whole at the end, however that comes."""

    def __init__(self, flow: http.HTTPFlow, response: http.Response) -> None:
        self._flow = flow
        self._response = response
        self._seen: list[bytes] = []
        self._next_look: asyncio.TimerHandle | None = None
        self._looked = -_VIEW_INTERVAL  # when, on the loop's clock

    async def of(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces as they come."""
        loop = asyncio.get_running_loop()
        async for piece in pieces:
            if self._flow.error is not None:
                _check_killed(self._flow)
            self._seen.append(piece)
            if self._next_look is None:
                self._next_look = loop.call_at(self._looked + _VIEW_INTERVAL, self._look, loop)
            yield piece

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._next_look = None
        self._looked = loop.time()
        self._keep()
        ctx.master.addons.trigger(UpdateHook([self._flow]))

    def _keep(self) -> None:
        self._response.data.content = b"".join(self._seen)

    def __enter__(self) -> "_Recording":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        self._keep()
        self._response.headers["content-length"] = str(len(self._response.data.content or b""))
