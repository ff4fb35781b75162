"""Flows that wait for somebody: held by a filter, or until an operator has decided on them (BX-10, BX-11)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from anyio import CancelScope, move_on_after
from mitmproxy import ctx, http
from mitmproxy.hooks import UpdateHook

from werkzeugkoppler import labels
from werkzeugkoppler.flows import Killed, is_killed

KILL_SECONDS = 0.2
"""How soon it is noticed that a flow was killed while it was held, or while its work was done."""


class Verdict(Enum):
    """What became of a question to the operator."""

    GRANTED = auto()
    """Somebody let the flow go."""
    ANSWERED = auto()
    """Somebody answered it: there is nothing left to be done."""
    DENIED = auto()
    """Somebody killed it."""
    TIMED_OUT = auto()
    NO_OPERATOR = auto()
    """There is nobody who could be asked: no screen, and no script that held the flow."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an operator is asked about an exchange before it is carried out."""

    seconds: float
    """How long it waits."""
    on_wait: Callable[[], None]
    """Told when the flow is held."""
    on_verdict: Callable[[Verdict], str | None]
    """Told of the verdict; gives what is answered in place of doing it, `None` where it is to be done."""
    about: str = ""
    """What else it is about than the exchange itself, in words for the flow's name."""


async def verdict_on(flow: http.HTTPFlow, question: Question) -> Verdict:
    """Hold a flow that the addon chain has seen until somebody decides on it, within a bound."""
    if not flow.intercepted:
        if is_killed(flow):
            return Verdict.DENIED
        if flow.response is not None:
            return Verdict.ANSWERED
        if ctx.master.addons.get("view") is None:
            return Verdict.NO_OPERATOR  # mitmdump: nobody sees the flow
        flow.intercept()
    question.on_wait()
    labels.wait(flow, question.about)
    await ctx.master.addons.trigger_event(UpdateHook([flow]))
    with move_on_after(question.seconds):
        await released(flow)
    labels.wait_no_more(flow)
    labels.tell_view(flow)
    if flow.intercepted:
        let_go(flow)
        return Verdict.TIMED_OUT
    if is_killed(flow):
        return Verdict.DENIED
    return Verdict.GRANTED if flow.response is None else Verdict.ANSWERED


async def released(flow: http.HTTPFlow, is_over: Callable[[], bool] = lambda: False) -> None:
    """Wait while somebody holds the flow: it was let go, or killed, which wakes nobody that waits.

    Args:
        is_over: Nobody needs it any more, held or not.
    """
    while flow.intercepted and not is_over():
        with move_on_after(KILL_SECONDS):
            await flow.wait_for_resume()


def let_go(flow: http.HTTPFlow) -> None:
    """End the hold of a flow that nobody waits for any more, and show that."""
    if flow.intercepted:
        flow.resume()
        labels.tell_view(flow)


async def unless_killed[T](flow: http.HTTPFlow, work: Awaitable[T]) -> T:
    """Do the work; a kill of the flow, which wakes nobody either, breaks it off.

    Raises:
        Killed: It was.
    """
    scope = CancelScope()
    lookout = _Lookout(flow, scope)
    try:
        with scope:
            return await work
    finally:
        lookout.end()
    raise Killed


class _Lookout:
    """Cancels a scope once a flow is killed."""

    def __init__(self, flow: http.HTTPFlow, scope: CancelScope) -> None:
        self._flow = flow
        self._scope = scope
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(KILL_SECONDS, self._look)

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if is_killed(self._flow):
            self._scope.cancel()
        else:
            self._timer = self._loop.call_later(KILL_SECONDS, self._look)
