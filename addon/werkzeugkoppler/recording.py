"""An answer that comes in, kept in its flow while it does."""

import asyncio
import time
from collections.abc import AsyncIterator

from mitmproxy import http

from werkzeugkoppler.errors import UpstreamError
from werkzeugkoppler.flows import check_killed, is_killed
from werkzeugkoppler.labels import note_arrivals, note_failure, tell_view
from werkzeugkoppler.wire.http import HttpAnswer

VIEW_INTERVAL = 0.5
"""Seconds between two looks that the view gets at a growing answer: each copies all that has come."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""As for requests by default. A model that goes round in circles must not fill the memory."""


MAX_ARRIVALS = 256
"""Of more pieces than this, only every second, fourth, ... has its time kept."""


class Timeline:
    """When how much of an answer had come: some of its pieces, evenly chosen, the first among them."""

    def __init__(self) -> None:
        self.points: list[list[int]] = []
        """Pairs: the bytes that had come with a piece, and the milliseconds since the request was sent."""
        self._count = 0
        self._stride = 1

    def add(self, size: int, ms: int) -> None:
        if self._count % self._stride == 0:
            self.points.append([size, ms])
            if len(self.points) == MAX_ARRIVALS:
                self.points = self.points[::2]
                self._stride *= 2
        self._count += 1


class Recording:
    """Lets the flow's content grow while an answer comes in; whole at the end, however that comes."""

    def __init__(self, flow: http.HTTPFlow, response: http.Response, answer: HttpAnswer) -> None:
        self._flow = flow
        self._response = response
        self._answer = answer
        self._seen: list[bytes] = []
        self._size = 0
        self._timeline = Timeline()
        self._loop = asyncio.get_running_loop()
        self._sent = self._loop.time() - (time.time() - (flow.request.timestamp_end or 0.0))
        self._shown = 0  # pieces that the flow's content holds
        self._timer = self._loop.call_soon(self._look)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The answer's pieces as they come.

        Raises:
            Killed: Somebody killed the flow meanwhile.
            UpstreamError: There are too many.
        """
        try:
            async for piece in self._answer.pieces:
                self._size += len(piece)
                if self._size > MAX_ANSWER_BYTES:
                    raise UpstreamError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
                self._seen.append(piece)
                self._timeline.add(self._size, round((self._loop.time() - self._sent) * 1000))
                yield piece
        except UpstreamError as error:
            check_killed(self._flow)  # then the failure is our own doing
            note_failure(self._flow, error)
            raise

    def _look(self) -> None:
        """Show what has come, and break off where the flow was killed: that wakes nobody who waits."""
        if is_killed(self._flow):
            self._answer.abort()
            return
        if self._shown != len(self._seen):
            self._keep()
            tell_view(self._flow)
        self._timer = self._loop.call_later(VIEW_INTERVAL, self._look)

    def _keep(self) -> None:
        self._shown = len(self._seen)
        self._response.data.content = b"".join(self._seen)
        note_arrivals(self._flow, self._timeline.points)

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._timer.cancel()
        self._keep()
        self._response.headers["content-length"] = str(self._size)
