"""Call the tools of an MCP server, on its session of the moment.

Calls run in their callers' tasks. The server's owner task says which session that is, and is told of doubts.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.client.session import ClientSession
from pydantic import ValidationError

from werkzeugkoppler.config import tool_sections as config
from werkzeugkoppler.tools.mcp_servers.answers import reporter, tool_result
from werkzeugkoppler.tools.mcp_servers.failures import explain
from werkzeugkoppler.tools.mcp_servers.http_edge import is_session_gone
from werkzeugkoppler.tools.tool import Progress, ToolResult

SESSION_IN_DOUBT = (types.CONNECTION_CLOSED, types.INVALID_REQUEST, types.REQUEST_TIMEOUT)
"""Codes of errors that a call meets when its session has expired and the server does not say so with a 404;
the last is -32001, with which servers made with the TypeScript SDK speak of sessions."""


class Calls:
    """The calls of one server.

    Args:
        news: Set where the owner is to look after the connection.
        why_not: Why there is no connection.
    """

    def __init__(
        self, settings: config.McpServer, news: asyncio.Event, *, why_not: Callable[[], str | None]
    ) -> None:
        self._settings = settings
        self._news = news
        self._why_not = why_not
        self.session: ClientSession | None = None
        """Set by the owner; taken away also by a call that finds it expired."""
        self.known = asyncio.Event()
        """Set while it is known whether there is a connection; clear while a new one is on its way."""
        self.under_way = 0
        self.answered = 0
        self._one_ended = asyncio.Event()

    async def run(self, name: str, arguments: dict[str, Any], progress: Progress) -> ToolResult:
        """Call a tool once. Whatever ends the wait early, the SDK tells the server so (BX-05)."""
        with anyio.move_on_after(self._settings.tool_call_timeout_seconds):
            return await self._run(name, arguments, progress)
        if not self.under_way:
            self._news.set()  # a server that hangs does not list its tools either, and is started again
        return ToolResult(False, f"Tool timeout on {self._settings.server_id}/{name}")

    async def all_ended(self) -> None:
        """Wait until no call is under way; for how long is the caller's to bound."""
        while self.under_way:
            self._one_ended.clear()
            await self._one_ended.wait()

    async def _run(self, name: str, arguments: dict[str, Any], progress: Progress) -> ToolResult:
        """Call a tool; once again where the server refused the session and so has not run it (WK-81)."""
        where = f"{self._settings.server_id}/{name}"
        for is_last in (False, True):
            await self.known.wait()
            session = self.session
            if session is None:
                return ToolResult(False, f"MCP error on {where}: not connected: {self._why_not()}")
            try:
                return tool_result(await self._send(session, name, arguments, progress))
            except MCPError as error:
                self._doubt(session, error)
                if is_last or not is_session_gone(error):
                    return ToolResult(False, f"MCP error on {where}: {explain(error)}")
            # The answer breaks the protocol or its own schema.
            except (RuntimeError, ValidationError) as error:
                return ToolResult(False, f"MCP error on {where}: {explain(error)}")
        raise AssertionError("the last try returns")

    async def _send(
        self, session: ClientSession, name: str, arguments: dict[str, Any], progress: Progress
    ) -> types.CallToolResult:
        self.under_way += 1
        try:
            result = await session.call_tool(name, arguments, progress_callback=reporter(progress))
        finally:
            self.under_way -= 1
            self._one_ended.set()
        self.answered += 1
        return result

    def _doubt(self, session: ClientSession, error: MCPError) -> None:
        """Have the owner look after the connection if the error may be its; calls that come wait for that."""
        if self.session is not session:
            return
        if is_session_gone(error):
            self.session = None
        elif error.code not in SESSION_IN_DOUBT:
            return
        self.known.clear()
        self._news.set()
