"""Who the proxy talks to: its own port, the model server, the MCP servers."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from werkzeugkoppler.config.address import DEMO
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.tool_sections import McpServer
from werkzeugkoppler.doctor.finding import Finding, Outcome, one_line
from werkzeugkoppler.doctor.programs import missing_command
from werkzeugkoppler.doctor.words import in_words
from werkzeugkoppler.start import port_problem

ASK_SECONDS = 10.0
"""For one answer; a list of models is there within milliseconds."""
CHAT_SECONDS = 120.0
"""For one token: the model may have to be loaded."""
REACHABLE = ("0.0.0.0", "::", "")
"""Hosts that are listened on, and asked at a loopback address."""


async def port(session: aiohttp.ClientSession, settings: Settings) -> Finding:
    """Whether the port is free, or ours already."""
    problem = port_problem(settings.host, settings.port)
    if problem is None:
        return Finding("port", Outcome.OK, f"{settings.host} port {settings.port} is free")
    health = await _health(session, settings)
    if health is None:
        return Finding("port", Outcome.FAIL, *_split(problem))
    seen = f"werkzeugkoppler is running at {settings.service_base_url}"
    config = health.get("config")
    if isinstance(config, dict) and not config.get("ok", True):
        return Finding("port", Outcome.WARN, f"{seen}, with an older config", "mend the config it refused")
    if health.get("degraded"):
        return Finding("port", Outcome.WARN, f"{seen}, degraded", "see the MCP servers below")
    return Finding("port", Outcome.OK, seen)


def _split(problem: str) -> tuple[str, str]:
    """What is wrong, and what to do."""
    seen, _, advice = problem.rpartition(": ")
    return seen, advice


async def _health(session: aiohttp.ClientSession, settings: Settings) -> dict[str, Any] | None:
    host = "127.0.0.1" if settings.host in REACHABLE else settings.host
    host = f"[{host}]" if ":" in host else host
    try:
        async with session.get(f"http://{host}:{settings.port}/healthz") as response:
            body = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None
    return body if isinstance(body, dict) and body.get("service") == "werkzeugkoppler" else None


# The model server


async def upstream(session: aiohttp.ClientSession, settings: Settings, note: str) -> Finding:
    """Whether the model server answers, takes the key, and has a model."""
    url = settings.upstream_base_url
    if url == DEMO:
        return Finding("upstream", Outcome.OK, f"the built-in demo model{f' ({note})' if note else ''}")
    try:
        async with session.get(f"{url}/v1/models", headers=_key(settings)) as response:
            status, names = response.status, _names(await response.read())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        seen = f"{url}: {in_words(error)}"
        return Finding("upstream", Outcome.FAIL, seen, "start it, or mend upstream_base_url")
    return _of_list(settings, status, names)


def _of_list(settings: Settings, status: int, names: list[str] | None) -> Finding:
    url = settings.upstream_base_url
    if status in (401, 403):
        what = "refuses upstream_api_key" if settings.upstream_api_key else "wants a key"
        return Finding(
            "upstream", Outcome.FAIL, f"{url} {what} ({status})", "set upstream_api_key to its key"
        )
    if status != 200 or names is None:
        seen = f"{url} answers {status}, with no list of models"
        return Finding("upstream", Outcome.WARN, seen, "fine if it has none; else mend upstream_base_url")
    key, wanted = _wanted(settings)
    if not names:
        return Finding("upstream", Outcome.WARN, f"{url} has no model", "load one")
    if wanted is not None and wanted not in names:
        seen = f"{url} has {len(names)} models, {wanted} is none of them"
        return Finding("upstream", Outcome.WARN, seen, f"mend {key}")
    count = "1 model" if len(names) == 1 else f"{len(names)} models"
    return Finding("upstream", Outcome.OK, f"{url} has {count}, such as {wanted or names[0]}")


def _wanted(settings: Settings) -> tuple[str, str | None]:
    """The model that the settings name, and the setting that does."""
    if settings.upstream_model is not None:
        return "upstream_model", settings.upstream_model
    return "upstream_default_model", settings.upstream_default_model


def _names(body: bytes) -> list[str] | None:
    """The models of a list; None where it is none."""
    try:
        return [str(model["id"]) for model in json.loads(body)["data"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


async def chat(session: aiohttp.ClientSession, settings: Settings) -> Finding:
    """Whether the model says a token."""
    if settings.upstream_base_url == DEMO:
        return Finding("chat", Outcome.SKIP, "the demo model always answers")
    began = time.monotonic()
    try:
        status, text = await _one_token(session, settings)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return Finding("chat", Outcome.FAIL, in_words(error), "see the model server's log")
    if status != 200:
        return Finding("chat", Outcome.FAIL, f"{status}: {one_line(text)}", "see the model server's log")
    return Finding("chat", Outcome.OK, f"answered in {time.monotonic() - began:.1f} s")


async def _one_token(session: aiohttp.ClientSession, settings: Settings) -> tuple[int, str]:
    url, headers = settings.upstream_base_url, _key(settings)
    _, model = _wanted(settings)
    if model is None:
        async with session.get(f"{url}/v1/models", headers=headers) as response:
            names = _names(await response.read())
        model = names[0] if names else None
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    body |= {"model": model} if model else {}
    timeout = aiohttp.ClientTimeout(total=CHAT_SECONDS)
    async with session.post(
        f"{url}/v1/chat/completions", json=body, headers=headers, timeout=timeout
    ) as response:
        return response.status, await response.text(errors="replace")


def _key(settings: Settings) -> Mapping[str, str]:
    key = settings.upstream_api_key
    return {"Authorization": f"Bearer {key}"} if key else {}


# MCP servers


async def mcp_server(entry: McpServer, root: Path, environ: Mapping[str, str]) -> Finding:
    """Connect to a server, list its tools and leave it again, each within the times of its entry."""
    name = f"mcp {entry.server_id}"
    if entry.transport == "stdio" and (why := missing_command(entry, root, environ)):
        return Finding(name, Outcome.FAIL, why, "install it, or write its whole path")
    # The SDK takes a third of a second to load: only who has a server pays for it.
    from werkzeugkoppler.tools.mcp_servers.server import McpServer as Connection

    server, began = Connection(entry), time.monotonic()
    await server.open()
    try:
        await server.settled()
        seconds, status, count = time.monotonic() - began, server.status(), len(server.tools)
    finally:
        await server.close()
    if not status.ok:
        advice = "start it, or mend its url" if entry.transport == "http" else "run its command by hand"
        return Finding(name, Outcome.FAIL, f"{status.error}, after {seconds:.1f} s", advice)
    if not count:
        return Finding(name, Outcome.WARN, f"no tools, in {seconds:.1f} s", "see allowed_tools")
    return Finding(name, Outcome.OK, f"{count} tool{'s' if count > 1 else ''}, in {seconds:.1f} s")
