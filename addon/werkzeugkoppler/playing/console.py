"""What `replay` and `fork` have in common: the file, and the terminal."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from werkzeugkoppler.playing.saved import SavedTurn, choose, read
from werkzeugkoppler.playing.show import Shown


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
    is_coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return Shown(lambda text: write_bytes(text.encode("utf-8", "replace")), is_coloured=is_coloured)


def write_bytes(data: bytes) -> None:
    """Write to stdout at once.

    Raises:
        CancelledError: Nobody reads it any more, as of `| head`.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise asyncio.CancelledError from error


def warn(text: str) -> None:
    """Write a warning to stderr."""
    print(f"WARNING: {text}", file=sys.stderr)
