"""Run a direct command: its answer as text, piece by piece, as the command writes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

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
        process = await LiveProcess.start(
            [SHELL, "-c", code], cwd=cwd, environ=environ, limit_seconds=limits.seconds or None
        )
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
    while not output.reached and (data := await process.read()):
        if text := output.take(data):
            yield text.encode()
    if text := output.close():
        yield text.encode()
    await process.close()
    notice = ""
    if output.reached:
        notice = limit_notice(output.reached)
    elif process.is_out_of_time:
        notice = timeout_notice(limits.seconds)
    ended.output_bytes = output.size
    ended.return_code = STOPPED if notice else process.exit_code
    yield closing(ended.return_code, notice).encode()
