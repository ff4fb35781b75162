"""One leg: the upstream is asked, again where that may help, and its answer relayed as it comes."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import count
from typing import Any, Protocol

from anyio import move_on_after

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn.asides import RetryNotices
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.retry import Patience
from werkzeugkoppler.wire.sse import SseEvent, SseReader

AFTER_FINISH_SECONDS = 5.0
"""How long usage and the end mark may take after the finish: some servers leave them out and stay."""


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

    @property
    def finish_told(self) -> bool:
        """The client was told why the answer ends: no error can follow (BX-01, F18)."""
        ...

    @property
    def has_ended(self) -> bool:
        """The leg has told why it ends: it is whole, also where its connection breaks before the end mark."""
        ...

    @property
    def is_finished(self) -> bool:
        """A stream has told why it ends: only usage and the end mark can follow."""
        ...

    @property
    def has_shown(self) -> bool:
        """The client has seen something of this leg's answer: it cannot be taken back (WK-148)."""
        ...

    @property
    def content(self) -> Any:
        """What the legs that have ended told the client, as its history will have it."""
        ...

    def take(self, event: SseEvent) -> bytes: ...

    def take_completion(self, body: bytes) -> bytes: ...

    def aside(self, text: str) -> bytes:
        """Tell something beside the answer, where there is a place for it."""
        ...

    def end_leg(self) -> Leg: ...

    def drop_leg(self) -> None:
        """Forget what the leg has brought: it is asked again."""
        ...

    def refuse(self, refusal: str) -> bytes:
        """Put last words of ours at its end: `close` follows."""
        ...

    def close(self) -> bytes: ...

    def give_up(self, cause: Cause) -> bytes:
        """Close with words about the upstream's failure in place of the answer, or of its rest."""
        ...


type Ask = Callable[[bytes, int], AbstractAsyncContextManager[Reply]]
"""Sends a leg's body; takes the leg's number too, from 1. Raises `UpstreamError` for any answer but a 2xx."""

type Wait = Callable[[int, UpstreamError, float], Awaitable[None]]
"""Waits so many seconds before a leg is asked again; takes the leg's number and what went wrong."""


async def ask_leg(
    answer: Answer, patience: Patience, *, body: bytes, number: int, ask: Ask, wait: Wait
) -> AsyncGenerator[bytes | Leg]:
    """Ask the upstream until it has answered.

    Yields:
        The bytes for the client as they come, and at last the leg. An empty item says that the upstream
        has accepted.

    Raises:
        UpstreamError: It failed, and is not asked again.
    """
    notices = RetryNotices()
    for failures in count(1):  # pragma: no branch - it has no end
        try:
            try:
                async with ask(body, number) as reply, aclosing(_relay(reply, answer)) as pieces:
                    yield b""
                    async for shown in pieces:
                        yield answer.aside(notices.closing()) + shown
            except UpstreamError as error:
                # A finish is no end where somebody killed the leg, or the upstream says that it failed.
                if not (answer.finish_told or (answer.has_ended and error.cause is not None)):
                    raise
            leg = answer.end_leg()
            if told := answer.aside(notices.closing()):
                yield told
            yield leg
            return
        except UpstreamError as error:
            failure = error
        seconds = None if answer.has_shown else patience.wait_after(failure, failures)
        if seconds is None or failure.cause is None:
            if told := answer.aside(notices.closing()):
                yield told
            raise failure
        answer.drop_leg()
        if told := answer.aside(notices.retrying(failure.cause)):
            yield told
        await wait(number, failure, seconds)


async def _relay(reply: Reply, answer: Answer) -> AsyncGenerator[bytes]:
    if not reply.is_stream:
        yield answer.take_completion(b"".join([piece async for piece in reply.pieces]))
        return
    reader = SseReader()
    pieces = aiter(reply.pieces)
    while piece := await _next(pieces, answer):
        shown: list[bytes] = []
        failure: UpstreamError | None = None
        try:
            for event in _events(reader, piece):
                shown.append(answer.take(event))
        except UpstreamError as error:
            failure = error
        if any(shown):  # what came before a failure is the client's too
            yield b"".join(shown)
        if failure is not None:
            raise failure
        if answer.is_done:
            return  # an upstream may leave its connection open after the end mark
    for event in reader.close():
        yield answer.take(event)


async def _next(pieces: AsyncIterator[bytes], answer: Answer) -> bytes:
    """The next piece; empty at the end, and where nothing follows a finish for a while."""
    if not answer.is_finished:
        return await anext(pieces, b"")
    with move_on_after(AFTER_FINISH_SECONDS):
        return await anext(pieces, b"")
    return b""


def _events(reader: SseReader, piece: bytes) -> list[SseEvent]:
    try:
        return reader.feed(piece)
    except ValueError as error:
        raise UpstreamError(f"the upstream's stream cannot be read: {error}") from error
