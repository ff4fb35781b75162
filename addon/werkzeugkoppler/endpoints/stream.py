"""A turn's bytes written to a client as server-sent events: the head, the keepalive, the end, the errors."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from werkzeugkoppler.endpoints.call import Outlet, error_reply
from werkzeugkoppler.errors import ApiError, Headers, internal_error
from werkzeugkoppler.traces import Trace
from werkzeugkoppler.wire.http import EVENT_STREAM
from werkzeugkoppler.wire.jsontext import dumps
from werkzeugkoppler.wire.sse import DONE, KEEPALIVE, event

HEADERS: Headers = (
    ("content-type", f"{EVENT_STREAM}; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("connection", "keep-alive"),
    ("x-accel-buffering", "no"),
)
"""WK-122."""

logger = logging.getLogger(__name__)


async def write_stream(
    outlet: Outlet, turn: AsyncGenerator[bytes], *, keepalive_seconds: float, headers: Headers, trace: Trace
) -> None:
    """Write a turn to the client.

    The status line is held back until the turn's first item, or the first keepalive: an error before
    that is a response with its own status (WK-151), one after it an event in the stream (F18).

    Args:
        keepalive_seconds: Silence after which a comment is sent; 0 or less: never (WK-127).
        headers: Added to the response's.
        trace: Told of errors, and of how many keepalives were sent.
    """
    try:
        with _keepalive(outlet, keepalive_seconds, headers, trace):
            async with aclosing(turn):
                async for data in turn:
                    if not outlet.started:
                        outlet.start(200, (*HEADERS, *headers))
                    if data:
                        await outlet.write(data)
    except ApiError as error:
        await write_error(outlet, error, headers, trace)
    except Exception:  # boundary: the client is told, whatever it was
        logger.exception("A streamed turn failed")
        await write_error(outlet, internal_error(), headers, trace)
    else:
        outlet.end()


async def write_error(outlet: Outlet, error: ApiError, headers: Headers, trace: Trace) -> None:
    """End an answer with an error, in the way that is left: an event, or a response of its own (F18)."""
    trace.add_error(error)
    if outlet.started:
        outlet.failure = error.code or "error"
        await outlet.write(event(dumps({"error": error.error()})) + DONE)
        outlet.end()
    else:
        reply = error_reply(error)
        outlet.reply(reply.status, (*reply.headers, *headers), reply.body)


@contextmanager
def _keepalive(outlet: Outlet, seconds: float, headers: Headers, trace: Trace) -> Iterator[None]:
    """Send a comment whenever nothing went out for a while.

    A timer of the loop, not a task: a stream that flows pays one timer for each interval.
    """
    if seconds <= 0:
        yield
        return
    loop = asyncio.get_running_loop()

    def tick() -> None:
        due = outlet.last_write + seconds
        if due <= loop.time():
            if not outlet.started:
                outlet.start(200, (*HEADERS, *headers))
            if outlet.has_room():
                outlet.write_now(KEEPALIVE)
                trace.closing["keepalives"] = trace.closing.get("keepalives", 0) + 1
            due = loop.time() + seconds
        timers[0] = loop.call_at(due, tick)

    timers = [loop.call_at(outlet.last_write + seconds, tick)]
    try:
        yield
    finally:
        timers[0].cancel()
