"""`./run.sh fork`: what is asked, and where its flows go (BX-12)."""

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Self

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.labels import SHOWN_ID
from werkzeugkoppler.logs import WithoutKeys
from werkzeugkoppler.playing.console import add_turn, say, terminal, turn_of, warn, write_bytes
from werkzeugkoppler.playing.edit import edited
from werkzeugkoppler.playing.fork import Forked, fork, plan_of
from werkzeugkoppler.playing.saved import NotSaved
from werkzeugkoppler.start import plan
from werkzeugkoppler.tools.process import kill_all
from werkzeugkoppler.wire.printable import printable

EXIT_FAILED = 1

USAGE = "./run.sh fork FILE --leg N [--turn ID] [--model M] [--edit] [-w OUT] [--raw] [--config FILE]"


def main(arguments: Sequence[str]) -> int:
    """Go on from a saved turn; gives the exit code."""
    args = _parser().parse_args(arguments)
    turn = turn_of(args)
    start = plan(args.config)
    write_bytes(b"")  # where that fails, nobody is asked in vain
    file = _opened(args.write, Path(args.file))
    with file or nullcontext():
        task = plan_of(turn, args.leg, args.model, partial(edited, environ=os.environ) if args.edit else None)
        if file is not None:
            file.clear()
        _log_to_stderr(start.settings)
        shown = None if args.raw else terminal()
        on_data = write_bytes if shown is None else shown.feed
        try:
            forked = asyncio.run(_until_terminated(fork(task, start.settings, on_data, warn, file)))
        finally:
            kill_all()
    if shown is not None:
        shown.close()
    how = "" if forked.failure is None else f", failed: {forked.failure}"
    more = f" (./run.sh inspect {forked.turn[:SHOWN_ID]})" if start.settings.traces.enabled else ""
    say(f"forked turn {turn.shown_id} at leg {task.leg}: turn {forked.turn}{how}{more}")
    if file is not None and file.problem is not None:
        raise NotSaved(file.problem)
    return EXIT_FAILED if forked.failure is not None else 0


async def _until_terminated(work: Coroutine[None, None, Forked]) -> Forked:
    """The work; a SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


class Out:
    """The file of the new turn's flows; it stays as it is until there is something to ask.

    Args:
        name: As it was given.

    Raises:
        NotSaved: It cannot be written.
    """

    def __init__(self, name: str) -> None:
        self.problem: str | None = None
        """Why it is not whole."""
        self._name = name
        if os.path.exists(name) and not os.path.isfile(name):
            raise NotSaved(f"{name} cannot be written: it is no regular file")
        try:
            self._file = open(name, "ab", buffering=0)
        except OSError as error:
            raise NotSaved(self._told(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._file.close()

    def clear(self) -> None:
        """Forget what is in it.

        Raises:
            NotSaved: It cannot be written.
        """
        try:
            self._file.truncate(0)
        except OSError as error:
            raise NotSaved(self._told(error)) from error

    def write(self, data: bytes) -> None:
        """Append; the turn goes on where that fails."""
        try:
            while data and self.problem is None:
                data = data[self._file.write(data) :]
        except OSError as error:
            self.problem = self._told(error)

    def _told(self, error: OSError) -> str:
        return f"{self._name} cannot be written: {error.strerror}"


def _opened(out: str | None, source: Path) -> Out | None:
    if out is None:
        return None
    if os.path.exists(out) and os.path.samefile(out, source):
        raise NotSaved(f"{out} is the file that is gone on from: name another one")
    return Out(out)


class Printable(logging.Formatter):
    """Lines of the log that cannot steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), "\n\t")


def _log_to_stderr(settings: Settings) -> None:
    handler, keys = logging.StreamHandler(), WithoutKeys()
    keys.secrets = known_secrets(settings)
    handler.addFilter(keys)
    handler.setFormatter(Printable("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.sh fork", usage=USAGE, allow_abbrev=False)
    add_turn(parser)
    parser.add_argument("--leg", type=int, required=True, metavar="N", help="the leg to ask anew, from 1")
    parser.add_argument("--model", metavar="M", help="another model to ask")
    parser.add_argument("--edit", action="store_true", help="change the leg's body in $VISUAL or $EDITOR")
    parser.add_argument("-w", "--write", metavar="OUT", help="save the flows of the new turn")
    parser.add_argument("--raw", action="store_true", help="print the very bytes that a client would get")
    parser.add_argument("--config", metavar="FILE", help="the config file; without it config.yaml")
    return parser
