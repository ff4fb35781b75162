"""`./run.sh inspect`: which trace to show, and in which view."""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Any

from werkzeugkoppler.inspecting import figures, folder, views
from werkzeugkoppler.inspecting.blocks import Block, Cell, Lines, Table, plain
from werkzeugkoppler.inspecting.facts import Facts, facts_of
from werkzeugkoppler.inspecting.figures import Price
from werkzeugkoppler.inspecting.follow import POLL_SECONDS, Follower
from werkzeugkoppler.inspecting.reading import Reading, read
from werkzeugkoppler.inspecting.words import duration, event_line, state

EXIT_NOT_FOUND = 1
EXIT_FAILED = 1
EXIT_CONFIG = 2
LISTED = 20
LAST_EVENTS = 100
MAX_LOOKED_AT = 200
"""Traces among which the last chat is looked for: clients ask for the list of models again and again."""
SIDE_BY_SIDE = 10

USAGE = """\
./run.sh inspect ID [--trace | --full | --tail N | --tools | --timing | --cost | --permissions] [--json]
       ./run.sh inspect --last [the same]
       ./run.sh inspect --list [--json]
       ./run.sh inspect --follow [ID] [--json]
       (and --dir FOLDER or --config FILE, where the traces are not those of config.yaml)
"""


