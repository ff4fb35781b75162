"""All checks of this install: side by side where they wait for somebody, shown in one order."""

import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import aiohttp
from anyio import create_task_group

from werkzeugkoppler.config import environment
from werkzeugkoppler.config.exposure import warnings
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.doctor.finding import Finding, Outcome, secrets_among
from werkzeugkoppler.doctor.machine import machine
from werkzeugkoppler.doctor.programs import programs
from werkzeugkoppler.doctor.services import ASK_SECONDS, chat, mcp_server, port, upstream
from werkzeugkoppler.start import Start


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """What must not be printed, should a server repeat it."""
    values = [*settings.secrets]
    for server in settings.mcp_servers:
        values += [*server.headers.values(), *server.env.values()]
    return secrets_among(values)


async def findings_of(start: Start, *, with_chat: bool) -> AsyncIterator[Finding]:
    """The findings in their order.

    Args:
        with_chat: Ask the model for a token, too.
    """
    settings, root, environ = start.settings, Path.cwd(), dict(os.environ)
    yield _config(start)
    for slip in environment.unknown(environ):
        yield Finding("environment", Outcome.WARN, slip)
    for warning in warnings(settings):
        yield Finding("exposure", Outcome.WARN, warning)
    for finding in machine(settings, environ):
        yield finding
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        asked: list[Awaitable[Finding]] = [
            port(session, settings),
            upstream(session, settings, start.upstream_note),
        ]
        if with_chat:
            asked.append(chat(session, settings))
        asked += [mcp_server(entry, root, environ) for entry in settings.mcp_servers]
        for finding in await _side_by_side(asked):
            yield finding
    for finding in await programs(settings, settings.root, environ):
        yield finding


def _config(start: Start) -> Finding:
    if start.upstream_note:  # a start without a config looks for a model server
        return Finding("config", Outcome.WARN, start.config)
    return Finding("config", Outcome.OK, start.config)


async def _side_by_side(asked: list[Awaitable[Finding]]) -> list[Finding]:
    """What each of them finds, in their order."""
    found: dict[int, Finding] = {}

    async def one(number: int, ask: Awaitable[Finding]) -> None:
        found[number] = await ask

    async with create_task_group() as group:
        for number, ask in enumerate(asked):
            group.start_soon(one, number, ask)
    return [found[number] for number in range(len(asked))]
