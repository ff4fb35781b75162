"""A client's driver as a child process, from its start until it has ended."""

import itertools
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.e2e.launch import ROOT

READY_SECONDS: Final = 60.0
"""The first import of the largest client compiles thousands of files."""
STOP_SECONDS: Final = 5.0
MAX_LINE_BYTES: Final = 100_000

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Driver:
    """A driver that is running."""

    process: Process
    output: BufferedByteReceiveStream
    errors: Path
    """Where its stderr goes."""

    async def ask(self, *, stream: bool = False, tools: bool = False) -> dict[str, Any]:
        """Have the client ask a question that nobody has asked yet.

        Args:
            tools: Whether the client offers a tool of its own.

        Returns:
            The fields of `drivers.driving.Report`, or what the client raised: `raised` (the error's type
            and its bases) and `message`.
        """
        assert self.process.stdin
        question = f"Question {next(_numbers)}: how is the weather in Ulm?"
        wanted = {"question": question, "stream": stream, "tools": tools}
        await self.process.stdin.send(json.dumps(wanted).encode() + b"\n")
        return await self.report()

    async def report(self) -> dict[str, Any]:
        """The next line that it writes."""
        try:
            line = await self.output.receive_until(b"\n", MAX_LINE_BYTES)
        except anyio.IncompleteRead:
            raise AssertionError(f"the driver ended:\n{self.errors.read_text(encoding='utf-8')}") from None
        return dict(json.loads(line))


@asynccontextmanager
async def driving(folder: Path, line: Sequence[str], variables: Mapping[str, str]) -> AsyncIterator[Driver]:
    """Run a driver in a group of its own until it is ready, and end it on leaving.

    Args:
        folder: An empty one, which is the client's home as well.
        variables: The whole environment, but for the path and the home.
    """
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    errors = folder / "errors.log"
    with errors.open("wb") as log:
        process = await anyio.open_process(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env={**own, **variables},
            start_new_session=True,
        )
    assert process.stdout
    driver = Driver(process, BufferedByteReceiveStream(process.stdout), errors)
    try:
        with anyio.fail_after(READY_SECONDS):
            assert await driver.report() == {"ready": True}
        yield driver
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True), anyio.fail_after(STOP_SECONDS):
            await process.aclose()
