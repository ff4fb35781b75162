"""Commands are run within limits and leave nothing behind."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from werkzeugkoppler.tools import process
from werkzeugkoppler.tools.process import Finished


async def run(*argv: str, **overrides: Any) -> Finished:
    settings: dict[str, Any] = {
        "cwd": Path.cwd(),
        "environ": dict(os.environ),
        "timeout_seconds": 20,
        "max_output_bytes": 1000,
    }
    with anyio.fail_after(30):
        return await process.run(argv, **settings | overrides)


async def shell(script: str, **overrides: Any) -> Finished:
    return await run("sh", "-c", script, **overrides)


async def line_of(fifo: Path) -> str:
    """The next line that a command writes there."""
    return await anyio.to_thread.run_sync(fifo.read_text)


async def end_of(pids: Sequence[int]) -> None:
    """Wait until none of the processes runs: a kill is certain, but not immediate."""
    while any(alive(pid) for pid in pids):
        await anyio.lowlevel.checkpoint()


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and not yet buried does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_what_a_command_writes_and_how_it_ends_is_returned() -> None:
    finished = await shell("echo out; echo err >&2; exit 3")
    assert finished == Finished(3, b"out\n", 0, b"err\n", False)


async def test_a_signal_that_ends_a_command_is_a_negative_exit_code() -> None:
    assert (await shell("kill -9 $$")).exit_code == -signal.SIGKILL


async def test_no_shell_reads_the_arguments() -> None:
    assert (await run("echo", "$HOME; ls | wc")).stdout == b"$HOME; ls | wc\n"


async def test_a_command_without_input_reads_an_end_of_file() -> None:
    assert (await run("cat")).stdout == b""


async def test_input_larger_than_a_pipe_arrives_whole() -> None:
    finished = await run("wc", "-c", stdin=b"x" * 1_000_000)
    assert finished.stdout.strip() == b"1000000"


async def test_input_that_the_command_does_not_read_harms_nobody() -> None:
    assert (await run("true", stdin=b"x" * 1_000_000)).exit_code == 0


async def test_output_beyond_the_limit_is_dropped_and_counted() -> None:
    finished = await run(sys.executable, "-c", "print('x' * 500_000, end='')", max_output_bytes=10)
    assert (finished.stdout, finished.cut, finished.exit_code) == (b"x" * 10, 499_990, 0)


async def test_only_the_tail_of_stderr_is_kept() -> None:
    code = "import sys; sys.stderr.write('x' * 100_000 + 'the reason')"
    tail = (await run(sys.executable, "-c", code)).stderr_tail
    assert len(tail) == process.STDERR_TAIL_BYTES
    assert tail.endswith(b"xthe reason")


async def test_a_command_that_does_not_exist_cannot_be_run() -> None:
    with pytest.raises(FileNotFoundError):
        await run("/no/such/command")


@pytest.mark.parametrize("argv", [(), ("echo", "a\0b")], ids=["empty", "NUL byte"])
async def test_a_command_that_is_none_cannot_be_run(argv: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        await run(*argv)


@pytest.mark.contract("WK-107")
async def test_a_command_beyond_its_time_is_ended_with_its_whole_tree() -> None:
    finished = await shell("sleep 1000 & echo $!; echo $$; wait", timeout_seconds=0.3)
    assert finished.timed_out
    with anyio.fail_after(5):
        await end_of([int(pid) for pid in finished.stdout.split()])


OWN_GROUPS = {
    "timeout": "timeout 1000 sleep 1000 & echo $!",
    "job control": "set -m; sleep 1000 & echo $!",
}


@pytest.mark.contract("BX-05", "WK-107")
@pytest.mark.parametrize("script", OWN_GROUPS.values(), ids=OWN_GROUPS)
@pytest.mark.parametrize("end", ["", "; wait"], ids=["which ends", "beyond its time"])
async def test_a_part_of_a_command_that_made_a_group_of_its_own_is_ended_too(script: str, end: str) -> None:
    finished = await shell(script + end, timeout_seconds=0.5)
    with anyio.fail_after(5):
        await end_of([int(pid) for pid in finished.stdout.split()])


async def test_a_daemon_lives_on_and_holds_nobody_up() -> None:
    """Agents and servers that a command starts for others, such as gpg-agent, make a session of their own."""
    with anyio.fail_after(5):
        finished = await shell("setsid sleep 1000 & echo $!")
    (pid,) = [int(pid) for pid in finished.stdout.split()]
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


async def test_a_command_that_fills_both_pipes_ends() -> None:
    finished = await shell("head -c 5000000 /dev/zero & head -c 5000000 /dev/zero >&2; wait")
    assert (len(finished.stdout), finished.cut, finished.exit_code) == (1000, 4_999_000, 0)


async def test_a_command_with_many_children_is_ended_with_all_of_them() -> None:
    script = "for n in $(seq 40); do sleep 1000 & echo $!; done; wait"
    finished = await shell(script, timeout_seconds=1)
    pids = [int(pid) for pid in finished.stdout.split()]
    assert finished.timed_out and len(pids) == 40
    with anyio.fail_after(5):
        await end_of(pids)


async def test_a_command_that_closes_its_output_and_lives_on_is_ended() -> None:
    finished = await shell("echo $$; exec >&- 2>&-; sleep 1000", timeout_seconds=0.5)
    assert finished.timed_out
    with anyio.fail_after(5):
        await end_of([int(finished.stdout)])


async def test_a_command_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TIMEOUT_GRACE_SECONDS", 0.1)
    finished = await shell("trap '' TERM; while :; do sleep 1000; done", timeout_seconds=0.3)
    assert (finished.timed_out, finished.exit_code) == (True, -signal.SIGKILL)


async def test_a_child_that_keeps_the_output_open_is_not_waited_for() -> None:
    finished = await shell("sleep 1000 & echo $!")
    assert not finished.timed_out
    with anyio.fail_after(5):
        await end_of([int(finished.stdout)])


async def test_a_child_that_outlives_the_command_quietly_is_ended() -> None:
    finished = await shell("sleep 1000 >/dev/null 2>&1 & echo $!")
    with anyio.fail_after(5):
        await end_of([int(finished.stdout)])


@pytest.mark.contract("BX-05")
@pytest.mark.parametrize("script", ["", "trap '' TERM; "], ids=["at once", "though it ignores SIGTERM"])
async def test_cancelling_ends_the_whole_group_within_a_second(tmp_path: Path, script: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script += f"sleep 1000 & echo $! $$ > {fifo}; while :; do wait; done"
    running = asyncio.get_running_loop().create_task(shell(script))
    with anyio.fail_after(20):
        pids = [int(pid) for pid in (await line_of(fifo)).split()]
    running.cancel()
    with anyio.fail_after(1):
        with pytest.raises(asyncio.CancelledError):
            await running
        await end_of(pids)


@pytest.mark.contract("BX-05")
@pytest.mark.parametrize("times", [1, 2])
async def test_cancelling_while_the_command_is_being_started_ends_the_whole_group(
    tmp_path: Path, times: int
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # as mitmproxy's: the command is started at once
    running = loop.create_task(shell(f"sleep 1000 & echo $! > {fifo}; wait"))
    # The loop is held up: it does not see the start.
    assert select.select([reading], [], [], 10)[0]
    pid = int(os.read(reading, 100))
    os.close(reading)
    running.cancel()
    for _ in range(times - 1):
        await anyio.lowlevel.checkpoint()
        running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with anyio.fail_after(1):
        await end_of([pid])


async def test_a_second_cancellation_kills_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"trap '' TERM; echo $$ > {fifo}; while :; do sleep 1000; done"
    running = asyncio.get_running_loop().create_task(shell(script))
    with anyio.fail_after(20):
        pid = int(await line_of(fifo))
    running.cancel()
    await anyio.lowlevel.checkpoint()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with anyio.fail_after(5):
        await end_of([pid])


@pytest.mark.contract("BX-17")
def test_a_child_inherits_neither_our_settings_nor_our_secrets() -> None:
    environ = {
        "PATH": "/bin",
        "WERKZEUGKOPPLER_SERVICE_API_KEY": "x",
        "OPENAI_API_KEY": "sk-0123456789",
        "CURL_HEADER": "Authorization: Bearer sk-0123456789",
    }
    assert process.child_environment(environ, ["sk-0123456789", ""]) == {"PATH": "/bin"}


@pytest.mark.contract("BX-17")
def test_a_short_secret_costs_a_child_only_values_that_are_that_secret() -> None:
    environ = {"PATH": "/test/bin", "KEY": "test"}
    assert process.child_environment(environ, ["test"]) == {"PATH": "/test/bin"}
