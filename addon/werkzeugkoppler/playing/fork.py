"""A saved turn gone on from at one of its legs, for real (BX-12).

The leg is asked as the file has it, or as it was changed, with the config of now. What follows is a turn
like any other: its legs and tool calls are flows and stand in a trace. There is no proxy, and so nobody
who could let a call go that needs approval: it is denied.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from anyio import CancelScope, move_on_after, to_thread
from mitmproxy import connection, http
from mitmproxy.flow import Error
from mitmproxy.io import FlowWriter
from mitmproxy.master import Master
from mitmproxy.options import Options

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints import routes, turning
from werkzeugkoppler.endpoints.approval import Approval
from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.flows import CANCELLED, make_flow, response
from werkzeugkoppler.gate.grants import Grants
from werkzeugkoppler.gate.permission import REQUEST_PERMISSION
from werkzeugkoppler.labels import Plain, note_settings
from werkzeugkoppler.playing.outlet import Collected, write_answer
from werkzeugkoppler.playing.replay import draft_of, offered_here, request_of
from werkzeugkoppler.playing.saved import NotSaved, SavedTurn, link_of
from werkzeugkoppler.proxy import CLOSE_SECONDS
from werkzeugkoppler.source import Source
from werkzeugkoppler.stacks import Stacks
from werkzeugkoppler.trace_writer import opened
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.visit import Visit, Visits
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.http import JSON_HEADERS, HttpRequest
from werkzeugkoppler.wire.jsontext import JsonObject, dumps

CHAT_PATH = "/v1/chat/completions"
PLACES = ("init_messages", "asked", "merged", "restored")
"""What a leg's flow says of where its messages are from."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked."""

    turn: SavedTurn
    leg: int
    draft: Draft
    """Of the leg."""
    request: ChatRequest
    """What the client is said to have asked for."""


@dataclass(frozen=True, slots=True)
class Forked:
    """How it went."""

    turn: str
    """The id of the new turn."""
    status: int
    failure: str | None
    """Why the answer is not whole."""


def plan_of(
    turn: SavedTurn,
    leg: int,
    model: str | None = None,
    edit: Callable[[JsonObject], JsonObject] | None = None,
) -> Plan:
    """What a fork is to ask.

    Args:
        model: Asked in place of the leg's.
        edit: Changes the leg's body.

    Raises:
        NotSaved: There is no such leg, or it cannot be asked.
    """
    if turn.client is None or leg not in turn.legs:
        legs = ", ".join(map(str, turn.legs)) or "none"
        raise NotSaved(f"turn {turn.shown_id} has no leg {leg}, it has: {legs}")
    # As it was sent, or as somebody has edited it since: that is another way to say what to ask.
    body = draft_of(turn.legs[leg][-1].request.get_content(strict=False) or b"", leg).request
    before = body.text
    if model is not None:
        body = JsonObject.parse(body.edited({"model": dumps(model)}))
    if edit is not None:
        body = edit(body)
        if body.text == before:
            raise NotSaved("the body was not changed, nothing was asked")
    draft = draft_of(body.text.encode(), leg)
    asked = request_of(turn.client).body
    said = {key: body.raw(key) for key in ("model", "stream") if body.raw(key) != asked.raw(key)}
    return Plan(turn, leg, draft, ChatRequest(JsonObject.parse(asked.edited(said))))


class Sink(Protocol):
    """A file, as far as it is written."""

    def write(self, data: bytes, /) -> object:
        """Append."""


