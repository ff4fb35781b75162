"""One exchange as a flow of its own, through mitmproxy's addon chain.

Before an exchange is carried out and after it came back, its flow runs through the chain as a client's
flow would: it can be held, edited, answered by another addon (no network then), killed and saved
(BX-09, BX-10).
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from anyio import move_on_after
from mitmproxy import ctx, http
from mitmproxy.flow import Error
from mitmproxy.hooks import Hook, UpdateHook
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook, HttpRequestHook, HttpResponseHook

from werkzeugkoppler import labels
from werkzeugkoppler.errors import Headers, UpstreamError
from werkzeugkoppler.flows import (
    CANCELLED,
    Kill,
    Killed,
    check_killed,
    is_killed,
    make_flow,
    request_of,
    response,
)
from werkzeugkoppler.held import Question, let_go, released, unless_killed, verdict_on
from werkzeugkoppler.labels import Link, Plain
from werkzeugkoppler.recording import Recording
from werkzeugkoppler.wire.http import (
    EVENT_STREAM,
    JSON_HEADERS,
    HttpAnswer,
    HttpRequest,
    MadeAnswer,
    media_type,
    whole,
)

MAX_LABEL, MAX_HOST = 63, 200
"""Characters of a name between two dots, and of all of them: more is no host (RFC 1035)."""

CANCELLED_SECONDS = 1.0
"""How long other addons may take over the end of a flow that nobody waits for any more."""

type Send = Callable[[HttpRequest], AbstractAsyncContextManager[HttpAnswer]]


@dataclass(frozen=True, slots=True)
class LegAnswer(MadeAnswer):
    """An upstream's answer, and the flow that shows it."""

    flow: http.HTTPFlow | None = None
    """As long as it is open: that of a stream which is coming in."""

    @property
    def so_far(self) -> bytes | None:
        """What has come of a stream, once it is broken off."""
        response = self.flow.response if self.flow is not None else None
        return response.raw_content if response is not None else None

    def note_repairs(self, repairs: Sequence[str]) -> None:
        """Write on the flow what had to be mended in its answer (BX-02).

        It is part of what is saved and shown when the flow ends.
        """
        if self.flow is not None:
            labels.note_repairs(self.flow, repairs)


@asynccontextmanager
async def leg(
    link: Link,
    request: HttpRequest,
    send: Send,
    repairs_of: Callable[[bytes], Sequence[str]] = lambda body: (),
    **more: Plain,
) -> AsyncIterator[LegAnswer]:
    """Ask an upstream.

    A stream's pieces are handed on as they come. Any other answer has run through the chain when it is
    handed on, as it may have been edited there.

    Args:
        repairs_of: What will have to be mended in an answer that is no stream: when that is known
            otherwise its flow has ended.
        more: Further entries of `flow.metadata`.

    Raises:
        UpstreamError: The flow was killed, or what `send` raises.
    """
    flow = make_flow(link.client_conn, request)
    kind, label = ("leg", f"leg {link.leg}") if link.leg else ("models", "models")
    link.mark(flow, kind, label, **more)
    try:
        async with _lifecycle(flow):
            await _before(flow)
            if flow.response is None:
                async with AsyncExitStack() as stack:
                    answer = await _head(flow, stack.enter_async_context(send(request_of(flow))))
                    flow.response = response(answer.status, answer.headers, b"")
                    recording = stack.enter_context(Recording(flow, flow.response, answer))
                    if media_type(answer.headers) == EVENT_STREAM:
                        yield LegAnswer(answer.status, answer.headers, recording.pieces(), flow=flow)
                        return
                    async for _ in recording.pieces():
                        pass
                labels.note_repairs(flow, repairs_of(flow.response.get_content(strict=False) or b""))
        check_killed(flow)
    except Killed as error:
        raise killed_leg() from error
    content = flow.response.get_content(strict=False) or b""
    yield LegAnswer(flow.response.status_code, tuple(flow.response.headers.items(multi=True)), whole(content))


def killed_leg() -> UpstreamError:
    """What a turn is told of a leg whose flow was killed."""
    return UpstreamError("the request to the upstream was killed by the operator")


async def _head(flow: http.HTTPFlow, entering: Awaitable[HttpAnswer]) -> HttpAnswer:
    try:
        return await unless_killed(flow, entering)
    except UpstreamError as error:
        labels.note_failure(flow, error)
        raise


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
    more: Mapping[str, Plain] = field(default_factory=dict)
    """Further entries of `flow.metadata`."""
    headers: Headers = JSON_HEADERS
    """What the body and the outcome are."""

    @property
    def url(self) -> str:
        labels = re.sub(r"[^a-z0-9.-]", "-", self.host.lower()).split(".")
        host = ".".join(kept for label in labels if (kept := label[:MAX_LABEL].strip("-")))[:MAX_HOST]
        host = host.strip(".-") or "unnamed"
        return f"http://{host}.{self.kind}/{quote(self.name, safe='')}"

    @property
    def label(self) -> str:
        """What it is called in a list of flows."""
        return f"{self.host}/{self.name}" if self.name else f"{self.kind} {self.host}"


