"""A graceful end: no new requests, a while for those under way, an error for what is left (OW-69)."""

import asyncio

from anyio import move_on_after, sleep

from werkzeugkoppler.endpoints.call import Outlet, Write
from werkzeugkoppler.endpoints.stream import write_error
from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.visit import Visit, Visits

DRAIN_SECONDS = 5.0
"""How long requests under way may take to end by themselves, as in the original (B2)."""
BREAK_SECONDS = 1.5
"""How long the others may take to end when they are told to: a command gets half a second to clean up."""
FLUSH_SECONDS = 0.1
"""What was answered last has been handed to mitmproxy; within that it is on its way to the client."""
POLL_SECONDS = 0.02
GIVE_UP_SECONDS = 0.5
"""How long the last traces may take where the end is forced."""


class Drain:
    """The end of a proxy's requests.

    Args:
        visits: The requests that are under way.
    """

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self.has_begun = False

    def check(self) -> None:
        """Let no request in that would have to be broken off.

        Raises:
            ApiError: 503, the proxy is about to stop.
        """
        if self.has_begun:
            raise stopping()

    async def run(self) -> None:
        """Wait for the requests under way, then break off what is left; once."""
        if self.has_begun:
            return
        self.has_begun = True
        if not self._visits.under_way:
            return
        await self._ended(DRAIN_SECONDS)
        for visit in self._visits.under_way:
            visit.break_off()
        await self._ended(BREAK_SECONDS)
        await sleep(FLUSH_SECONDS)

    def give_up(self) -> None:
        """End all requests at once, for a process that ends now; only their traces are waited for."""
        self._visits.end_all()
        if self._visits.traces is not None:
            self._visits.traces.close(GIVE_UP_SECONDS)

    async def _ended(self, seconds: float) -> None:
        with move_on_after(seconds):
            while self._visits.under_way:  # noqa: ASYNC110 - it happens once in the life of a proxy
                await sleep(POLL_SECONDS)


def stopping() -> ApiError:
    """What a client is told whose request came too late, or took too long."""
    return ApiError(
        503,
        "the proxy is stopping, try again in a moment",
        code="stopping",
        type="server_error",
        headers=(("Retry-After", "1"), ("Connection", "close")),
    )


async def write_to_end(visit: Visit, outlet: Outlet, write: Write) -> None:
    """Write an answer; one that is broken off ends as an error does (F18)."""
    visit.writing = asyncio.current_task()
    try:
        await write(outlet, visit.headers)
    except asyncio.CancelledError:
        if not visit.is_broken_off or visit.is_over:
            raise
        await write_error(outlet, stopping(), visit.headers, visit.trace)
    finally:
        visit.writing = None
