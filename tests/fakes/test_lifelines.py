"""Programs that hold on are seen to run, to be let go, and to be killed."""

import subprocess
import sys

import anyio

from tests.fakes.lifelines import PROGRAM, Lifelines


async def test_a_program_is_let_go() -> None:
    with anyio.fail_after(10):
        async with Lifelines.serving() as lifelines:
            line = [sys.executable, PROGRAM, str(lifelines.port)]
            async with await anyio.open_process(line, stdout=subprocess.PIPE) as process:
                await lifelines.running(1)
                await lifelines.let_go()
                assert process.stdout
                assert b"".join([piece async for piece in process.stdout]) == b"let go\n"
                await lifelines.running(0)


async def test_the_end_of_each_generation_is_seen() -> None:
    with anyio.fail_after(10):
        async with Lifelines.serving() as lifelines:
            line = [sys.executable, PROGRAM, str(lifelines.port), "2"]
            async with await anyio.open_process(line) as process:
                await lifelines.running(2)
                process.kill()
                await lifelines.running(1)
            await lifelines.let_go()
            await lifelines.running(0)
