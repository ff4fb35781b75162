"""The three ways to probe: a gateway as it is, one before a scripted upstream, our own proxy before one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aiohttp
from anyio import move_on_after

from werkzeugkoppler.doctor.probe.gateway import Gateway, normalised
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.own import own_proxy
from werkzeugkoppler.doctor.probe.script import says
from werkzeugkoppler.doctor.probe.scripted import MODEL, Respond, ScriptedUpstream

DEFAULT: Respond = says("One, ", 0.05, "two, ", 0.05, "three.")
"""What the scripted upstream says to whoever is none of the experiments, a person perhaps."""


@asynccontextmanager
async def black_box(url: str, *, key: str | None, model: str | None, patience: float) -> AsyncIterator[Lab]:
    """A gateway with whatever is behind it, and the first of its models where none is named."""
    async with laboratory(url, key=key, model=model, upstream=None, patience=patience) as lab:
        yield lab if model else await _with_first_model(lab)


@asynccontextmanager
async def scripted(
    url: str, *, port: int, key: str | None, model: str | None, patience: float
) -> AsyncIterator[Lab]:
    """A gateway that is to be pointed at a scripted upstream.

    Raises:
        OSError: The port is taken.
    """
    async with (
        ScriptedUpstream.serving(DEFAULT, port) as upstream,
        laboratory(url, key=key, model=model or MODEL, upstream=upstream, patience=patience) as lab,
    ):
        yield lab


@asynccontextmanager
async def own(*, patience: float, **more: object) -> AsyncIterator[Lab]:
    """Our own proxy, started for this with some more settings.

    Raises:
        NotStarted: It does not come up.
    """
    async with (
        ScriptedUpstream.serving(DEFAULT) as upstream,
        own_proxy(upstream.url, more) as proxy,
        laboratory(proxy.url, key=proxy.key, model=MODEL, upstream=upstream, patience=patience) as lab,
    ):
        yield lab


@asynccontextmanager
async def laboratory(
    url: str, *, key: str | None, model: str | None, upstream: ScriptedUpstream | None, patience: float
) -> AsyncIterator[Lab]:
    """What the experiments work with; see `Lab`."""
    # A connection for each request: a client that leaves is then seen to.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Lab(Gateway(session, normalised(url), key, patience), upstream, model)


async def _with_first_model(lab: Lab) -> Lab:
    with suppress(aiohttp.ClientError, OSError, LookupError, TypeError, ValueError):
        with move_on_after(lab.patience):
            answer = await lab.gateway.ask("GET", "/v1/models")
            return replace(lab, model=str(answer.json["data"][0]["id"]))
    return lab
