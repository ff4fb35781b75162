"""Turn what a child writes to stderr into log lines, so that it fills no pipe and hits no screen."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import FileIO
from typing import TextIO

from werkzeugkoppler.tools.line_limit import LineLimit

MAX_LINE_BYTES = 2048
"""A line is cut there: a child that never ends its line must not cost memory, nor a screen of the log."""


@asynccontextmanager
async def log_pipe(emit: Callable[[str], None]) -> AsyncIterator[TextIO]:
    """The end to write to, for a child to inherit; `emit` gets each non-blank line without its end.

    Long lines are cut, and of a flood of lines most are left out (`LineLimit`).

    Close the write end once the child has it: the pipe then ends with the last process that holds it.
    """
    reading, writing = _pipe()
    with writing:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _Lines(emit), reading)
        try:
            yield writing
        finally:
            transport.close()


def _pipe() -> tuple[FileIO, TextIO]:
    reading, writing = os.pipe()
    return FileIO(reading), open(writing, "w", encoding="utf-8")


class _Lines(asyncio.Protocol):
    def __init__(self, emit: Callable[[str], None]) -> None:
        self._limit = LineLimit(emit)
        self._rest = b""
        # The beginning of the line that is coming in was said, its end is of no interest.
        self._is_cut = False

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line)
            self._is_cut = False
        if len(self._rest) > MAX_LINE_BYTES:
            self._say(self._rest)
            self._is_cut = True
            self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._say(self._rest)
        self._limit.end()

    def _say(self, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].decode(errors="replace").rstrip()
        if text and not self._is_cut:
            self._limit.say(f"{text} ..." if len(line) > MAX_LINE_BYTES else text)