async def act(
    link: Link,
    what: Act,
    perform: Callable[[str], Awaitable[tuple[int, str]]],
    question: Question | None = None,
) -> tuple[int, str] | Kill:
    """Do something, by way of a flow.

    Args:
        perform: Takes the body, as it may have been edited, and gives a status and the outcome.
        question: What an operator has to be asked first (BX-11).

    Returns:
        The status and the outcome, as they may have been edited; where the flow was killed, when that was.
    """
    flow = _act_flow(link, what)
    kill = Kill.BEFORE
    try:
        async with _lifecycle(flow):
            await _before(flow, question)
            if flow.response is None:
                kill = Kill.DURING
                labels.note_begun(flow)
                status, outcome = await unless_killed(
                    flow, perform(flow.request.get_text(strict=False) or "")
                )
                kill = Kill.AFTER
                flow.response = response(status, what.headers, outcome.encode("utf-8", "replace"))
        check_killed(flow)
    except Killed:
        return kill
    assert flow.response is not None
    return flow.response.status_code, flow.response.get_text(strict=False) or ""


@asynccontextmanager
async def live_act(
    link: Link, what: Act, perform: Callable[[str], AbstractAsyncContextManager[AsyncIterator[bytes]]]
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Do something whose outcome is handed on as it comes, by way of a flow that grows.

    Args:
        perform: Takes the body, as it may have been edited, and gives the outcome's pieces.

    Raises:
        Killed: The flow was killed.
    """
    flow = _act_flow(link, what)
    async with _lifecycle(flow):
        await _before(flow)
        if flow.response is None:
            async with perform(flow.request.get_text(strict=False) or "") as pieces:
                flow.response = response(200, what.headers, b"")
                answer = MadeAnswer(200, what.headers, _until_killed(flow, pieces))
                with Recording(flow, flow.response, answer) as recording:
                    yield recording.pieces()
                    return
    check_killed(flow)
    yield whole(flow.response.get_content(strict=False) or b"")


def _act_flow(link: Link, what: Act) -> http.HTTPFlow:
    request = HttpRequest("POST", what.url, what.headers, what.body.encode("utf-8", "replace"))
    flow = make_flow(link.client_conn, request)
    link.mark(flow, what.kind, what.label, **what.more)
    return flow


# Its way through the chain


@asynccontextmanager
async def _lifecycle(flow: http.HTTPFlow) -> AsyncIterator[None]:
    """Ends the flow, however the exchange ends; nobody who waits for it is left behind."""
    try:
        try:
            yield
        except BaseException as error:
            flow.resume()
            # A client that leaves while a piece is handed on closes the generator that hands it on.
            is_cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
            if flow.error is None:
                flow.error = Error(CANCELLED if is_cancelled else str(error))
            if is_cancelled:
                # Shielded: each of its waits would be cancelled otherwise.
                with move_on_after(CANCELLED_SECONDS, shield=True):
                    await _end(flow, HttpErrorHook(flow), can_be_held=False)
            else:
                await _end(flow, HttpErrorHook(flow))
            raise
        await _end(flow, HttpResponseHook(flow))
    finally:
        flow.live = False
        let_go(flow)  # also of an answer that is held: nobody waits for it


async def _before(flow: http.HTTPFlow, question: Question | None = None) -> None:
    if (view := ctx.master.addons.get("view")) is not None:
        view.add([flow])  # what it does for a client's flow when its head has come
    made = flow.request.raw_content
    await _trigger(HttpRequestHook(flow), flow)
    await (released(flow) if question is None else _ask(flow, question))
    if flow.request.raw_content is not made and made is not None:
        labels.note_made(flow, made)
    check_killed(flow)
    flow.request.timestamp_end = time.time()  # the time it was held for is not the work's


async def _ask(flow: http.HTTPFlow, question: Question) -> None:
    refusal = question.on_verdict(await verdict_on(flow, question))
    if refusal is not None and flow.response is None and not is_killed(flow):
        flow.response = response(labels.DENIED_STATUS, JSON_HEADERS, refusal.encode("utf-8", "replace"))


async def _until_killed(flow: http.HTTPFlow, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await unless_killed(flow, anext(pieces, b"")):
        check_killed(flow)  # of what comes fast nothing is waited for
        yield piece


async def _end(flow: http.HTTPFlow, hook: Hook, *, can_be_held: bool = True) -> None:
    if flow.response is not None:
        flow.response.timestamp_end = time.time()
    labels.end(flow)
    await _trigger(hook, flow)
    if can_be_held:
        await released(flow)


async def _trigger(hook: Hook, flow: http.HTTPFlow) -> None:
    await ctx.master.addons.trigger_event(hook)
    await ctx.master.addons.trigger_event(UpdateHook([flow]))
