"""`./run.sh replay` and `./run.sh fork`: which turn, from which file, and what is printed (BX-12)."""

import argparse
import asyncio
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.labels import SHOWN_ID
from werkzeugkoppler.logs import WithoutKeys
from werkzeugkoppler.playing.edit import edited
from werkzeugkoppler.playing.fork import Forked, fork, plan_of
from werkzeugkoppler.playing.replay import Played, replay
from werkzeugkoppler.playing.saved import NotSaved, SavedTurn, choose, read
from werkzeugkoppler.playing.show import Shown
from werkzeugkoppler.start import plan
from werkzeugkoppler.tools.process import kill_all

EXIT_DIFFERENT = EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

REPLAY_USAGE = "./run.sh replay FILE [--turn ID] [--speed recorded|N] [--raw | --json]"
FORK_USAGE = "./run.sh fork FILE --leg N [--turn ID] [--model M] [--edit] [-w OUT] [--raw] [--config FILE]"


def main(arguments: Sequence[str]) -> int:
    """Play a saved turn, or go on from it; gives the exit code."""
    try:
        return {"replay": _replay, "fork": _fork}[arguments[0]](arguments[1:])
    except NotSaved as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return EXIT_USAGE
    except (KeyboardInterrupt, asyncio.CancelledError):
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


def _fork(arguments: Sequence[str]) -> int:
    args = _fork_parser().parse_args(arguments)
    turn = _turn(args.file, args.turn)
    start = plan(args.config)
    file = _opened(args.write, Path(args.file))
    with file or nullcontext():
        task = plan_of(turn, args.leg, args.model, partial(edited, environ=os.environ) if args.edit else None)
        if file is not None:
            file.truncate(0)
        _log_to_stderr(start.settings)
        shown = None if args.raw else terminal()
        on_data = write_bytes if shown is None else shown.feed
        try:
            forked = asyncio.run(_until_terminated(fork(task, start.settings, on_data, _warn, file)))
        finally:
            kill_all()
    if shown is not None:
        shown.close()
    sys.stdout.flush()
    how = "" if forked.failure is None else f", failed: {forked.failure}"
    line = f"forked turn {turn.shown_id} at leg {task.leg}: turn {forked.turn}{how}"
    print(f"{line} (./run.sh inspect {forked.turn[:SHOWN_ID]})", file=sys.stderr)
    return EXIT_FAILED if forked.failure is not None else 0


async def _until_terminated(work: Coroutine[None, None, Forked]) -> Forked:
    """The work; a SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _opened(out: str | None, source: Path) -> BinaryIO | None:
    if out is None:
        return None
    try:
        if Path(out).exists() and Path(out).samefile(source):
            raise NotSaved(f"{out} is the file that is gone on from: name another one")
        return open(out, "ab")  # it stays as it is until there is something to ask
    except OSError as error:
        raise NotSaved(f"{out} cannot be written: {error.strerror}") from error


def _log_to_stderr(settings: Settings) -> None:
    handler, keys = logging.StreamHandler(), WithoutKeys()
    keys.secrets = known_secrets(settings)
    handler.addFilter(keys)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])


def _warn(text: str) -> None:
    print(f"WARNING: {text}", file=sys.stderr)


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


def _fork_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.sh fork", usage=FORK_USAGE, allow_abbrev=False)
    parser.add_argument("file", metavar="FILE", help="flows that mitmproxy saved: ./run.sh -- -w FILE")
    parser.add_argument("--turn", metavar="ID", help="the turn's id, or its beginning")
    parser.add_argument("--leg", type=int, required=True, metavar="N", help="the leg to ask anew, from 1")
    parser.add_argument("--model", metavar="M", help="another model to ask")
    parser.add_argument("--edit", action="store_true", help="change the leg's body in $VISUAL or $EDITOR")
    parser.add_argument("-w", "--write", metavar="OUT", help="save the flows of the new turn")
    parser.add_argument("--raw", action="store_true", help="print the very bytes that a client would get")
    parser.add_argument("--config", metavar="FILE", help="the config file; without it config.yaml")
    return parser


def _pace(text: str) -> float:
    try:
        pace = 1.0 if text == "recorded" else float(text)
    except ValueError:
        pace = math.nan
    if not 0.01 <= pace <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is neither `recorded` nor a number from 0.01 on")
    return pace
