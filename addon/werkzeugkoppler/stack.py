"""Everything one config makes: settings, tools, the upstream. A new config makes a new one."""

import json
import os
from collections.abc import Mapping
from functools import partial

from anyio import create_task_group

from werkzeugkoppler import exchange
from werkzeugkoppler.config.kept import kept
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.errors import ApiError, UpstreamError
from werkzeugkoppler.labels import Link
from werkzeugkoppler.tools import process
from werkzeugkoppler.tools.actions import action_tool
from werkzeugkoppler.tools.readers import MessageReader, message_reader
from werkzeugkoppler.tools.registry import Toolbox, ToolSource, definition
from werkzeugkoppler.tools.shared import SharedSources
from werkzeugkoppler.tools.tool import Tool
from werkzeugkoppler.turn.store import Store
from werkzeugkoppler.upstreams.base import Upstream
from werkzeugkoppler.upstreams.demo import demo_upstream
from werkzeugkoppler.upstreams.openai_http import OpenAiHttp
from werkzeugkoppler.upstreams.refusal import read_refusal
from werkzeugkoppler.wire.http import HttpRequest
from werkzeugkoppler.wire.jsontext import dumps

DEMO = "demo"
"""The `upstream_base_url` that means the built-in model."""


class Stack:
    """What a turn works with; a turn keeps the stack that it started with.

    Args:
        servers: Where an MCP server is taken over from, if another stack has it already.
        store: What is remembered of conversations, whatever the stack.
    """

    def __init__(self, settings: Settings, servers: SharedSources, store: Store) -> None:
        self.settings = settings
        self.kept_settings = kept(settings)
        """What a turn's flow keeps of them."""
        self.store = store
        self.culprits: set[str] = set()
        """Who was found to break a prompt's prefix, and was told of in the log."""
        self.upstream = _upstream(settings)
        self.toolbox = _toolbox(settings, servers)
        self.readers = _readers(settings)
        self._settled = False
        self._definitions: dict[str, tuple[Tool, str]] = {}
        self._first_model: str | None = None
        self.last_model: str | None = None
        """The model that answered last, or that the upstream last named first; for when it is away."""

    async def open(self) -> None:
        """Start what has to run; MCP servers connect in the background."""
        await self.upstream.open()
        await self.toolbox.open()

    async def close(self) -> None:
        async with create_task_group() as group:
            group.start_soon(self.upstream.close)
            group.start_soon(self.toolbox.close)

    async def offered_tools(self) -> Mapping[str, Tool]:
        """Our tools under the names that the model sees, after every MCP server has connected or failed."""
        if not self._settled:
            await self.toolbox.settled()
            self._settled = True
        return self.toolbox.offered()

    def definition(self, name: str, tool: Tool) -> str:
        """The tool's definition for a request, as JSON text."""
        known = self._definitions.get(name)
        if known is None or known[0] is not tool:
            known = self._definitions[name] = (tool, dumps(definition(name, tool)))
        return known[1]

    @property
    def shown_model(self) -> str:
        """The name of a model where none is asked: the last one's, else a made one (WK-02, WK-79)."""
        return self.last_model or self.settings.fallback_fake_model_name

    def configured_model_for(self, named: str | None) -> str | None:
        """As `model_for`, as far as the settings and the client say it."""
        return self.settings.upstream_model or named or self.settings.upstream_default_model

    def known_model_for(self, named: str | None) -> str:
        """As `model_for`, as far as that is known without asking the upstream."""
        return self.configured_model_for(named) or self._first_model or self.shown_model

    async def model_for(self, named: str | None, link: Link) -> str:
        """The model that a request is to be answered by.

        That is the one for all requests (OW-23), else the one that the client names; for a request that
        names none the configured default, else the upstream's first (WK-149, WK-150). While the upstream is
        away it is the one that answered last.

        Raises:
            ApiError: 400, there is none of these.
        """
        if (model := self.configured_model_for(named)) is not None:
            return model
        if self._first_model is None:
            try:
                self._first_model = _first_id(await self.models(link))
            except UpstreamError:
                if self.last_model is not None:
                    return self.last_model  # it is away; what it answered with may be there again
        if self._first_model is None:
            raise ApiError(
                400,
                "the request names no model, upstream_default_model is not set, "
                "and the upstream lists none to take instead",
                code="missing_model",
            )
        return self._first_model

    async def models(self, link: Link) -> bytes:
        """The upstream's list of models, as it sent it.

        Raises:
            UpstreamError: It could not be had, or is none.
        """
        request = HttpRequest(
            "GET", f"{self.upstream.base_url}/v1/models", (("accept", "application/json"),), b""
        )
        async with exchange.leg(link, request, self.upstream.send) as answer:
            if not 200 <= answer.status < 300:
                raise await read_refusal(answer)
            body = b"".join([piece async for piece in answer.pieces])
        self.last_model = _first_id(body) or self.last_model
        return body


def _first_id(body: bytes) -> str | None:
    """The first model of a list, `None` where it is empty.

    Raises:
        UpstreamError: It is no list of models.
    """
    try:
        models = json.loads(body)["data"]
        return str(models[0]["id"]) if models != [] else None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UpstreamError("the upstream's answer is no list of models") from error


def _toolbox(settings: Settings, servers: SharedSources) -> Toolbox:
    actions = [
        action_tool(action, root=settings.root, environ=os.environ, secrets=settings.secrets)
        for action in settings.actions
    ]
    return Toolbox(_mcp_servers(settings, servers), actions)


def _readers(settings: Settings) -> tuple[MessageReader, ...]:
    environ = process.child_environment(os.environ, settings.secrets)
    return tuple(
        message_reader(reader, root=settings.root, environ=environ)
        for reader in settings.last_user_message_readers
    )


def _mcp_servers(settings: Settings, servers: SharedSources) -> list[ToolSource]:
    if not settings.mcp_servers:
        return []
    # The SDK takes 25 MB and a third of the start-up time: only who has a server pays for it.
    from werkzeugkoppler.tools.mcp_servers.server import McpServer

    refresh_seconds = settings.mcp_servers_refresh_seconds
    return [
        servers.take(
            (entry.model_dump_json(), refresh_seconds),
            partial(McpServer, entry, refresh_seconds=refresh_seconds),
        )
        for entry in settings.mcp_servers
    ]


def _upstream(settings: Settings) -> Upstream:
    if settings.upstream_base_url == DEMO:
        return demo_upstream()
    return OpenAiHttp(
        settings.upstream_base_url,
        api_key=settings.upstream_api_key,
        connect_timeout=settings.upstream_connect_timeout_seconds,
        read_timeout=settings.upstream_read_timeout_seconds,
        secrets=known_secrets(settings),
    )
