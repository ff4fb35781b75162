"""A saved turn played again: every leg, tool call and command is answered from the file (BX-12).

Nothing is started and nobody is asked. What the model, the tools and the command said then is taken from the
flows; what becomes of it is done anew, by the very parts that answer a client.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from mitmproxy import http

from werkzeugkoppler.config.kept import restored
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.direct.run import Ended
from werkzeugkoppler.endpoints import direct, turning
from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.flows import is_killed
from werkzeugkoppler.labels import SHOWN_ID
from werkzeugkoppler.playing.compare import difference, identity_of
from werkzeugkoppler.playing.outlet import Collected, write_answer
from werkzeugkoppler.playing.saved import NotSaved, SavedTurn, asked_body, content_of, link_of
from werkzeugkoppler.playing.tape import Stopped, Tape
from werkzeugkoppler.traces import begin
from werkzeugkoppler.turn import engine
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.wire.chat import ChatRequest, parse_request
from werkzeugkoppler.wire.completion import COMPLETION_PREFIX
from werkzeugkoppler.wire.glance import count
from werkzeugkoppler.wire.jsontext import array_items


@dataclass(frozen=True, slots=True)
class Played:
    """How a replay went."""

    turn: str
    legs: int
    """That were asked, repetitions not counted."""
    tool_calls: int
    status: int | None
    same: bool
    """The client's answer is the one in the file, as far as that has one."""
    difference: str | None
    """What is otherwise than in the file, first."""
    broken_off: str | None
    """Where the saved turn ends before its end."""

    def json(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        """What there is to say, in a line."""
        what = f"{count(self.legs, 'leg')}, {count(self.tool_calls, 'tool call')}"
        if self.difference is not None:
            return f"replayed turn {self.turn[:SHOWN_ID]}: {what}; {self.difference}"
        if self.broken_off is not None:
            same = f"the same as recorded up to where {self.broken_off}"
            return f"replayed turn {self.turn[:SHOWN_ID]}: {what}, {same}"
        return f"replayed turn {self.turn[:SHOWN_ID]}: {what}, the client's answer is the same as recorded"


async def replay(turn: SavedTurn, on_data: Callable[[bytes], None], pace: float | None) -> Played:
    """Play a turn.

    Args:
        on_data: Told of each piece of the client's answer.
        pace: How many times as fast as then; `None`: as fast as can be.

    Raises:
        NotSaved: What the flows say cannot be read.
    """
    assert turn.client is not None
    request, settings = request_of(turn.client), settings_of(turn.client)
    draft = first_draft(turn)
    ours = offered_here(draft, request) if draft is not None else frozenset[str]()
    tape = Tape(turn, ours=ours - _unknown(turn.client), is_stream=request.stream, pace=pace)
    outlet = Collected(on_data)
    if draft is None:
        run = _command(turn, tape, request)
    else:
        run = _run(turn, tape, request, settings, ours, draft)
    await write_answer(outlet, _until_stopped(run), is_stream=request.stream, trace=begin("replay"))
    return _verdict(turn, tape, outlet, request)


def _run(
    turn: SavedTurn,
    tape: Tape,
    request: ChatRequest,
    settings: Settings,
    ours: frozenset[str],
    draft: Draft,
) -> AsyncGenerator[bytes]:
    assert turn.client is not None
    identity = _identity(turn, turn.client)
    answer = turning.answer_for(request, settings, ours, identity, turning.call_ids(turn.id))
    plan = turning.turn_of(
        request,
        settings,
        draft,
        answer,
        note_leg=_unnoted,
        note_end=lambda last, leg: None,
        refusal=tape.refusal if settings.denied_call_reply == "refusal" else lambda: None,
        first_leg=min(turn.legs),
    )
    return engine.run(plan, ask=tape.ask, wait=tape.wait, call_tool=tape.call_tool, pause=tape.pause)


async def _unnoted(number: int, leg: Leg) -> None:
    """The legs of a replay are in no trace."""


async def _until_stopped(run: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The turn's bytes, as far as the tape goes; why it stops the tape knows."""
    try:
        async with aclosing(run) as items:
            async for data in items:
                yield data
    except Stopped:
        pass
    except ExceptionGroup as group:  # of the tools, which run side by side
        if group.split(Stopped)[1] is not None:
            raise


async def _command(turn: SavedTurn, tape: Tape, request: ChatRequest) -> AsyncGenerator[bytes]:
    assert turn.client is not None
    flow, ended = turn.commands[0], Ended()
    head = _identity(turn, turn.client)

    async def pieces() -> AsyncGenerator[str]:
        async for text in tape.command(lambda: setattr(ended, "return_code", 0)):
            yield text
        if is_killed(flow):
            raise direct.denied()

    if request.stream:
        streamed = direct.streamed(head, pieces(), ended)
        async with aclosing(streamed) as items:
            async for data in items:
                yield data
    else:
        yield direct.completion(head, "".join([text async for text in pieces()]))


def _verdict(turn: SavedTurn, tape: Tape, outlet: Collected, request: ChatRequest) -> Played:
    assert turn.client is not None
    client = turn.client
    found = tape.problem
    if found is None and tape.broken_off is None:
        found = tape.left_over
    if found is None and client.response is not None:
        is_whole = tape.broken_off is None and client.error is None
        if is_whole and outlet.status != client.response.status_code:
            found = f"the client gets status {outlet.status}, then it was {client.response.status_code}"
        else:
            found = difference(
                bytes(outlet.body),
                content_of(client),
                is_stream=request.stream,
                is_command=bool(turn.commands),
                is_whole=is_whole,
            )
            found = None if found is None else f"the client's answer is not the same: {found}"
    status = outlet.status if outlet.body else None
    return Played(turn.id, len(tape.legs), tape.tool_calls, status, found is None, found, tape.broken_off)


# What the flows say of the turn


def request_of(client: http.HTTPFlow) -> ChatRequest:
    """What the client asked.

    Raises:
        NotSaved: It cannot be read.
    """
    try:
        return parse_request(client.request.get_content(strict=False) or b"")
    except ApiError as error:
        raise NotSaved(f"the client's request cannot be read: {error.message}") from error


def settings_of(client: http.HTTPFlow) -> Settings:
    """The settings of then, as far as the turn depended on them.

    Raises:
        NotSaved: They cannot be read.
    """
    told = link_of(client).get("settings")
    try:
        return restored(told if isinstance(told, dict) else {})
    except ValueError as error:
        raise NotSaved(f"the settings that the client's flow has cannot be used: {error}") from error


def first_draft(turn: SavedTurn) -> Draft | None:
    """The draft of the first leg; `None` where there are no legs.

    Raises:
        NotSaved: Its body cannot be read.
    """
    if not turn.legs:
        return None
    number = min(turn.legs)
    return draft_of(asked_body(turn.legs[number][0]), number)


def draft_of(body: bytes, number: int) -> Draft:
    """A leg's body as a draft, to be gone on from.

    Raises:
        NotSaved: It is no chat request.
    """
    try:
        request = parse_request(body).body
    except ApiError as error:
        raise NotSaved(f"the body of leg {number} is no chat request: {error.message}") from error
    return Draft(request, tuple(array_items(request.raw("messages") or "[]")), {})


def offered_here(draft: Draft, request: ChatRequest) -> frozenset[str]:
    """The names of the tools that were offered here: those of a leg that are not the client's."""
    return ChatRequest(draft.request).tool_names - request.tool_names


def _unknown(client: http.HTTPFlow) -> set[str]:
    """Those of them that there were none of any more."""
    names = link_of(client).get("unknown_tools")
    return {str(name) for name in names} if isinstance(names, list) else set()


def _identity(turn: SavedTurn, client: http.HTTPFlow) -> dict[str, Any]:
    made = {"created": int(client.request.timestamp_start), "model": "unknown"}
    return {"id": f"{COMPLETION_PREFIX}{turn.id}", **made, **identity_of(content_of(client))}
