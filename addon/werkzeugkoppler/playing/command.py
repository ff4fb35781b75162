"""`./run.sh replay` and `./run.sh fork`: which turn, from which file, and what is printed (BX-12)."""

import argparse
import asyncio
import json
import math
from collections.abc import Sequence

from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.playing.console import NotShown, add_turn, say, terminal, turn_of, write_bytes
from werkzeugkoppler.playing.replay import replay
from werkzeugkoppler.playing.saved import NotSaved

EXIT_DIFFERENT = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

USAGE = "./run.sh replay FILE [--turn ID] [--speed recorded|N] [--raw | --json]"


def main(arguments: Sequence[str]) -> int:
    """Play a saved turn, or go on from it; gives the exit code.

    Args:
        arguments: `replay` or `fork`, and theirs.
    """
    try:
        if arguments[:1] == ["fork"]:
            # Nothing of it is needed to play a turn.
            from werkzeugkoppler.playing.fork_command import main as fork

            return fork(arguments[1:])
        return _replay(arguments[1:])
    except (NotSaved, NotShown) as error:
        say(str(error), kept="\n")
        return EXIT_USAGE
    except ConfigError as error:
        say("\n".join(error.problems), kept="\n")
        return EXIT_USAGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


def _replay(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    turn = turn_of(args)
    shown = None if args.raw or args.json else terminal()
    on_data = shown.feed if shown is not None else write_bytes if args.raw else _nothing
    played = asyncio.run(replay(turn, on_data, args.speed))
    if shown is not None:
        shown.close()
    if args.json:
        write_bytes(f"{json.dumps(played.json(), indent=2)}\n".encode())
    else:
        say(played.line())
    return 0 if played.same else EXIT_DIFFERENT


def _nothing(data: bytes) -> None:
    """For who looks only at how it went."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.sh replay", usage=USAGE, allow_abbrev=False)
    add_turn(parser)
    parser.add_argument(
        "--speed",
        type=_pace,
        metavar="recorded|N",
        help="as fast as then, or N times as fast; without it as fast as can be",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--raw", action="store_true", help="print the very bytes that the client would get")
    form.add_argument("--json", action="store_true", help="print only how it went, as JSON")
    return parser


def _pace(text: str) -> float:
    try:
        pace = 1.0 if text == "recorded" else float(text)
    except ValueError:
        pace = math.nan
    if not 0.01 <= pace <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is neither `recorded` nor a number from 0.01 on")
    return pace
