"""`./run.sh doctor`: which of its checks to run, and where what they find is printed."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from werkzeugkoppler.doctor.finding import (
    Finding,
    Outcome,
    as_json,
    as_line,
    has_failed,
    secrets_among,
    summary,
    without,
)
from werkzeugkoppler.doctor.install import findings_of, secrets_of
from werkzeugkoppler.doctor.probe import run, setup
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.own import NotStarted
from werkzeugkoppler.doctor.probe.reach import ROW, reached
from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.start import plan

EXIT_FAILED = 1
EXIT_CONFIG = 2
KEY_VARIABLE = "WERKZEUGKOPPLER_DOCTOR_KEY"
SELF = "self"
NAME_WIDTH = 50
SHORT_NAME_WIDTH = 20
ROW_WIDTH = 6

USAGE = """\
./run.sh doctor [--config FILE] [--chat] [--json]
       ./run.sh doctor --probe URL [--upstream-port PORT] [--key KEY] [--model MODEL] [--json]
       ./run.sh doctor --self [--json]
"""


def main(arguments: Sequence[str]) -> int:
    """Check this install or a gateway; gives the exit code."""
    args = _parser().parse_args(arguments)
    # What the parts of the proxy would log is in the findings.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        if args.self or args.probe:
            return asyncio.run(_print(_probe(args), args.json, secrets_among([args.key])))
        return _install(args)
    except KeyboardInterrupt:
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.sh doctor", usage=USAGE, allow_abbrev=False)
    parser.add_argument("--config", metavar="FILE", help="the config to check; without it config.yaml")
    parser.add_argument("--chat", action="store_true", help="ask the model for one token, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--probe", metavar="URL", help="check a gateway; `self` is our own proxy")
    parser.add_argument("--self", action="store_true", help="start our own proxy and check it")
    parser.add_argument(
        "--upstream-port",
        metavar="PORT",
        type=int,
        help="serve a scripted model server at this port, for the gateway to ask",
    )
    parser.add_argument(
        "--key", default=os.environ.get(KEY_VARIABLE), help=f"the gateway's key, or in {KEY_VARIABLE}"
    )
    parser.add_argument("--model", help="what to ask the gateway for")
    parser.add_argument("--patience", metavar="SECONDS", type=float, default=3.0, help="for a sign of life")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=60.0, help="for one check")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=float, default=60.0, help="for the gateway's first request to us"
    )
    return parser


# This install


def _install(args: argparse.Namespace) -> int:
    try:
        start = plan(args.config)
    except ConfigError as error:
        found = [Finding("config", Outcome.FAIL, problem) for problem in error.problems]
        asyncio.run(_print(_each(found), args.json, ()))
        return EXIT_CONFIG
    return asyncio.run(_print(findings_of(start, with_chat=args.chat), args.json, secrets_of(start.settings)))


async def _each(findings: Sequence[Finding]) -> AsyncIterator[Finding]:
    for finding in findings:
        yield finding


# A gateway


async def _probe(args: argparse.Namespace) -> AsyncIterator[Finding]:
    try:
        async with _lab(args) as lab:
            first = await reached(lab, args.timeout if args.upstream_port is None else args.wait)
            yield first
            if first.outcome is Outcome.OK:
                async for finding in run.probe(lab, args.timeout):
                    yield finding
    except (OSError, OverflowError, NotStarted) as error:
        yield Finding("the probe runs", Outcome.FAIL, str(error), row=ROW)


@asynccontextmanager
async def _lab(args: argparse.Namespace) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        key, model, patience = args.key, args.model, args.patience
        if args.self or args.probe == SELF:
            yield await enter(setup.own(patience=patience))
        elif args.upstream_port is None:
            yield await enter(setup.black_box(args.probe, key=key, model=model, patience=patience))
        else:
            lab = await enter(
                setup.scripted(args.probe, port=args.upstream_port, key=key, model=model, patience=patience)
            )
            assert lab.upstream is not None
            url = f"{lab.upstream.url}/v1"
            print(f"Point your gateway's upstream at {url} (some want it without /v1).", file=sys.stderr)
            yield lab


# What is printed


async def _print(findings: AsyncIterator[Finding], as_one: bool, secrets: Sequence[str]) -> int:
    """Print each finding as it comes, or all as JSON; gives the exit code."""
    found: list[Finding] = []
    async for finding in findings:
        found.append(without(finding, secrets))
        if not as_one:
            widths = (NAME_WIDTH, ROW_WIDTH) if finding.row else (SHORT_NAME_WIDTH, 0)
            print(as_line(found[-1], *widths), flush=True)
    print(as_json(found) if as_one else f"\n{summary(found)}")
    return EXIT_FAILED if has_failed(found) else 0
