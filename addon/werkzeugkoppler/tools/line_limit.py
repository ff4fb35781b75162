"""Pass lines of foreign programs on to the log, but not without bound."""

import asyncio
from collections.abc import Callable

LINES_A_SECOND = 100
"""Of one program: a whole traceback fits, and a flood neither fills a disk nor hides everything else."""


class LineLimit:
    """Says at most so many lines in a window of time, and at its end how many were left out.

    Args:
        emit: Gets each line.
        seconds: The length of a window, which begins with a line.
    """

    def __init__(
        self, emit: Callable[[str], None], *, lines: int = LINES_A_SECOND, seconds: float = 1.0
    ) -> None:
        self._emit = emit
        self._lines = lines
        self._seconds = seconds
        self._said = 0
        self._left_out = 0
        self._window: asyncio.TimerHandle | None = None

    def say(self, line: str) -> None:
        if self._window is None:
            self._window = asyncio.get_running_loop().call_later(self._seconds, self.end)
        if self._said < self._lines:
            self._said += 1
            self._emit(line)
        else:
            self._left_out += 1

    def end(self) -> None:
        """End the window, and tell what was left out of it; a later line begins another."""
        if self._window is not None:
            self._window.cancel()
            self._window = None
        if self._left_out:
            self._emit(f"... {self._left_out} lines left out")
        self._said = self._left_out = 0
