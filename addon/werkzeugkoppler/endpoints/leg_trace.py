"""What a turn's trace has of its legs: when each was asked, when it began to answer, what it brought."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable

from werkzeugkoppler.traces import Trace
from werkzeugkoppler.turn.asides import FIELDS
from werkzeugkoppler.turn.leg import Leg


class LegTrace:
    """The legs of one turn, one after the other.

    Args:
        clock: In seconds.
    """

    def __init__(self, trace: Trace, clock: Callable[[], float] = time.monotonic) -> None:
        self._trace = trace
        self._clock = clock
        self._number = 0
        self._began = 0.0
        self._first_byte_ms: int | None = None
        self._first_delta_ms: int | None = None

    def ask(self, number: int, body: bytes) -> None:
        """A leg is asked, perhaps again: then its time begins anew, and the trace has been told of it."""
        if number != self._number:
            self._number = number
            self._trace.add("leg_request", leg=number, bytes=len(body), body=self._trace.content(body))
        self._began = self._clock()
        self._first_byte_ms = self._first_delta_ms = None

    def accepted(self) -> None:
        """The head of the answer has come."""
        self._first_byte_ms = self._ms()

    def noting(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces of a streamed answer; the first with an event in it is noted."""
        return _Noting(pieces, self._note_first)

    def end(self, number: int, leg: Leg, model: str) -> None:
        """A leg has ended.

        Args:
            model: The one that answered.
        """
        self._trace.add(
            "leg",
            leg=number,
            model=model,
            finish_reason=leg.finish_reason,
            usage=leg.usage,
            tool_calls=len(leg.calls) or None,
            handed_over=len(leg.handed_over) or None,
            repairs=list(leg.repairs) or None,
            content_chars=_chars(leg, "content"),
            reasoning_chars=sum(_chars(leg, key) or 0 for key in FIELDS) or None,
            first_byte_ms=self._first_byte_ms,
            first_delta_ms=self._first_delta_ms,
            duration_ms=self._ms(),
            message=self._trace.content(leg.message),
        )

    def broken_off(self, body: bytes | None) -> None:
        """The leg that was asked last was cancelled before its end.

        Args:
            body: What has come of its answer.
        """
        self._trace.add(
            "leg",
            leg=self._number,
            cancelled=True,
            bytes=len(body) if body is not None else None,
            first_byte_ms=self._first_byte_ms,
            first_delta_ms=self._first_delta_ms,
            duration_ms=self._ms(),
            content=self._trace.content(body),
        )

    def _note_first(self) -> None:
        self._first_delta_ms = self._ms()

    def _ms(self) -> int:
        return round((self._clock() - self._began) * 1000)


class _Noting:
    """Pieces of which one is noted; the others cost no more than a call."""

    def __init__(self, pieces: AsyncIterator[bytes], note: Callable[[], None]) -> None:
        self._note = note
        self._rest = pieces.__anext__
        self._next: Callable[[], Awaitable[bytes]] = self._until_noted

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        return self._next()

    async def _until_noted(self) -> bytes:
        piece = await self._rest()
        if b"data:" in piece:  # a comment says only that the server is there
            self._note()
            self._next = self._rest
        return piece


def _chars(leg: Leg, key: str) -> int | None:
    text = leg.message.get(key)
    return len(text) if isinstance(text, str) and text else None
