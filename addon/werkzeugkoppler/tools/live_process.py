"""Run one command whose output is read as it comes; nothing of it is left behind.

As in `process`, the end of the direct child decides: a child of a shell may hold the pipe forever.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import anyio

from werkzeugkoppler.tools.process import (
    CANCEL_GRACE_SECONDS,
    END_OF_OUTPUT_SECONDS,
    end_session,
)

MAX_WAITING_BYTES = 64 * 1024
"""Output that nobody has read yet; over it the command waits, as at a full pipe."""


class LiveProcess:
    """A command that runs, with stderr merged into stdout and nothing to read on stdin."""

    def __init__(self, transport: asyncio.SubprocessTransport, child: "_Child") -> None:
        self._transport = transport
        self._child = child
        self._is_closed = False

    @classmethod
    async def start(cls, argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str]) -> "LiveProcess":
        """Start `argv` in a process group of its own; `close` has to follow.

        Args:
            environ: The whole environment of the command, see `process.child_environment`.

        Raises:
            OSError: The command cannot be started.
            ValueError: An argument holds a NUL byte, or cannot be encoded.
        """
        transport, child = await asyncio.get_running_loop().subprocess_exec(
            _Child,
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            cwd=cwd,
            env=dict(environ),
            start_new_session=True,
        )
        return cls(transport, child)

    async def read(self) -> bytes:
        """What has been written since the last call; empty once the command has ended."""
        return await self._child.read()

    @property
    def exit_code(self) -> int:
        """As subprocess has it: a negative number is the signal that ended the command."""
        code = self._transport.get_returncode()
        return -signal.SIGKILL if code is None else code

    async def close(self, grace_seconds: float = CANCEL_GRACE_SECONDS) -> None:
        """End what is left of the session; once closed it stays so."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await end_session(self._transport.get_pid(), grace_seconds)
            with anyio.CancelScope(shield=True), anyio.move_on_after(END_OF_OUTPUT_SECONDS):
                await self._child.exited.wait()
        finally:
            self._transport.close()


class _Child(asyncio.SubprocessProtocol):
    """Holds output until it is read, and tells when no more is to be expected."""

    def __init__(self) -> None:
        self.exited = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._news = asyncio.Event()
        self._pipe: asyncio.ReadTransport | None = None
        self._is_paused = False
        self._is_drained = False
        self._last_moved = 0.0  # when output came or room was made for it, on the loop's clock

    async def read(self) -> bytes:
        while not self._waiting and not (self.exited.is_set() and self._is_drained):
            self._news.clear()
            await self._news.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        self._last_moved = self._loop.time()
        if self._is_paused and self._pipe is not None:
            self._is_paused = False
            self._pipe.resume_reading()
        return data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        pipes = cast(asyncio.SubprocessTransport, transport)
        self._pipe = cast(asyncio.ReadTransport, pipes.get_pipe_transport(1))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._waiting += data
        self._last_moved = self._loop.time()
        if len(self._waiting) > MAX_WAITING_BYTES and self._pipe is not None:
            self._is_paused = True
            self._pipe.pause_reading()
        self._news.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._pipe = None
        self._is_drained = True
        self._news.set()

    def process_exited(self) -> None:
        self.exited.set()
        self._last_moved = self._loop.time()
        self._news.set()
        self._give_up_when_silent()

    def _give_up_when_silent(self) -> None:
        """A pipe that somebody holds open ends with the silence after the command's own end."""
        due = self._last_moved + END_OF_OUTPUT_SECONDS
        if self._waiting or due > self._loop.time():
            self._loop.call_at(max(due, self._loop.time() + END_OF_OUTPUT_SECONDS), self._give_up_when_silent)
        else:
            self._is_drained = True
            self._news.set()
