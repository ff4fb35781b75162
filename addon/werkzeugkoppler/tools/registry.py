"""All tools of one stack under the names that the model knows them by."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

import anyio

from werkzeugkoppler.tools.actions import SOURCE as ACTIONS
from werkzeugkoppler.tools.tool import Tool

MAX_NAME_CHARS = 64
"""OpenAI's limit for the name of a function."""

SETTLE_SECONDS = 3.0
"""How long after the start, or a change of the config, a turn waits for a server's tools: a server that
hangs is not to hold up those that do not. Its tools are offered as soon as they are known."""

HASH_CHARS = 8
"""Of the SHA-256 of the unchanged name: enough to tell apart the tools of one stack."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What is known of a source of tools at the moment."""

    server_id: str
    transport: str
    ok: bool
    error: str | None
    last_refresh: datetime | None
    """When its tools were last listed, in UTC."""


class ToolSource(Protocol):
    """A server that has tools, which come, change and go while it is open."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """In the server's order; the same object as long as nothing changed."""
        ...

    def status(self) -> SourceStatus: ...

    async def open(self) -> None:
        """Begin to connect; returns at once."""
        ...

    async def settled(self) -> None:
        """Wait until the tools are known or the first try has failed; has a bound of its own."""
        ...

    async def close(self) -> None:
        """End everything, within a bound."""
        ...


class Toolbox:
    """The tools of one stack: those of the servers in their order, then the actions."""

    def __init__(self, sources: Sequence[ToolSource], actions: Sequence[Tool] = ()) -> None:
        self._sources = tuple(sources)
        self._actions = tuple(actions)
        # The lists that `_offered` was made of: it holds as long as the sources show the same ones.
        self._lists: tuple[tuple[Tool, ...], ...] = ()
        self._offered: Mapping[str, Tool] = MappingProxyType({})
        self._settle_by = 0.0

    async def open(self) -> None:
        """Begin to connect to the servers; returns at once."""
        self._settle_by = anyio.current_time() + SETTLE_SECONDS
        for source in self._sources:
            await source.open()

    async def settled(self) -> None:
        """Wait until each server's tools are known or its first try has failed, within `SETTLE_SECONDS`."""
        with anyio.move_on_at(self._settle_by):
            await self.all_settled()

    async def all_settled(self) -> None:
        """As `settled`, but each server has as long as its own connect timeout says."""
        async with anyio.create_task_group() as group:
            for source in self._sources:
                group.start_soon(source.settled)

    async def close(self) -> None:
        """End all connections at the same time, each within its bound."""
        async with anyio.create_task_group() as group:
            for source in self._sources:
                group.start_soon(source.close)

    def offered(self) -> Mapping[str, Tool]:
        """The tools by exposed name, in order; the same object until a list changes.

        A turn keeps the one that it began with, so that its names mean the same to its end.
        """
        lists = (*(source.tools for source in self._sources), self._actions)
        if len(lists) != len(self._lists) or any(
            new is not old for new, old in zip(lists, self._lists, strict=True)
        ):
            tools = [tool for tools in lists for tool in tools]
            self._offered = MappingProxyType(dict(zip(exposed_names(tools), tools, strict=True)))
            self._lists = lists
        return self._offered

    def health(self) -> list[dict[str, Any]]:
        """The entries of `mcp_servers` in `/healthz` (WK-05..07); the actions are the last one."""
        entries: list[dict[str, Any]] = [
            {
                "server_id": status.server_id,
                "transport": status.transport,
                "ok": status.ok,
                "error": status.error,
            }
            for status in (source.status() for source in self._sources)
        ]
        if self._actions:
            count = len(self._actions)
            entries.append(
                {
                    "server_id": ACTIONS,
                    "transport": "local_actions",
                    "ok": True,
                    "error": None,
                    "count": count,
                }
            )
        return entries

    @property
    def last_refresh(self) -> datetime | None:
        """When a server's tools were last listed, in UTC."""
        times = [source.status().last_refresh for source in self._sources]
        return max((time for time in times if time is not None), default=None)


def definition(name: str, tool: Tool) -> dict[str, Any]:
    """The entry of a request's `tools`, under the exposed name (WK-86)."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{tool.description} (server_id={tool.source})".lstrip(),
            "parameters": tool.parameters,
        },
    }


def exposed_names(tools: Sequence[Tool]) -> list[str]:
    """A name for each tool: ASCII, at most 64 characters, no two the same (WK-84, WK-85).

    `<source>__<tool>` where that can be had. Tools whose names would be the same all get the hash of their
    unchanged name, so that no name passes from one tool to another when a third one comes or goes.
    """
    raw = [f"{tool.source}__{tool.name}" for tool in tools]
    plain = [re.sub(r"[^A-Za-z0-9_-]", "_", name) for name in raw]
    count = Counter(plain)
    names: list[str] = []
    for tool, name in zip(tools, plain, strict=True):
        salt = 0
        unique = name
        while unique in names or len(unique) > MAX_NAME_CHARS or (salt == 0 and count[name] > 1):
            unique = _hashed(name, f"{tool.source}\0{tool.name}\0{salt}")
            salt += 1
        names.append(unique)
    return names


def _hashed(name: str, identity: str) -> str:
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARS]
    return f"{name[: MAX_NAME_CHARS - HASH_CHARS - 1]}_{digest}"
