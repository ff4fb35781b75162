"""The launcher: mitmdump, mitmweb or mitmproxy with the addon and the right options."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mitmproxy import ctx
from mitmproxy import options as mitmproxy_options
from mitmproxy.tools import cmdline
from mitmproxy.tools import main as mitmproxy_main

from werkzeugkoppler import __version__
from werkzeugkoppler.banner import banner
from werkzeugkoppler.config import environment
from werkzeugkoppler.config.exposure import warnings
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.launched import settle_memory, with_addon
from werkzeugkoppler.logs import VERBOSITY, JsonLines
from werkzeugkoppler.options import DEAD_END
from werkzeugkoppler.proxy import Werkzeugkoppler
from werkzeugkoppler.stack import Stack
from werkzeugkoppler.start import Start, plan, port_problem

EXIT_CONFIG = 2
EXIT_PORT = 1
WEB_COLUMNS = ["icon", "path", "comment", "status", "size", "time"]
"""The comment says which turn and leg a flow belongs to."""

logger = logging.getLogger(__name__)

USAGE = """\
Usage: ./run.sh [dump|web|console] [--config FILE] [--log-requests] [-- MITMPROXY ARGUMENTS]
       ./run.sh doctor [--config FILE | --probe URL | --self] [--help]
       ./run.sh explain [FILE|-] [--config FILE] [--url URL] [--json]
       ./run.sh inspect [ID | --last | --list | --follow] [--help]
       ./run.sh replay FILE [--turn ID] [--help]
       ./run.sh fork FILE --leg N [--turn ID] [--model M] [--edit] [--help]

  dump       under mitmdump: a log in the terminal (the default)
  web        under mitmweb: look, hold, edit and replay in the browser
  console    under mitmproxy: the same in the terminal
  doctor     checks this install, or any gateway: docs/doctor.md
  explain    what a request becomes, and what each part of it costs
  inspect    shows what a request did, from its trace: docs/inspect.md
  replay     plays a saved turn again, from its file alone: docs/replay.md
  fork       goes on from a leg of a saved turn, with another model or other messages
  test       the tests; more arguments go to pytest
  check      format, lint, types
  bench      the benchmark
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proxy until it is stopped; gives the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["doctor"]:
        # Nothing of it is needed to run the proxy.
        from werkzeugkoppler.doctor.command import main as doctor

        return doctor(given[1:])
    if given[:1] == ["explain"]:
        from werkzeugkoppler.explain.command import main as explain

        return explain(given[1:])
    if given[:1] == ["inspect"]:
        from werkzeugkoppler.inspecting.command import main as inspect

        return inspect(given[1:])
    if given[:1] in (["replay"], ["fork"]):
        from werkzeugkoppler.playing.command import main as play

        return play(given)
    ours, theirs = _split(given)
    args = _parser().parse_args(ours)
    try:
        start = plan(args.config)
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return EXIT_CONFIG
    settings = start.settings
    if (problem := port_problem(settings.host, settings.port)) is not None:
        print(problem, file=sys.stderr)
        return EXIT_PORT
    for warning in [*environment.unknown(os.environ), *warnings(settings)]:
        _say(warning if settings.logging.json else f"WARNING: {warning}", settings, "WARNING")
    _run(args, start, theirs)
    _say("stopped.", settings)
    return 0


def _say(text: str, settings: Settings, level: str = "INFO") -> None:
    """Write a line to stderr beside the log: before it begins, after its end, or whatever its level is."""
    if settings.logging.json:
        record = {"name": "werkzeugkoppler", "levelname": level, "msg": text}
        text = JsonLines().format(logging.makeLogRecord(record))
    print(text, file=sys.stderr, flush=True)


# What to start


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "run.sh", usage=USAGE[len("Usage: ") :], add_help=True, allow_abbrev=False
    )
    parser.add_argument("front", nargs="?", choices=list(FRONTS), default="dump", help=argparse.SUPPRESS)
    parser.add_argument("--config", metavar="FILE", help="the config file; without it config.yaml")
    parser.add_argument("--log-requests", action="store_true", help="a line on stderr for each request")
    parser.add_argument("--version", action="version", version=f"werkzeugkoppler {__version__}")
    return parser


# How to start it


@dataclass(frozen=True, slots=True)
class Front:
    """One of mitmproxy's three programs."""

    master: Callable[[], type[Any]]
    """Imports only what this front needs."""
    parser: Callable[[Any], Any]
    filters: Callable[[Any], dict[str, str]] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)


def _dump() -> type[Any]:
    from mitmproxy.tools.dump import DumpMaster

    return DumpMaster


def _web() -> type[Any]:
    from mitmproxy.tools.web.master import WebMaster

    return WebMaster


def _console() -> type[Any]:
    from mitmproxy.tools.console.master import ConsoleMaster

    return ConsoleMaster


def _filters(args: Any) -> dict[str, str]:
    """mitmdump's filter expression, as its own entry point takes it."""
    text = " ".join(args.filter_args)
    return {"save_stream_filter": text, "readfile_filter": text, "dumper_filter": text} if text else {}


FRONTS = {
    "dump": Front(_dump, cmdline.mitmdump, _filters),
    "web": Front(_web, cmdline.mitmweb, defaults={"web_open_browser": False, "web_columns": WEB_COLUMNS}),
    "console": Front(_console, cmdline.mitmproxy),
}


def _run(args: argparse.Namespace, start: Start, more: Sequence[str]) -> None:
    front, settings = FRONTS[args.front], start.settings

    def parser_with_defaults(opts: mitmproxy_options.Options) -> Any:
        opts.update(
            mode=[f"reverse:{DEAD_END}"],
            listen_host="" if settings.host == "::" else settings.host,  # none: both families
            listen_port=settings.port,
            connection_strategy="lazy",
            http2=False,
            store_streamed_bodies=True,
            keep_host_header=True,
            onboarding=False,  # mitm.it is for proxies whose certificate a client must take
            showhost=True,  # the address that the client asked for, not the dead end
            **front.defaults,
        )
        opts.update_defer(termlog_verbosity=VERBOSITY[settings.logging.level])
        return front.parser(opts)

    # Nobody reads the log of each connection, and the banner tells better where everything listens: mitmweb's
    # own line would lose the token, without which its address does not work.
    for library in ("mitmproxy.proxy.server", "mitmproxy.proxy.mode_servers", "mitmproxy.tools.web.master"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # The console draws on the whole terminal.
    say = None if args.front == "console" else partial(_say, settings=settings)
    announce = _banner_printer(start) if say else None

    def ready(stack: Stack) -> None:
        settle_memory()
        if announce is not None:
            announce(stack)

    addon = Werkzeugkoppler(settings, ready, start.path, say if args.log_requests else None)
    launched = with_addon(front.master(), addon, say)
    mitmproxy_main.run(launched, parser_with_defaults, list(more), front.filters)


def _banner_printer(start: Start) -> Callable[[Stack], None]:
    def announce(stack: Stack) -> None:
        if stack.settings.logging.json:
            logger.info("Werkzeugkoppler is ready: it listens on %s", stack.settings.service_base_url)
            return
        look_inside = getattr(ctx.master, "web_url", "./run.sh web, or ./run.sh console")
        text = banner(stack, config=start.config, upstream_note=start.upstream_note, look_inside=look_inside)
        print(text, flush=True)

    return announce


if __name__ == "__main__":
    sys.exit(main())
