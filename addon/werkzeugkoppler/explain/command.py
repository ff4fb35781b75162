"""`./run.sh explain`: what the running proxy would ask its model server, and what that costs (BX-13).

The running proxy is asked, and none is started: it has the tools connected and remembers the conversations.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from werkzeugkoppler.config import load
from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.explain.ask import NotExplained, ask
from werkzeugkoppler.explain.shown import shown
from werkzeugkoppler.wire.printable import printable

EXIT_FAILED = 1
EXIT_CONFIG = 2

USAGE = "./run.sh explain [FILE|-] [--config FILE] [--url URL] [--json]"


def main(arguments: Sequence[str]) -> int:
    """Explain one request; gives the exit code."""
    args = _parser().parse_args(arguments)
    try:
        source = load.find(args.config, os.environ)
        settings = load.load(source.path, os.environ, optional=source.optional, fallback_upstream="demo")
        url = args.url or settings.service_base_url
        if not (given := _read(args.file)).strip():
            print("there is nothing to explain: give a request's body as JSON, or a text", file=sys.stderr)
            return EXIT_CONFIG
        answer = ask(url, settings.service_api_key, request_body(given))
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return EXIT_CONFIG
    except (NotExplained, OSError) as error:
        print(printable(str(error)), file=sys.stderr)
        return EXIT_FAILED
    try:
        _print(
            json.dumps(answer, indent=2, ensure_ascii=False) if args.json else shown(answer, _is_coloured())
        )
    except BrokenPipeError:  # such as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def request_body(given: bytes) -> bytes:
    """The request's body: what was given, or a request with one user message where that is plain text."""
    try:
        is_body = isinstance(json.loads(given), dict)
    except (ValueError, RecursionError):
        is_body = given.lstrip()[:1] == b"{"  # meant as JSON: the proxy tells what is wrong with it
    if is_body:
        return given
    text = given.decode("utf-8", "replace").strip()
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.sh explain", usage=USAGE, allow_abbrev=False)
    parser.add_argument(
        "file", nargs="?", default="-", help="a request's body as JSON, or a plain text; - or nothing: stdin"
    )
    parser.add_argument("--config", metavar="FILE", help="the running proxy's config; without it config.yaml")
    parser.add_argument("--url", metavar="URL", help="where the proxy is, if not at the config's address")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _print(text: str) -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # half a character, as JSON may have it
    print(text, flush=True)


def _is_coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
