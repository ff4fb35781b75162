"""A command's output is read as it comes, and nothing of it is left behind."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from tests.fakes.lifelines import PROGRAM, Lifelines
from werkzeugkoppler.tools.live_process import MAX_WAITING_BYTES, LiveProcess


@asynccontextmanager
async def started(script: str) -> AsyncIterator[LiveProcess]:
    with anyio.fail_after(20):
        process = await LiveProcess.start(["/bin/sh", "-c", script], cwd=Path.cwd(), environ=os.environ)
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
