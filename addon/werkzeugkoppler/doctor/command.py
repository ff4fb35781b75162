"""`./run.sh doctor`: which of its checks to run, and where what they find is printed."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

from werkzeugkoppler.doctor.finding import Finding, Outcome, as_json, as_line, has_failed, summary
from werkzeugkoppler.doctor.install import findings_of, redacted
from werkzeugkoppler.doctor.probe import run
from werkzeugkoppler.doctor.probe.gateway import normalised
from werkzeugkoppler.doctor.probe.own import NotStarted, own_proxy
from werkzeugkoppler.doctor.probe.reach import model_of, reached
from werkzeugkoppler.doctor.probe.script import says
from werkzeugkoppler.doctor.probe.scripted import MODEL, ScriptedUpstream
from werkzeugkoppler.errors import ConfigError
from werkzeugkoppler.start import plan

EXIT_FAILED = 1
EXIT_CONFIG = 2
KEY_VARIABLE = "WERKZEUGKOPPLER_DOCTOR_KEY"
SELF = "self"
NAME_WIDTH = 50
ROW_WIDTH = 6

USAGE = """\
./run.sh doctor [--config FILE] [--chat] [--json]
       ./run.sh doctor --probe URL [--upstream-port PORT] [--key KEY] [--model MODEL] [--json]
       ./run.sh doctor --self [--json]
"""


def main(arguments: Sequence[str]) -> int:
    """Check this install or a gateway; gives the exit code."""
    args = _parser().parse_args(arguments)
    try:
        if args.self or args.probe:
            return asyncio.run(_print(_probe(args), args.json, (args.key,)))
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
    return asyncio.run(_print(findings_of(start, with_chat=args.chat), args.json, redacted(start.settings)))


async def _each(findings: Sequence[Finding]) -> AsyncIterator[Finding]:
    for finding in findings:
        yield finding


# A gateway


async def _probe(args: argparse.Namespace) -> AsyncIterator[Finding]:
    is_own = args.self or args.probe == SELF
    async with AsyncExitStack() as stack:
        url, key, upstream = args.probe, args.key, None
        try:
            if is_own or args.upstream_port is not None:
                port = args.upstream_port or 0
                upstream = await stack.enter_async_context(ScriptedUpstream.serving(says("Hello."), port))
            if is_own:
                assert upstream is not None
                url, key = await stack.enter_async_context(own_proxy(upstream.url))
        except (OSError, NotStarted) as error:
            yield Finding("the probe starts", Outcome.FAIL, str(error))
            return
        model = args.model or (MODEL if upstream else None)
        lab = await stack.enter_async_context(
            run.laboratory(normalised(url), key=key, model=model, upstream=upstream, patience=args.patience)
        )
        if upstream is not None and not is_own:
            _say(f"Point your gateway's upstream at {upstream.url}/v1 (for some: without /v1), and start it.")
        elif upstream is None and model is None:
            lab = await model_of(lab)
        first = await reached(lab, args.wait if upstream and not is_own else args.timeout)
        yield first
        if first.outcome is Outcome.OK:
            async for finding in run.probe(lab, args.timeout):
                yield finding


# What is printed


async def _print(findings: AsyncIterator[Finding], as_one: bool, secrets: Sequence[str | None]) -> int:
    """Print each finding as it comes, or all as JSON; gives the exit code."""
    found: list[Finding] = []
    async for finding in findings:
        found.append(finding)
        if not as_one:
            width = NAME_WIDTH if finding.row else 20
            print(_without(as_line(finding, width, ROW_WIDTH if finding.row else 0), secrets), flush=True)
    print(_without(as_json(found) if as_one else f"\n{summary(found)}", secrets))
    return EXIT_FAILED if has_failed(found) else 0


def _without(text: str, secrets: Sequence[str | None]) -> str:
    """A text without the keys, should a server have repeated one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[removed]")
    return text


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