class Saver:
    """An addon that saves the flows that have ended.

    Args:
        file: Is written as mitmproxy would write it.
    """

    def __init__(self, file: Sink) -> None:
        self._writer = FlowWriter(file)

    def response(self, flow: http.HTTPFlow) -> None:
        self._writer.add(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._writer.add(flow)


async def fork(
    plan: Plan,
    settings: Settings,
    on_data: Callable[[bytes], None],
    warn: Callable[[str], None],
    file: Sink | None,
) -> Forked:
    """Ask the leg, and go on from its answer.

    Args:
        on_data: Told of each piece of the answer.
        warn: Told in a line what is not as it was then.
        file: Where the flows of the new turn go.
    """
    master = Master(Options())
    saver = Saver(file) if file is not None else None
    if saver is not None:
        master.addons.add(saver)
    stacks, visits = Stacks(), Visits(Source())
    visits.traces = opened(settings, os.environ)
    try:
        stack = await stacks.replace(settings)
        flow = _client_flow(plan, settings)
        visit = visits.receive(flow)
        with _ending(visits, visit, flow, saver):
            call = Call(stack, visit.link, visit.trace, plan.request.body.text.encode(), has_key=True)
            ours = await _ours(plan, call, warn)
            note: dict[str, Plain] = {"forked_from": plan.turn.id, "forked_leg": plan.leg}
            visit.link.mark(flow, "client", "client", **note, unknown_tools=ours.gone)
            note_settings(flow, stack.kept_settings)
            turning.note_request(call, plan.request, model=plan.request.model, **note)
            visit.route = routes.find("POST", CHAT_PATH)
            visits.let_in(visit)
            outlet = Collected(on_data)
            answer = _answer(plan, call, ours)
            await write_answer(outlet, answer, is_stream=plan.request.stream, trace=visit.trace)
            status = outlet.status or 500
            flow.response = response(status, outlet.headers, bytes(outlet.body))
            visit.name(flow, outlet.failure or status)
            return Forked(visit.trace.id, status, outlet.failure or (None if status == 200 else str(status)))
    finally:
        with CancelScope(shield=True):
            with move_on_after(CLOSE_SECONDS):
                await stacks.close()
            if visits.traces is not None:
                await to_thread.run_sync(visits.traces.close)
            await master.done()


@dataclass(frozen=True, slots=True)
class _Ours:
    """The tools of the leg that are not the client's."""

    names: frozenset[str]
    gone: list[str]
    """Those that there are none of now."""
    approval: Approval


async def _ours(plan: Plan, call: Call, warn: Callable[[str], None]) -> _Ours:
    names = offered_here(plan.draft, plan.request)
    await call.stack.toolbox.all_settled()  # a proxy has others to serve meanwhile, here is only this turn
    offered = await call.stack.offered_tools()
    tools = {name: tool for name, tool in offered.items() if name in names}
    approval = Approval(call, tools, plan.request.tool_names, Grants)
    gone = sorted(names - approval.tools.keys())
    if told := ", ".join(name for name in gone if name != REQUEST_PERMISSION):
        warn(f"tools of then that are not there now, as the model is told where it calls one: {told}")
    return _Ours(names, gone, approval)


async def _answer(plan: Plan, call: Call, ours: _Ours) -> AsyncGenerator[bytes]:
    places = link_of(plan.turn.legs[plan.leg][-1])
    run = turning.run(
        call,
        plan.request,
        plan.draft,
        model=str(plan.draft.request.values.get("model")),
        ours=ours.names,
        approval=ours.approval,
        made={**{key: places[key] for key in PLACES if key in places}, "our_tools": len(ours.names)},
        note_end=lambda last, leg, content: None,
        first_leg=plan.leg,
    )
    try:
        async with aclosing(run) as items:
            async for data in items:
                yield data
    finally:
        ours.approval.end()


def _client_flow(plan: Plan, settings: Settings) -> http.HTTPFlow:
    now = time.time()
    peer = connection.Client(peername=("127.0.0.1", 0), sockname=("127.0.0.1", 0), timestamp_start=now)
    url = f"{settings.service_base_url}{CHAT_PATH}"
    return make_flow(peer, HttpRequest("POST", url, JSON_HEADERS, plan.request.body.text.encode()))


@contextmanager
def _ending(visits: Visits, visit: Visit, flow: http.HTTPFlow, saver: Saver | None) -> Iterator[None]:
    """Ends the client's flow, however the turn ends."""
    try:
        yield
    except BaseException as error:
        is_cancelled = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
        flow.error = Error(CANCELLED if is_cancelled else str(error))
        visit.name(flow, CANCELLED if is_cancelled else "failed")
        raise
    finally:
        visits.end(visit, flow, "interrupted")
        flow.live = False
        if saver is not None:
            saver.response(flow)
