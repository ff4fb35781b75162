"""Tell what a command writes while it runs, once it has run for a while (BX-08)."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from werkzeugkoppler.tools.terminal import LiveLines
from werkzeugkoppler.tools.tool import Progress

QUIET_SECONDS = 0.5
"""Of a command that ends sooner nothing is told: its result comes at once, and says the same."""

MAX_HELD_LINES = 1000
"""Until then; what is more is dropped."""


@contextmanager
def listening(tell: Progress) -> Iterator[Callable[[int, bytes], None]]:
    """Listen to a command until it has ended.

    Yields:
        What takes a piece that it has written, and the file descriptor that it wrote it to.
    """
    news = _News(tell)
    timer = asyncio.get_running_loop().call_later(QUIET_SECONDS, news.speak)
    try:
        yield news.hear
    finally:
        timer.cancel()


class _News:
    """The lines of both outputs, held back until it is time to speak."""

    def __init__(self, tell: Progress) -> None:
        self._tell = tell
        self._is_quiet = True
        self._held: list[str] = []
        self._outputs = {fd: LiveLines(self._say) for fd in (1, 2)}

    def hear(self, fd: int, data: bytes) -> None:
        self._outputs[fd].feed(data)

    def speak(self) -> None:
        self._is_quiet = False
        for line in self._held:
            self._tell(line)
        self._held.clear()

    def _say(self, line: str) -> None:
        if not self._is_quiet:
            self._tell(line)
        elif len(self._held) < MAX_HELD_LINES:
            self._held.append(line)
