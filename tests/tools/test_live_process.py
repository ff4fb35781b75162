"""A command's output is read as it comes, and nothing of it is left behind."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.fakes.lifelines import PROGRAM, Lifelines
from werkzeugkoppler.tools.live_process import MAX_WAITING_BYTES, LiveProcess


@asynccontextmanager
async def started(script: str, limit_seconds: float | None = None) -> AsyncIterator[LiveProcess]:
    with anyio.fail_after(20):
        process = await LiveProcess.start(
            ["/bin/sh", "-c", script], cwd=Path.cwd(), environ=os.environ, limit_seconds=limit_seconds
        )
        try:
            yield process
        finally:
            await process.close()


async def everything(process: LiveProcess) -> bytes:
    data = b""
    while piece := await process.read():
        data += piece
    return data


async def test_output_and_errors_come_in_their_order() -> None:
    async with started("echo a; echo b >&2; echo c; exit 3") as process:
        assert await everything(process) == b"a\nb\nc\n"
        assert process.exit_code == 3


async def test_a_signal_that_ends_a_command_is_a_negative_exit_code() -> None:
    async with started("kill -9 $$") as process:
        assert await everything(process) == b""
        assert process.exit_code == -9


async def test_output_comes_before_the_end(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with started(f"echo a; cat {fifo}") as process:
        assert await process.read() == b"a\n"
        await anyio.Path(fifo).write_text("b\n")
        assert await everything(process) == b"b\n"


async def test_a_command_that_closes_its_output_is_waited_for() -> None:
    async with started("exec >&- 2>&-; sleep 0.2; exit 4") as process:
        assert await everything(process) == b""
        assert process.exit_code == 4


async def test_a_reader_that_is_slow_misses_nothing_and_holds_the_command_up() -> None:
    async with started(f"head -c {20 * MAX_WAITING_BYTES} /dev/zero") as process:
        size = 0
        while piece := await process.read():
            assert len(piece) < 8 * MAX_WAITING_BYTES
            size += len(piece)
            await anyio.sleep(0.01)
        assert size == 20 * MAX_WAITING_BYTES


async def test_output_waits_for_its_reader_after_the_end(tmp_path: Path) -> None:
    async with started(f"(sleep 1000 &); head -c {2 * MAX_WAITING_BYTES} /dev/zero") as process:
        first = await process.read()
        await anyio.sleep(0.8)  # longer than a silent pipe is kept
        assert len(first + await everything(process)) == 2 * MAX_WAITING_BYTES


async def test_a_pipe_that_a_child_holds_open_ends_with_the_command() -> None:
    async with started("sleep 1000 & echo a") as process:
        with anyio.fail_after(5):
            assert await everything(process) == b"a\n"
        assert process.exit_code == 0


@pytest.mark.parametrize("group", ["", "import os; os.setsid(); "], ids=["in the group", "outside of it"])
async def test_a_child_that_goes_on_writing_does_not_keep_the_command_alive(group: str) -> None:
    child = f"""{sys.executable} -c '{group}import os; os.execvp("yes", ["yes"])'"""
    async with started(f"{child} & echo a; exit 3") as process:
        with anyio.fail_after(5):
            assert (await everything(process)).startswith(b"a\n")
        assert process.exit_code == 3


async def test_a_command_beyond_its_time_is_ended_though_nobody_reads() -> None:
    async with Lifelines.serving() as lifelines:
        async with started(f"{sys.executable} {PROGRAM} {lifelines.port} 2 & yes", 0.5) as process:
            await lifelines.until_begun(2)
            await lifelines.running(0)
            assert process.is_out_of_time
            assert (await everything(process)).startswith(b"y\ny\n")


async def test_a_command_within_its_time_was_not_out_of_time() -> None:
    async with started("echo a", 20) as process:
        assert await everything(process) == b"a\n"
        assert not process.is_out_of_time


async def test_a_command_out_of_time_can_say_so_while_it_ends() -> None:
    async with started("trap 'head -c 1000000 /dev/zero; exit 5' TERM; yes & wait", 0.3) as process:
        while await process.read():
            pass
        await process.close()
        assert process.exit_code == 5


async def test_nothing_is_left_of_a_command_whose_output_nobody_has_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with started(f"echo a; echo b > {fifo}; sleep 1000"):
        await anyio.Path(fifo).read_text()
        await anyio.wait_all_tasks_blocked()  # what it wrote has been taken
    loop: Any = asyncio.get_running_loop()
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "live process"]


async def test_closing_ends_the_whole_group_and_may_be_repeated() -> None:
    async with Lifelines.serving() as lifelines:
        async with started(f"{sys.executable} {PROGRAM} {lifelines.port} 2; true") as process:
            await lifelines.running(2)
            await process.close()
            await process.close()
            await lifelines.running(0)
            assert process.exit_code != 0


async def test_what_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await LiveProcess.start(["true"], cwd=tmp_path / "none", environ={})
    with pytest.raises(ValueError):
        await LiveProcess.start(["echo", "\0"], cwd=tmp_path, environ={})