def main(arguments: Sequence[str]) -> int:
    """Show traces; gives the exit code."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if sum([args.id is not None and not args.follow, args.last, args.list, args.follow]) != 1:
        parser.error("name a trace by its id, or ask for --last, --list or --follow")
    is_events = args.trace or args.full or args.tail is not None
    chosen = [is_events, args.tools, args.timing, args.cost, args.permissions]
    if sum(chosen) > (0 if args.list or args.follow else 1):
        parser.error("that is more than one view")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # half a character, as JSON may have it
    if (traces := _folder(args)) is None:
        return EXIT_CONFIG
    try:
        return _run(args, traces)
    except folder.NotFound as error:
        print(error, file=sys.stderr)
        return EXIT_NOT_FOUND
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        # What is still to be written has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # such as of `| head`
            return 0
        print(f"what was read cannot be shown: {error}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.sh inspect", usage=USAGE, allow_abbrev=False)
    parser.add_argument("id", nargs="?", help="a trace's id, or its beginning")
    parser.add_argument("--last", action="store_true", help="the newest chat")
    parser.add_argument("--list", action="store_true", help=f"the newest {LISTED} requests")
    parser.add_argument("--follow", action="store_true", help="events as they come")
    much = parser.add_mutually_exclusive_group()
    much.add_argument("--full", action="store_true", help="all events, uncut")
    much.add_argument("--tail", type=_count, metavar="N", help="the last N events")
    view = parser.add_mutually_exclusive_group()
    view.add_argument("--trace", action="store_true", help=f"the last {LAST_EVENTS} events, a line each")
    view.add_argument("--tools", action="store_true", help="the calls of tools")
    view.add_argument("--timing", action="store_true", help="what ran when")
    view.add_argument("--cost", action="store_true", help="the tokens of each leg")
    view.add_argument("--permissions", action="store_true", help="what was allowed or denied")
    parser.add_argument("--dollar-per-1k-in", type=_price, metavar="X", default=0.0, help="for --cost")
    parser.add_argument("--dollar-per-1k-out", type=_price, metavar="Y", default=0.0, help="for --cost")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--dir", metavar="FOLDER", type=Path, help="where the traces are")
    parser.add_argument("--config", metavar="FILE", help="the config that says where; without it config.yaml")
    return parser


def _price(text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not 0 <= price < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no price: write a number from 0 on")
    return price


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _folder(args: argparse.Namespace) -> Path | None:
    """Where the traces are; `None` where the config cannot be used, which has been told."""
    if args.dir is not None:
        return Path(args.dir)
    # Only who does not name the folder pays for reading the config.
    from werkzeugkoppler.inspecting.place import configured

    found = configured(args.config, os.environ)
    if isinstance(found, Path):
        return found
    print("\n".join(found), file=sys.stderr)
    return None


def _run(args: argparse.Namespace, traces: Path) -> int:
    if args.list:
        return _list(args, traces)
    path = folder.find(traces, args.id) if args.id is not None else None
    if args.follow:
        return _follow(args, traces, path)
    reading, facts = _last(traces) if path is None else _of(path)
    for problem in reading.problems:
        print(problem, file=sys.stderr)
    data, blocks = _view(args, reading, facts)
    _print(data, blocks, as_json=args.json)
    return 0


def _of(path: Path) -> tuple[Reading, Facts]:
    try:
        reading = read(path)
    except OSError as error:
        raise folder.NotFound(f"{path} cannot be read: {error.strerror}") from error
    return reading, facts_of(reading.id, reading.events)


def _each(paths: Iterable[Path]) -> Iterator[tuple[Reading, Facts]]:
    """The traces that are still there."""
    for path in paths:
        with suppress(folder.NotFound):
            yield _of(path)


def _last(traces: Path) -> tuple[Reading, Facts]:
    """The newest chat, or else the newest of all."""
    newest = _each(folder.newest(traces)[:MAX_LOOKED_AT])
    if (first := next(newest, None)) is None:
        raise folder.NotFound(f"no session found: {traces} holds no traces")
    chats = list(islice((item for item in chain([first], newest) if item[1].is_chat), SIDE_BY_SIDE))
    # Of those that were written to side by side the one that came last.
    return max(chats, key=lambda item: str(item[1].request.get("at", "")), default=first)


def _view(args: argparse.Namespace, reading: Reading, facts: Facts) -> tuple[Any, list[Block]]:
    """What is printed for programs, and for people."""
    if args.trace or args.full or args.tail:
        events = reading.events if args.full else reading.events[-(args.tail or LAST_EVENTS) :]
        return events, [Lines([event_line(event, whole=args.full) for event in events])]
    if args.tools:
        return [asdict(span) for span in facts.of("tool")], views.tools(facts)
    if args.timing:
        return [asdict(span) | {"ms": span.ms} for span in facts.spans], figures.timing(facts)
    if args.cost:
        price = Price(args.dollar_per_1k_in, args.dollar_per_1k_out)
        return figures.cost_rows(facts, price), figures.cost(facts, price)
    if args.permissions:
        decisions = [event for event in reading.events if views.is_decision(event)]
        return decisions, views.permissions(decisions)
    return asdict(facts) | {"status": facts.status, "models": facts.models}, views.summary(facts)


# Many traces


def _list(args: argparse.Namespace, traces: Path) -> int:
    rows = [_row(facts) for _, facts in _each(folder.newest(traces)[:LISTED])]
    rows.sort(key=lambda row: str(row["at"]), reverse=True)  # files are written some at a time
    headings = ("trace", "when", "status", "what", "tokens", "time")
    shown = [
        (row["id"], row["at"], state(row["status"]), row["what"], row["tokens"], duration(row["ms"]))
        for row in rows
    ]
    nothing = f"(no traces in {traces})"
    _print(rows, [Table(headings, shown, frozenset({"time"}), nothing)], as_json=args.json)
    return 0


def _row(facts: Facts) -> dict[str, Any]:
    what = ", ".join(facts.models) or facts.request.get("model") or facts.request.get("path") or ""
    return {
        "id": facts.id,
        "at": str(facts.request.get("at", "")),
        "status": facts.status,
        "what": str(what),
        "tokens": views.tokens(facts.usage),
        "ms": facts.ms,
    }


def _follow(args: argparse.Namespace, traces: Path, only: Path | None) -> int:
    follower = Follower(traces, only)
    while True:
        for id, event in follower.news():
            if args.json:
                print(json.dumps({"trace": id, **event}, ensure_ascii=False), flush=True)
            else:
                _print(None, [Lines([Cell(f"{id[:8]}  {event_line(event)}", _style(event["type"]))])])
        if follower.is_done:
            return 0
        time.sleep(POLL_SECONDS)


def _style(type: str) -> str:
    return {"error": "bad", "proxy_response": "good", "trace_version": "faint"}.get(type, "")


def _print(data: Any, blocks: Sequence[Block], *, as_json: bool = False) -> None:
    if as_json:
        print(json.dumps(data, ensure_ascii=False, indent=2))
    elif sys.stdout.isatty():
        # It takes a while to load, and a pipe wants no colours.
        from rich.console import Console

        from werkzeugkoppler.inspecting.terminal import show

        show(Console(highlight=False), blocks)
    else:
        print(plain(blocks), flush=True)
