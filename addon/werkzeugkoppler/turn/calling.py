"""Run the calls of a leg side by side, and tell what they say meanwhile.

The calls run in a task of their own, so that no scope of theirs is open while a line is handed on, and a
client that takes nothing holds no call up: what is said then is kept in the little room that a call has, and
the oldest lines make way.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from anyio import CancelScope, CapacityLimiter, Event, create_task_group

from werkzeugkoppler.turn.asides import left_out_line, news_line
from werkzeugkoppler.wire.assemble import ToolCall

MAX_WAITING_LINES = 5
"""Of one call that are not shown yet: as many as a person reads in the pause between two looks."""

type Tell = Callable[[str], None]
"""Takes a line of news about a call; never blocks."""

type CallTool = Callable[[ToolCall, int, Tell], Awaitable[str]]
"""Runs a call of the leg with that number, and gives the content for the model.

A failure of the tool is a content too, never an exception."""

type Pause = Callable[[Event], Awaitable[None]]
"""Waits a while before the next lines are shown, or until the event is set."""

type Results = list[tuple[ToolCall, str]]


class News:
    """What calls that are under way have said and nobody has been shown yet."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[str, deque[str]]] = {}
        self._left_out: dict[int, int] = {}
        self._has_come = Event()

    def teller(self, position: int, name: str) -> Tell:
        """What takes the lines of one call.

        Args:
            position: Tells the call from others of that name.
        """

        def tell(line: str) -> None:
            lines = self._waiting.setdefault(position, (name, deque()))[1]
            lines.append(line)
            if len(lines) > MAX_WAITING_LINES:
                lines.popleft()
                self._left_out[position] = self._left_out.get(position, 0) + 1
            self._has_come.set()

        return tell

    async def come(self) -> None:
        """Wait until there is something to show."""
        await self._has_come.wait()

    def wake(self) -> None:
        """Let go whoever waits, whether or not anything has come."""
        self._has_come.set()

    def take(self) -> str:
        """The lines that have come since the last time, those of one call together, the latest of each."""
        shown = []
        for position, (name, lines) in self._waiting.items():
            if left_out := self._left_out.get(position):
                shown.append(left_out_line(name, left_out))
            shown += [news_line(name, line) for line in lines]
        self._waiting.clear()
        self._left_out.clear()
        self._has_come = Event()
        return "".join(shown)


async def call_all(
    calls: Sequence[ToolCall], number: int, call_tool: CallTool, *, concurrency: int, pause: Pause
) -> AsyncGenerator[str | Results]:
    """Run the calls, `concurrency` of them at a time (WK-115).

    Leaving it early cancels them, and waits until they have ended.

    Yields:
        Lines to show while they run (BX-08), and at last the results in the order of the calls.
    """
    news, ended = News(), Event()

    async def run() -> Results:
        try:
            return await _results(calls, number, call_tool, concurrency, news)
        finally:
            ended.set()
            news.wake()

    running = asyncio.get_running_loop().create_task(run(), name=f"calls of leg {number}")
    try:
        while not ended.is_set():
            await news.come()
            if lines := news.take():
                yield lines
                await pause(ended)
        if lines := news.take():
            yield lines
        yield await running
    finally:
        if not running.done():
            running.cancel()
            with CancelScope(shield=True):
                await asyncio.wait([running])


async def _results(
    calls: Sequence[ToolCall], number: int, call_tool: CallTool, concurrency: int, news: News
) -> Results:
    limiter = CapacityLimiter(concurrency)
    contents: dict[int, str] = {}

    async def call_one(position: int, call: ToolCall) -> None:
        async with limiter:
            contents[position] = await call_tool(call, number, news.teller(position, call.name))

    async with create_task_group() as group:
        for position, call in enumerate(calls):
            group.start_soon(call_one, position, call)
    return [(call, contents[position]) for position, call in enumerate(calls)]
