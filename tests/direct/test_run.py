"""A direct command is run within its limits, however its answer is read."""

import os
import sys
from pathlib import Path

import anyio
import pytest

from tests.fakes.lifelines import PROGRAM, Lifelines
from werkzeugkoppler.direct.output import Limits
from werkzeugkoppler.direct.run import Ended, answering


@pytest.mark.contract("WK-74")
async def test_a_command_is_out_of_time_though_nobody_takes_its_answer() -> None:
    ended = Ended()
    limits = Limits(lines=0, bytes=0, seconds=0.5)
    async with Lifelines.serving() as lifelines:
        code = f"{sys.executable} {PROGRAM} {lifelines.port} 1 & yes"
        with anyio.fail_after(20):
            async with answering(
                code, cwd=Path.cwd(), environ=os.environ, limits=limits, ended=ended
            ) as pieces:
                assert b"yes" in await anext(pieces)
                await lifelines.until_begun(1)
                await lifelines.running(0)
                answer = b"".join([piece async for piece in pieces])
    assert answer.endswith(b"(Return Code 124)\n\nCommand timed out after 0.5 seconds.")
    assert ended.return_code == 124
