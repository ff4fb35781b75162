"""The loop: ask the upstream, run the calls that are ours, ask again, until it answers without one."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count

from werkzeugkoppler.errors import DO_NOT_RETRY, ApiError, UpstreamError
from werkzeugkoppler.turn.asides import call_line, result_line
from werkzeugkoppler.turn.asking import Answer, Ask, Wait, ask_leg
from werkzeugkoppler.turn.calling import CallTool, Pause, call_all
from werkzeugkoppler.turn.leg import Leg, said
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.turn.retry import Patience


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn starts with."""

    draft: Draft
    answer: Answer
    max_tool_loops: int
    max_tool_concurrency: int
    note_leg: Callable[[int, Leg], Awaitable[None]]
    """Told of each leg that ended, with its number."""
    note_end: Callable[[Draft, Leg], None]
    """Told of the last leg before its answer is closed, with all that the upstream was asked, and the
    calls and results besides that the last message is to have when it comes back (BX-03)."""
    patience: Patience
    shows_calls: bool
    """A streaming client is told of the calls that are run here, and what they say (WK-130, BX-08)."""
    refusal: Callable[[], str | None]
    """Words to end the answer with, because a call was denied; `None`: the model is told, and goes on."""
    fails_in_words: bool
    """An upstream that is away makes an answer that says so, in place of an error (F8)."""
    first_leg: int = 1
    """The number of the draft's leg: that of a turn which goes on from another one is higher (BX-12)."""


async def run(
    turn: Turn, *, ask: Ask, wait: Wait, call_tool: CallTool, pause: Pause
) -> AsyncGenerator[bytes]:
    """Answer a request.

    Yields:
        The bytes for the client as they come. An empty item says that an upstream has accepted.

    Raises:
        ApiError: What the client is to be told instead of an answer, or of its rest.
    """
    draft, answer = turn.draft, turn.answer
    for number in count(turn.first_leg):  # pragma: no branch - it has no end
        asked = ask_leg(answer, turn.patience, body=draft.body(), number=number, ask=ask, wait=wait)
        try:
            async with aclosing(asked) as items:
                async for item in items:
                    if isinstance(item, Leg):
                        leg = item
                    else:
                        yield item
        except UpstreamError as error:
            if not turn.fails_in_words or error.cause is None:
                # The tools of the legs before would be run again.
                error.headers += DO_NOT_RETRY if number > 1 else ()
                raise
            yield answer.give_up(error.cause)
            return
        await turn.note_leg(number, leg)
        if not leg.calls:
            break
        if leg.goes_on and number > turn.max_tool_loops:
            raise ApiError(
                500,
                f"Maximum tool loop iterations reached: still a tool call after {number - 1} rounds "
                "(max_tool_loops)",
                code="max_tool_loops_exceeded",
                type="server_error",
                headers=DO_NOT_RETRY,
            )
        if turn.shows_calls:
            yield answer.aside("".join(map(call_line, leg.calls)))
        running = call_all(leg.calls, number, call_tool, concurrency=turn.max_tool_concurrency, pause=pause)
        async with aclosing(running) as sayings:
            async for saying in sayings:
                if not isinstance(saying, str):
                    results = saying
                elif turn.shows_calls:
                    yield answer.aside(saying)
        if turn.shows_calls:
            yield answer.aside("".join(result_line(content) for _, content in results))
        draft = draft.followed_by(leg.message, results)
        if not leg.goes_on:
            break
        if (refusal := turn.refusal()) is not None:
            yield answer.refuse(refusal)
            leg = said(refusal)
            break
        draft = draft.with_free_choice()
    turn.note_end(draft, leg)
    yield answer.close()
