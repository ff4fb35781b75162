"""Run a direct command: its answer as text, piece by piece, as the command writes."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from werkzeugkoppler.direct.output import (
    STOPPED,
    Limits,
    Output,
    closing,
    limit_notice,
    opening,
    timeout_notice,
)
from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.tools.live_process import LiveProcess

SHELL = "/bin/sh"


@dataclass(slots=True)
class Ended:
    """How a command ended; filled in when it has."""

    return_code: int | None = None
    output_bytes: int = 0


@asynccontextmanager
async def answering(
    code: str, *, cwd: Path, environ: Mapping[str, str], limits: Limits, ended: Ended
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Run shell code; leaving ends it and everything it started.

    Yields:
        The answer's pieces, each of whole UTF-8 characters.

    Raises:
        ApiError: 400, it cannot be started.
    """
    try:
        process = await LiveProcess.start([SHELL, "-c", code], cwd=cwd, environ=environ)
    except (OSError, ValueError) as error:
        problem = f"the direct command cannot be started: {error}"
        raise ApiError(400, problem, code="direct_command_failed") from error
    try:
        yield _pieces(process, code, limits, ended)
    finally:
        await process.close()


async def _pieces(process: LiveProcess, code: str, limits: Limits, ended: Ended) -> AsyncIterator[bytes]:
    yield opening(code).encode()
    output = Output(limits)
    deadline = time.monotonic() + limits.seconds
    notice = ""
    while not notice:
        data = b""
        # Not one scope around it all: it must not be open while a piece is being handed on.
        seconds = max(0.0, deadline - time.monotonic()) if limits.seconds else None
        with anyio.move_on_after(seconds) as time_left:
            data = await process.read()
        if time_left.cancelled_caught:
            notice = timeout_notice(limits.seconds)
        elif not data:
            break
        if text := output.take(data):
            yield text.encode()
        if output.reached:
            notice = limit_notice(output.reached)
    if text := output.close():
        yield text.encode()
    await process.close()
    ended.output_bytes = output.size
    ended.return_code = STOPPED if notice else process.exit_code
    yield closing(ended.return_code, notice).encode()
