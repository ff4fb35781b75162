"""The launcher: mitmdump, mitmweb or mitmproxy with the addon and the right options."""

import argparse
import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mitmproxy import ctx
from mitmproxy import options as mitmproxy_options
from mitmproxy.addonmanager import AddonManager
from mitmproxy.tools import cmdline
from mitmproxy.tools import main as mitmproxy_main

from werkzeugkoppler import __version__
from werkzeugkoppler.banner import banner
from werkzeugkoppler.config import environment, load
from werkzeugkoppler.config.exposure import warnings
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.hooktable import HookTable
from werkzeugkoppler.logs import VERBOSITY, JsonLines
from werkzeugkoppler.options import DEAD_END
from werkzeugkoppler.proxy import Werkzeugkoppler
from werkzeugkoppler.stack import DEMO, Stack
from werkzeugkoppler.upstreams.detect import detect

EXIT_CONFIG = 2
EXIT_PORT = 1
UPSTREAM_VARIABLE = "WERKZEUGKOPPLER_UPSTREAM_BASE_URL"
SERVICE_VARIABLE = "WERKZEUGKOPPLER_SERVICE_BASE_URL"
EXAMPLE = Path(__file__).parents[2] / "config.yaml.min_example"
SPARE_PORTS = range(8090, 8100)
"""Tried by a start without a config, where the default port is taken: llama.cpp likes it too."""
WEB_COLUMNS = ["icon", "path", "comment", "status", "size", "time"]
"""The comment says which turn and leg a flow belongs to."""

logger = logging.getLogger(__name__)

USAGE = """\
Usage: ./run.sh [dump|web|console] [--config FILE] [-- MITMPROXY ARGUMENTS]

  dump       under mitmdump: a log in the terminal (the default)
  web        under mitmweb: look, hold, edit and replay in the browser
  console    under mitmproxy: the same in the terminal
  test       the tests; more arguments go to pytest
  check      format, lint, types
  bench      the benchmark
"""


@dataclass(frozen=True, slots=True)
class Start:
    """What a start is going to do."""

    settings: Settings
    config: str
    """Where the settings came from, in words."""
    path: str
    """The file whose changes count, also where there is none yet."""
    upstream_note: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proxy until it is stopped; gives the exit code."""
    ours, theirs = _split(list(sys.argv[1:] if arguments is None else arguments))
    args = _parser().parse_args(ours)
    try:
        start = _start(args.config)
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return EXIT_CONFIG
    settings = start.settings
    if (problem := _port_problem(settings.host, settings.port)) is not None:
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


def _start(flag: str | None) -> Start:
    """Read the config; where there is none, look for a model server (BX-18).

    Raises:
        ConfigError: The config cannot be used.
    """
    source = load.find(flag, os.environ)
    is_there = not source.optional or Path(source.path).exists()
    if is_there or UPSTREAM_VARIABLE in os.environ:
        settings = load.load(source.path, os.environ, optional=source.optional)
        return Start(settings, source.path if is_there else "the environment", source.path)
    found = asyncio.run(detect())
    environ = dict(os.environ)
    environ[UPSTREAM_VARIABLE] = found.base_url if found else DEMO
    if SERVICE_VARIABLE not in environ and (port := _spare_port()) is not None:
        environ[SERVICE_VARIABLE] = f"http://127.0.0.1:{port}"
    settings = load.load(str(EXAMPLE), environ)
    note = f"{found.name}, found on its usual port" if found else "no model server found on the usual ports"
    made_of = f"none: {EXAMPLE.name} (copy it to config.yaml and make it yours)"
    return Start(settings, made_of, source.path, note)


def _spare_port() -> int | None:
    """A free port where the default one is taken."""
    default = Settings.model_fields["service_base_url"].default
    if _port_problem("127.0.0.1", int(default.rpartition(":")[2])) is None:
        return None
    return next((port for port in SPARE_PORTS if _port_problem("127.0.0.1", port) is None), None)


def _port_problem(host: str, port: int) -> str | None:
    """Why the address cannot be listened on (F17)."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return (
            f"cannot listen on {host} port {port}: {error.strerror or error}: "
            "stop what has it, or set service_base_url to another port"
        )
    return None


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
