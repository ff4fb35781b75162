"""What `replay` and `fork` have in common: the file, and the terminal."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from werkzeugkoppler.playing.choice import choose
from werkzeugkoppler.playing.saved import SavedTurn, read
from werkzeugkoppler.playing.show import Shown
from werkzeugkoppler.wire.printable import printable


class NotShown(asyncio.CancelledError):
    """The answer cannot be written to stdout; the message says why. What makes the answer is ended by it."""


def add_turn(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a turn."""
    parser.add_argument("file", metavar="FILE", help="flows that mitmproxy saved: ./run.sh -- -w FILE")
    parser.add_argument("--turn", metavar="ID", help="the turn's id, or its beginning")


def turn_of(args: argparse.Namespace) -> SavedTurn:
    """The turn that the arguments name.

    Raises:
        NotSaved: There is none.
    """
    saved = read(Path(args.file))
    if saved.problem is not None:
        warn(saved.problem)
    return choose(saved, args.turn)


def terminal() -> Shown:
    """An answer for people, in the terminal, or in the pipe in its place."""
    is_coloured = sys.stdout is not None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return Shown(lambda text: write_bytes(text.encode("utf-8", "replace")), is_coloured=is_coloured)


def write_bytes(data: bytes) -> None:
    """Write to stdout at once.

    Raises:
        NotShown: It cannot be written.
        CancelledError: Nobody reads it any more, as of `| head`.
    """
    if sys.stdout is None:
        raise NotShown("the answer cannot be shown, stdout is closed")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is still in the buffer would be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise asyncio.CancelledError from error
        raise NotShown(f"the answer cannot be shown, stdout cannot be written: {error.strerror}") from error


def warn(text: str) -> None:
    """Write a warning to stderr."""
    say(f"WARNING: {text}")


def say(text: str, kept: str = "") -> None:
    """Write a line to stderr; it may have words of the file's, which cannot steer the terminal.

    Args:
        kept: `\\n` where it is several lines.
    """
    if sys.stderr is not None:
        print(printable(text, kept), file=sys.stderr)
