"""The loop: ask the upstream, run the calls that are ours, ask again, until it answers without one."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from anyio import CapacityLimiter, create_task_group

from werkzeugkoppler.errors import ApiError, UpstreamError
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.sse import SseEvent, SseReader


class Reply(Protocol):
    """An upstream's answer that is coming in."""

    @property
    def is_stream(self) -> bool:
        """It is a stream of events; otherwise it is one JSON body."""
        ...

    @property
    def pieces(self) -> AsyncIterator[bytes]: ...


class Answer(Protocol):
    """What is made of the legs for the client: a stream, or one body."""

    @property
    def is_done(self) -> bool: ...

    def take(self, event: SseEvent) -> bytes: ...

    def take_completion(self, body: bytes) -> bytes: ...

    def end_leg(self) -> Leg: ...

    def close(self) -> bytes: ...


type Ask = Callable[[bytes, int], AbstractAsyncContextManager[Reply]]
"""Sends a leg's body; takes the leg's number too, from 1. Raises `UpstreamError` for any answer but a 2xx."""

type CallTool = Callable[[ToolCall, int], Awaitable[str]]
"""Runs a call of the leg with that number, and gives the content for the model.

A failure of the tool is a content too, never an exception."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn starts with."""

    draft: Draft
    answer: Answer
    max_tool_loops: int
    max_tool_concurrency: int
    note_leg: Callable[[int, Leg], None]
    """Told of each leg that ended, with its number."""


async def run(turn: Turn, *, ask: Ask, call_tool: CallTool) -> AsyncGenerator[bytes]:
    """Answer a request.

    Yields:
        The bytes for the client as they come. The first item is empty: the upstream has accepted.

    Raises:
        ApiError: What the client is to be told instead of an answer, or of its rest.
    """
    draft = turn.draft
    for number in count(1):  # pragma: no branch - it has no end
        async with ask(draft.body(), number) as reply:
            if number == 1:
                yield b""
            async for shown in _relay(reply, turn.answer):
                yield shown
        leg = turn.answer.end_leg()
        turn.note_leg(number, leg)
        if not leg.calls:
            break
        if number > turn.max_tool_loops:
            raise ApiError(
                500,
                f"Maximum tool loop iterations reached: still a tool call after {number - 1} rounds "
                "(max_tool_loops)",
                code="max_tool_loops_exceeded",
                type="server_error",
            )
        results = await _call_all(leg.calls, number, call_tool, turn.max_tool_concurrency)
        draft = draft.followed_by(leg.message, results).with_free_choice()
    yield turn.answer.close()


async def _relay(reply: Reply, answer: Answer) -> AsyncIterator[bytes]:
    if not reply.is_stream:
        yield answer.take_completion(b"".join([piece async for piece in reply.pieces]))
        return
    reader = SseReader()
    async for piece in reply.pieces:
        shown: list[bytes] = []
        try:
            for event in _events(reader, piece):
                shown.append(answer.take(event))
        finally:  # what came before a failure is the client's too
            if any(shown):
                yield b"".join(shown)
        if answer.is_done:
            return  # an upstream may leave its connection open after the end mark
    for event in reader.close():
        yield answer.take(event)


def _events(reader: SseReader, piece: bytes) -> list[SseEvent]:
    try:
        return reader.feed(piece)
    except ValueError as error:
        raise UpstreamError(f"the upstream's stream cannot be read: {error}") from error


async def _call_all(
    calls: Sequence[ToolCall], number: int, call_tool: CallTool, concurrency: int
) -> list[tuple[ToolCall, str]]:
    """The results in the order of the calls, `concurrency` of them run at a time (WK-115)."""
    limiter = CapacityLimiter(concurrency)
    contents: dict[int, str] = {}

    async def call_one(position: int, call: ToolCall) -> None:
        async with limiter:
            contents[position] = await call_tool(call, number)

    async with create_task_group() as group:
        for position, call in enumerate(calls):
            group.start_soon(call_one, position, call)
    return [(call, contents[position]) for position, call in enumerate(calls)]
