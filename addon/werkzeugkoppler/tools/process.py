"""Run one command to its end, within limits of time and output, and leave none of its processes behind.

The command leads a session of its own, and all groups of the session are what is ended: a shell's children
hold the pipes open long after the shell is gone. So the end of the direct child decides, not the end of its
output. A process that left the session (setsid) lives on: agents do that which commands start for others,
such as gpg-agent, a build server or tmux, and to kill those would be worse.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread

MAX_ARGUMENT_BYTES = 128 * 1024 - 1
"""What Linux takes as one argument or one variable, without the NUL at its end (MAX_ARG_STRLEN)."""

STDERR_TAIL_BYTES = 4096
"""What is kept of stderr: its end says why a command failed, and a model should not pay for more."""

TIMEOUT_GRACE_SECONDS = 2.0
"""From SIGTERM to SIGKILL when a command ran too long: time to clean up."""

CANCEL_GRACE_SECONDS = 0.5
"""From SIGTERM to SIGKILL when nobody waits any more: the group is dead within a second (BX-05)."""

END_OF_OUTPUT_SECONDS = 0.5
"""How long output may still arrive after the command's own end: its last bytes are in the pipe by then."""

GROUP_POLL_SECONDS = 0.01
"""How often a signalled group is looked at."""

SHORTEST_SECRET_INSIDE = 8
"""A shorter secret is only looked for as a whole value: `test` must not cost a child its PATH."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended and what it wrote."""

    exit_code: int
    """As subprocess has it: a negative number is the signal that ended the command."""
    stdout: bytes
    cut: int
    """Bytes of stdout beyond the limit: they were read and dropped."""
    stderr_tail: bytes
    """At most the last `STDERR_TAIL_BYTES` bytes."""
    timed_out: bool


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    timeout_seconds: float,
    max_output_bytes: int,
    stdin: bytes | None = None,
    timeout_grace_seconds: float = TIMEOUT_GRACE_SECONDS,
    hear: Callable[[int, bytes], None] | None = None,
) -> Finished:
    """Run `argv` without a shell and wait for its end; its whole session is dead on return.

    Cancelling ends the session too. A process that left it (setsid) escapes by its own design.

    Args:
        environ: The whole environment of the command, see `child_environment`.
        timeout_seconds: After that many seconds the session is ended, and `timed_out` is set.
        max_output_bytes: The bytes of stdout to keep.
        stdin: What the command can read; without it stdin is closed.
        timeout_grace_seconds: From SIGTERM to SIGKILL where it ran too long.
        hear: Gets each piece as it is written, with the file descriptor it was written to, 1 or 2.

    Raises:
        OSError: The command cannot be started.
        ValueError: `argv` is empty, or an argument holds a NUL byte.
    """
    if not argv:
        raise ValueError("the command is empty")
    transport, child = await start(
        lambda: _Child(max_output_bytes, hear),
        argv,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        cwd=cwd,
        env=dict(environ),
    )
    grace_seconds = CANCEL_GRACE_SECONDS
    try:
        if stdin is not None:
            _feed(transport, stdin)
        with anyio.move_on_after(timeout_seconds) as limit:
            await child.exited.wait()
        if limit.cancelled_caught:
            grace_seconds = timeout_grace_seconds
        else:
            with anyio.move_on_after(END_OF_OUTPUT_SECONDS):
                await child.drained.wait()
    finally:
        try:
            await end_group(transport.get_pid(), grace_seconds)
            with anyio.CancelScope(shield=True), anyio.move_on_after(END_OF_OUTPUT_SECONDS):
                await child.exited.wait()
        finally:
            transport.close()
    return child.finished(transport.get_returncode(), timed_out=limit.cancelled_caught)


async def start[P: asyncio.SubprocessProtocol](
    make: Callable[[], P], argv: Sequence[str], **options: Any
) -> tuple[asyncio.SubprocessTransport, P]:
    """Start a command that leads a process group of its own; `end_group` has to follow.

    Whoever is cancelled meanwhile waits for the start, which takes a moment, and ends the group: asyncio
    would kill the command alone, and leave what it has started by then.

    Args:
        options: As of `loop.subprocess_exec`.

    Raises:
        OSError: It cannot be started.
        ValueError: An argument holds a NUL byte, or cannot be encoded.
    """
    loop = asyncio.get_running_loop()
    starting = loop.create_task(
        loop.subprocess_exec(make, *argv, start_new_session=True, **options), name=f"start {argv[0]}"
    )
    try:
        transport, protocol = await asyncio.shield(starting)
        led(transport.get_pid())
        return transport, protocol
    except asyncio.CancelledError:
        # A task of its own: whoever is cancelled once more goes at once, and the group is ended all the same.
        ending = loop.create_task(_end_started(starting), name=f"end {argv[0]}")
        _endings.add(ending)
        ending.add_done_callback(_endings.discard)
        with anyio.CancelScope(shield=True):
            await asyncio.shield(ending)
        raise


