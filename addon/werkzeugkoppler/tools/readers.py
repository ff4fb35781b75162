"""Run a configured reader: the user's last message goes in, and what the command prints comes out.

The message reaches the command three ways: put into its arguments, in a variable, and on stdin. An argument
or a variable that is too long fails the whole command, so only stdin has every message whole (WK-47).
"""

import codecs
import logging
import os
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from werkzeugkoppler.config.reader_section import Reader
from werkzeugkoppler.tools import process
from werkzeugkoppler.tools.actions import substitute
from werkzeugkoppler.tools.process import MAX_ARGUMENT_BYTES
from werkzeugkoppler.tools.terminal import ANSI

MESSAGE = "LAST_USER_MESSAGE"
"""The name that stands for the message, in arguments and in the environment."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MessageReader:
    """A reader of one stack."""

    name: str
    read: Callable[[str], Awaitable[str | None]]
    """Takes the message and gives the text, or None where the command failed, which it has logged.

    Cancelling the awaiting task ends the command."""


def message_reader(reader: Reader, *, root: Path, environ: Mapping[str, str]) -> MessageReader:
    """What runs a configured reader.

    Args:
        root: The folder that `run_path` is relative to.
        environ: What the command inherits.
    """
    cwd = root / os.path.expanduser(reader.run_path or "")
    inherited = {name: value for name, value in environ.items() if name != MESSAGE}

    async def read(message: str) -> str | None:
        data = message.encode("utf-8", "replace")  # a JSON string can hold half of a surrogate pair
        fitting = data.replace(b"\0", b"").decode()  # NUL ends an argument
        try:
            finished = await process.run(
                _command_line(reader, fitting),
                cwd=cwd,
                environ=inherited | variable(fitting),
                timeout_seconds=reader.timeout,
                max_output_bytes=reader.max_output_bytes,
                stdin=data,
                timeout_grace_seconds=process.CANCEL_GRACE_SECONDS,  # nobody wants its text any more
            )
        except (OSError, ValueError) as error:
            logger.warning("The reader %s cannot be run, its text is empty: %s", reader.name, error)
            return None
        if stderr := ANSI.sub("", finished.stderr_tail.decode(errors="replace")).strip():
            logger.warning("The reader %s wrote to stderr: %s", reader.name, stderr)
        if finished.timed_out:
            logger.warning(
                "The reader %s took longer than %g seconds, its text is empty", reader.name, reader.timeout
            )
            return None
        return text_of(finished, reader.max_output_bytes)

    return MessageReader(reader.name, read)


def argument(text: str, message: str) -> str:
    """`text` with the message put in, cut at a character where it would not fit (WK-44, WK-47)."""
    without = substitute(text, {MESSAGE: ""})
    places = len(substitute(text, {MESSAGE: "x"})) - len(without)
    room = max(0, MAX_ARGUMENT_BYTES - len(os.fsencode(without)))
    return substitute(text, {MESSAGE: _cut(message, room // max(1, places))})


def variable(message: str) -> dict[str, str]:
    """The variable with the message; none where it does not fit, so that a command can tell."""
    fits = len(f"{MESSAGE}={message}".encode()) <= MAX_ARGUMENT_BYTES
    return {MESSAGE: message} if fits else {}


def text_of(finished: process.Finished, max_output_bytes: int) -> str:
    """What a command printed, without the white space around it, whatever its exit code (WK-50)."""
    # Not told that this is the end, the decoder leaves off a character that the limit cut in two.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(finished.stdout, final=not finished.cut).strip()
    if finished.cut:
        text += f"\n\n[cut at {max_output_bytes} bytes, {finished.cut} more were dropped]"
    return text


def _command_line(reader: Reader, message: str) -> list[str]:
    # Split before the message is put in: what it holds is never taken for quoting (WK-46).
    if reader.arguments is None:
        line = shlex.split(reader.command)
    else:
        line = [reader.command, *reader.arguments]
    filled = [argument(text, message) for text in line]
    if filled != [substitute(text, {MESSAGE: message}) for text in line]:
        logger.warning(
            "The reader %s gets only the beginning of a long message as an argument, and all of it on stdin",
            reader.name,
        )
    return filled


def _cut(message: str, size: int) -> str:
    data = message.encode()
    return message if len(data) <= size else data[:size].decode(errors="ignore")
