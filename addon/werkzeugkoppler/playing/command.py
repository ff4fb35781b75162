"""`./run.sh replay` and `./run.sh fork`: which turn, from which file, and what is printed (BX-12)."""

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from werkzeugkoppler.playing.replay import Played, replay
from werkzeugkoppler.playing.saved import NotSaved, SavedTurn, choose, read
from werkzeugkoppler.playing.show import Shown

EXIT_DIFFERENT = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

REPLAY_USAGE = "./run.sh replay FILE [--turn ID] [--speed recorded|N] [--raw | --json]"


def main(arguments: Sequence[str]) -> int:
    """Play a saved turn, or go on from it; gives the exit code."""
    try:
        return _replay(arguments[1:])
    except NotSaved as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # such as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _replay(arguments: Sequence[str]) -> int:
    args = _replay_parser().parse_args(arguments)
    turn = _turn(args.file, args.turn)
    if args.raw:
        played = _played(turn, args.speed, raw=True)
    elif args.json:
        played = asyncio.run(replay(turn, lambda data: None, args.speed))
        print(json.dumps(played.json(), indent=2))
    else:
        played = _played(turn, args.speed, raw=False)
    sys.stdout.flush()
    if not args.json:
        print(played.line(), file=sys.stderr)
    return 0 if played.same else EXIT_DIFFERENT


def _played(turn: SavedTurn, pace: float | None, *, raw: bool) -> Played:
    if raw:
        return asyncio.run(replay(turn, write_bytes, pace))
    shown = terminal()
    played = asyncio.run(replay(turn, shown.feed, pace))
    shown.close()
    return played


def terminal() -> Shown:
    """The terminal, or the pipe in its place."""
    is_coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return Shown(_write, is_coloured=is_coloured)


def write_bytes(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _turn(file: str, wanted: str | None) -> SavedTurn:
    saved = read(Path(file))
    if saved.problem is not None:
        print(f"WARNING: {saved.problem}", file=sys.stderr)
    return choose(saved, wanted)


def _replay_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.sh replay", usage=REPLAY_USAGE, allow_abbrev=False)
    parser.add_argument("file", metavar="FILE", help="flows that mitmproxy saved: ./run.sh -- -w FILE")
    parser.add_argument("--turn", metavar="ID", help="the turn's id, or its beginning")
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