_endings: set[asyncio.Task[None]] = set()
"""The event loop does not hold its tasks."""


async def _end_started[P](starting: asyncio.Task[tuple[asyncio.SubprocessTransport, P]]) -> None:
    """End what is just being started, once it has been."""
    await asyncio.wait([starting])
    if not starting.exception():
        transport, _ = starting.result()
        try:
            await end_group(transport.get_pid(), CANCEL_GRACE_SECONDS)
        finally:
            transport.close()


def child_environment(environ: Mapping[str, str], secrets: Sequence[str]) -> dict[str, str]:
    """`environ` without this program's own settings and without values that give a secret away (BX-17)."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("WERKZEUGKOPPLER_") and not any(_tells(value, secret) for secret in secrets)
    }


def _tells(value: str, secret: str) -> bool:
    return secret in value if len(secret) >= SHORTEST_SECRET_INSIDE else bool(secret) and secret == value


class _Child(asyncio.SubprocessProtocol):
    """Collects what a command writes, and says when it has ended and when its output has.

    asyncio's own `Process.wait` waits for the pipes as well, and a grandchild can hold those forever.
    """

    def __init__(self, max_output_bytes: int, hear: Callable[[int, bytes], None] | None) -> None:
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self._max_output_bytes = max_output_bytes
        self._hear = hear
        self._stdout = bytearray()
        self._cut = 0
        self._stderr = bytearray()
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if self._hear is not None:
            self._hear(fd, data)
        if fd == 2:
            self._stderr += data
            del self._stderr[:-STDERR_TAIL_BYTES]
            return
        kept = data[: self._max_output_bytes - len(self._stdout)]
        self._stdout += kept
        self._cut += len(data) - len(kept)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open:
            self.drained.set()

    def process_exited(self) -> None:
        self.exited.set()

    def finished(self, exit_code: int | None, *, timed_out: bool) -> Finished:
        # Not even SIGKILL ends a process that hangs in the kernel: it counts as killed.
        code = -signal.SIGKILL if exit_code is None else exit_code
        return Finished(code, bytes(self._stdout), self._cut, bytes(self._stderr), timed_out)


def _feed(transport: asyncio.SubprocessTransport, stdin: bytes) -> None:
    """Hand over the whole input; the transport writes it as the command reads."""
    pipe = cast(asyncio.WriteTransport, transport.get_pipe_transport(0))
    pipe.write(stdin)
    pipe.write_eof()


async def end_group(session: int, grace_seconds: float) -> None:
    """SIGTERM to a group and the others of its session, SIGKILL to what is left after the grace, or when
    cancelled.

    Args:
        session: The leader's process id.
    """
    groups = {session}
    try:
        with anyio.CancelScope(shield=True):
            groups |= await anyio.to_thread.run_sync(_groups_of, session)
            for group in groups:
                _signal(group, signal.SIGTERM)
            with anyio.move_on_after(grace_seconds):
                while any([_signal(group, 0) for group in groups]):  # noqa: ASYNC110 - no event tells it
                    await anyio.sleep(GROUP_POLL_SECONDS)
    finally:
        for group in groups:
            _signal(group, signal.SIGKILL)
        _leaders.discard(session)


_leaders: set[int] = set()
"""The sessions that were started and not ended yet: what has to be killed where no time is left."""


def led(session: int) -> None:
    """Note a session that `end_group` will end."""
    _leaders.add(session)


def kill_all() -> None:
    """SIGKILL to everything that runs, at once: the program is about to exit, and nobody waits."""
    for session in _leaders:
        for group in {session} | _groups_of(session):
            _signal(group, signal.SIGKILL)


def _groups_of(session: int) -> set[int]:
    """The process groups of a session: `timeout` and shells with job control make some of their own.

    For a thread: there may be thousands of processes to look at. Without /proc, as on macOS, it finds none.
    """
    groups: set[int] = set()
    with suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with suppress(OSError):  # it has ended meanwhile
                if os.getsid(int(name)) == session:
                    groups.add(os.getpgid(int(name)))
    return groups


def _signal(group: int, number: int) -> bool:
    """Signal the group, 0 to only look; whether it still has members."""
    with suppress(ProcessLookupError):
        # EPERM: what is left is not ours any more (setuid), or dead and not yet reaped (macOS).
        with suppress(PermissionError):
            os.killpg(group, number)
        return True
    return False
