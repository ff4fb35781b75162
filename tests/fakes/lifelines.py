"""The other end of `hold.py`: a test sees which programs run, lets them go, and sees them end."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import anyio
from anyio.abc import SocketAttribute, SocketStream

from tests.fakes.http1 import GONE

PROGRAM: Final = str(Path(__file__).with_name("hold.py"))


class Lifelines:
    """One connection for each program that runs."""

    def __init__(self) -> None:
        self.port = 0
        self.begun = 0
        """How many programs have begun so far."""
        self._lines: list[SocketStream] = []
        self._changed = anyio.Event()

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator[Self]:
        """Listen on a free port of 127.0.0.1; leaving ends the programs that still run."""
        lifelines = cls()
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        lifelines.port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as connections:
            connections.start_soon(listener.serve, lifelines._hold)
            yield lifelines
            connections.cancel_scope.cancel()

    def action(self, name: str, generations: int = 1, **overrides: Any) -> dict[str, Any]:
        """The settings of an action that runs the program."""
        arguments = [PROGRAM, str(self.port), str(generations)]
        action = {"name": name, "description": "Holds on", "command": sys.executable, "arguments": arguments}
        return action | overrides

    def reader(self, name: str, generations: int = 1, **overrides: Any) -> dict[str, Any]:
        """The settings of a reader that runs the program."""
        action = self.action(name, generations)
        return {key: action[key] for key in ("name", "command", "arguments")} | overrides

    async def running(self, number: int) -> None:
        """Wait until that many programs run; for none, until all have ended."""
        while len(self._lines) != number:
            await self._changed.wait()

    async def until_begun(self, number: int) -> None:
        """Wait until that many programs have begun, whether or not they still run."""
        while self.begun < number:
            await self._changed.wait()

    async def let_go(self) -> None:
        """Let all programs that run go on to their end."""
        for line in list(self._lines):
            await line.send(b"\n")

    async def _hold(self, line: SocketStream) -> None:
        async with line:
            self._lines.append(line)
            self.begun += 1
            self._change()
            try:
                await line.receive()
            except GONE:
                pass
            finally:
                self._lines.remove(line)
                self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
