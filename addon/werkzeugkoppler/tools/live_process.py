"""Run one command whose output is read as it comes; nothing of it is left behind.

As in `process`, the end of the direct child decides, not the end of the output: a child of a shell may hold
the pipe, or write into it, forever. How soon the output is read decides nothing: a task of the command's own
watches the clock and ends the group.
"""

import asyncio
import fcntl
import signal
import struct
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import anyio

from werkzeugkoppler.tools.process import (
    CANCEL_GRACE_SECONDS,
    END_OF_OUTPUT_SECONDS,
    end_group,
    start,
)

MAX_WAITING_BYTES = 64 * 1024
"""Output that nobody has read yet; over it the command waits, as at a full pipe."""


class LiveProcess:
    """A command that runs, with stderr merged into stdout and nothing to read on stdin."""

    def __init__(
        self, transport: asyncio.SubprocessTransport, output: "_Output", limit_seconds: float | None
    ) -> None:
        self.is_out_of_time = False
        """It ran into its time limit, and was ended."""
        self._transport = transport
        self._output = output
        self._wanted = anyio.CancelScope()
        self._life = asyncio.get_running_loop().create_task(self._live(limit_seconds), name="live process")

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        limit_seconds: float | None = None,
    ) -> "LiveProcess":
        """Start `argv` in a process group of its own; `close` has to follow.

        Args:
            environ: The whole environment of the command, see `process.child_environment`.
            limit_seconds: After that many seconds the group is ended and `is_out_of_time` set; `None`: never.

        Raises:
            OSError: The command cannot be started.
            ValueError: An argument holds a NUL byte, or cannot be encoded.
        """
        transport, output = await start(
            _Output,
            argv,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
            cwd=cwd,
            env=dict(environ),
        )
        return cls(transport, output, limit_seconds)

    async def read(self) -> bytes:
        """What has been written since the last call; empty once the command has ended."""
        return await self._output.read()

    @property
    def exit_code(self) -> int:
        """As subprocess has it: a negative number is the signal that ended the command."""
        code = self._transport.get_returncode()
        return -signal.SIGKILL if code is None else code

    async def close(self) -> None:
        """End what is left of the process group; once closed it stays so."""
        self._wanted.cancel()
        try:
            with anyio.CancelScope(shield=True):
                await self._life
        finally:
            self._output.drop()
            self._transport.close()

    async def _live(self, limit_seconds: float | None) -> None:
        with self._wanted:
            await self._end(limit_seconds)
        await end_group(self._transport.get_pid(), CANCEL_GRACE_SECONDS)
        with anyio.move_on_after(END_OF_OUTPUT_SECONDS):
            await self._output.exited.wait()

    async def _end(self, limit_seconds: float | None) -> None:
        """Wait until the command and its output have ended, or its time has."""
        with anyio.move_on_after(limit_seconds) as limit:
            await self._output.exited.wait()
        if limit.cancelled_caught:
            self.is_out_of_time = True
            self._output.cut()
        else:
            with anyio.move_on_after(END_OF_OUTPUT_SECONDS):
                await self._output.drained.wait()
            self._output.finish()


class _Output(asyncio.SubprocessProtocol):
    """Holds what a command wrote until it is read, and says when it has ended and when its output has."""

    def __init__(self) -> None:
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self._waiting = bytearray()
        self._news = asyncio.Event()
        self._pipe: asyncio.ReadTransport | None = None
        self._is_paused = False
        self._is_cut = False
        self._rest: int | None = None  # bytes that are still taken, once that is known

    async def read(self) -> bytes:
        while not self._waiting and not self._is_at_end:
            self._news.clear()
            await self._news.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        self._resume()
        return data

    def finish(self) -> None:
        """Take what is in the pipe by now, where whoever reads slowly has left it, and nothing later."""
        if self._pipe is not None:
            self._rest = _bytes_in(self._pipe)
            self._close_at_rest()

    def cut(self) -> None:
        """Take nothing more, and do not wait for the command's end; what waits can be read."""
        # The pipe stays open: a command that is told to end may still have something to say, and no reader.
        self._is_cut = True
        self._resume()
        self._news.set()

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self.cut()

    @property
    def _is_at_end(self) -> bool:
        return self._is_cut or (self.exited.is_set() and self.drained.is_set())

    def _resume(self) -> None:
        if self._is_paused and self._pipe is not None:
            self._is_paused = False
            self._pipe.resume_reading()

    def _close_at_rest(self) -> None:
        if self._rest == 0 and self._pipe is not None:
            self._pipe.close()

    # As the loop tells it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        pipes = cast(asyncio.SubprocessTransport, transport)
        self._pipe = cast(asyncio.ReadTransport, pipes.get_pipe_transport(1))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if self._is_cut:
            return
        if self._rest is not None:
            data = data[: self._rest]
            self._rest -= len(data)
            self._close_at_rest()
        self._waiting += data
        if len(self._waiting) > MAX_WAITING_BYTES and self._pipe is not None:
            self._is_paused = True
            self._pipe.pause_reading()
        self._news.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._pipe = None
        self.drained.set()
        self._news.set()

    def process_exited(self) -> None:
        self.exited.set()
        self._news.set()


def _bytes_in(pipe: asyncio.ReadTransport) -> int:
    (size,) = struct.unpack("i", fcntl.ioctl(pipe.get_extra_info("pipe"), termios.FIONREAD, bytes(4)))
    return int(size)
