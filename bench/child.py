"""One child process: a group of its own, its output in a file, and an end that is bounded."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_STOP_SECONDS = 5.0
"""How long a child may take to end after SIGTERM: a proxy closes its tool servers first."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child process."""

    process: asyncio.subprocess.Process
    log: Path
    """Its stdout and stderr."""

    def has_ended(self) -> bool:
        return self.process.returncode is not None

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """What it has used so far, its children not included; in steps of 10 ms."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def memory_bytes(self) -> int:
        """Its resident memory, its children's not included."""
        return int(psutil.Process(self.process.pid).memory_info().rss)


@asynccontextmanager
async def child(
    command: Sequence[str], *, log: Path, cwd: Path, environment: Mapping[str, str], cores: Collection[int]
) -> AsyncIterator[Child]:
    """Run a command for as long as the block lasts.

    Args:
        log: Where its stdout and stderr go.
        cores: The cores it may use; empty for all.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
        )
    pin(process.pid, cores)
    try:
        yield Child(process, log)
    finally:
        await asyncio.shield(_stop(process))


def pin(pid: int, cores: Collection[int]) -> None:
    """Keep a process (0 is this one) on some cores, where the system can do that and any are given."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, cores)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask the group to end, then end it, and with it what its children put into groups of their own."""
    with suppress(psutil.NoSuchProcess):
        descendants = psutil.Process(process.pid).children(recursive=True)
        _signal_group(process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        _signal_group(process, signal.SIGKILL)
        for descendant in descendants:
            with suppress(psutil.NoSuchProcess):
                descendant.kill()
    await process.wait()


def _signal_group(process: asyncio.subprocess.Process, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
