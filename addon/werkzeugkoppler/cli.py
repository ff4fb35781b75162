"""The launcher: mitmdump, mitmweb or mitmproxy with the addon and the right options."""

import argparse
import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitmproxy import ctx
from mitmproxy import options as mitmproxy_options
from mitmproxy.addonmanager import AddonManager
from mitmproxy.tools import cmdline
from mitmproxy.tools import main as mitmproxy_main

from werkzeugkoppler import __version__
from werkzeugkoppler.banner import banner
from werkzeugkoppler.config import environment
from werkzeugkoppler.config.exposure import warnings
from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.hooktable import HookTable
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
Usage: ./run.sh [dump|web|console] [--config FILE] [-- MITMPROXY ARGUMENTS]
       ./run.sh doctor [--config FILE | --probe URL | --self] [--help]
       ./run.sh explain [FILE|-] [--config FILE] [--url URL] [--json]

  dump       under mitmdump: a log in the terminal (the default)
  web        under mitmweb: look, hold, edit and replay in the browser
  console    under mitmproxy: the same in the terminal
  doctor     checks this install, or any gateway: docs/doctor.md
  explain    what a request becomes, and what each part of it costs
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
        print(_warning(warning, as_json=settings.logging.json), file=sys.stderr)
    _run(args.front, start, theirs)
    return 0


def _warning(text: str, *, as_json: bool) -> str:
    record = {"name": "werkzeugkoppler", "levelname": "WARNING", "msg": text}
    return JsonLines().format(logging.makeLogRecord(record)) if as_json else f"WARNING: {text}"


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
    parser.add_argument("--version", action="version", version=f"werkzeugkoppler {__version__}")
    return parser


# How to start it


def _with_addon(master_class: type[Any], addon: Werkzeugkoppler) -> type[Any]:
    """The master with a hook table, and the addon after all others: what they change, it sees."""

    class Launched(master_class):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.addons.add(addon)

        @property
        def addons(self) -> AddonManager:
            return self._addons

        @addons.setter
        def addons(self, original: AddonManager) -> None:
            self._addons = HookTable(self)

        async def running(self) -> None:
            await super().running()
            # What has been made by now stays: the collector need not look at it again.
            gc.collect()
            gc.freeze()

    return Launched


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


def _run(name: str, start: Start, more: Sequence[str]) -> None:
    front, settings = FRONTS[name], start.settings

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

    # Nobody reads the log of each connection, and the banner tells better where it listens.
    for library in ("mitmproxy.proxy.server", "mitmproxy.proxy.mode_servers"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # The console draws on the whole terminal.
    announce = None if name == "console" else _banner_printer(start)
    launched = _with_addon(front.master(), Werkzeugkoppler(settings, announce, start.path))
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
