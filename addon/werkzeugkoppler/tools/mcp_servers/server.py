"""Keep a connection to one MCP server, list its tools and call them.

An MCP client must be entered and left in the same task, so each server has one owner task that connects,
lists, waits for news and connects again. Calls run in their callers' tasks, on the session of the moment.

The connection opens with the `initialize` handshake, which every server knows: the probe of the newest
protocol ends some older servers. One that refuses the handshake as too old is asked the new way.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import anyio
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.session import ClientSession, IncomingMessage

from werkzeugkoppler.config import tool_sections as config
from werkzeugkoppler.gate.costs import of_mcp_tool
from werkzeugkoppler.tools.mcp_servers.answers import all_tools
from werkzeugkoppler.tools.mcp_servers.calls import Calls
from werkzeugkoppler.tools.mcp_servers.choice import is_chosen
from werkzeugkoppler.tools.mcp_servers.failures import explain, first_cause
from werkzeugkoppler.tools.mcp_servers.http_edge import is_session_gone
from werkzeugkoppler.tools.mcp_servers.transport import open_transport, quiet_the_sdk
from werkzeugkoppler.tools.registry import SourceStatus
from werkzeugkoppler.tools.tool import Tool

logger = logging.getLogger("werkzeugkoppler.mcp")

FIRST_RETRY_SECONDS = 1.0
"""Before a lost server is tried again; doubled after each failure."""

LONGEST_RETRY_SECONDS = 60.0
"""A server that came back is found again within that time."""

CLOSE_SECONDS = 8.0
"""For one connection to end: more than a stdio server gets to heed its closed stdin, and then a SIGTERM."""


EXPIRED_SECONDS = 2.0
"""For the other calls of an expired session to be refused too; what runs on in spite of that is given up."""


class _SessionExpiredError(Exception):
    """The server has forgotten a session that had worked: it is to get a new one at once."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class McpServer:
    """One MCP server, kept connected while open.

    Nothing that it does wrong raises here: it degrades `status`, and a call becomes an error result.

    Args:
        refresh_seconds: How often its tools are listed anew; 0 or less: only when it says that they changed.
        first_retry_seconds: See `FIRST_RETRY_SECONDS`.
        now: The time in UTC.
    """

    def __init__(
        self,
        settings: config.McpServer,
        *,
        refresh_seconds: float = 300.0,
        first_retry_seconds: float = FIRST_RETRY_SECONDS,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.tools: tuple[Tool, ...] = ()
        self._settings = settings
        self._refresh_seconds = refresh_seconds if refresh_seconds > 0 else math.inf
        self._first_retry_seconds = first_retry_seconds
        self._now = now
        self._mode = "legacy"
        self._owner: asyncio.Task[None] | None = None
        self._scope: anyio.CancelScope | None = None
        self._listing: list[types.Tool] | None = None
        self._error: str | None = "not connected yet"
        self._last_refresh: datetime | None = None
        self._retry_seconds = first_retry_seconds
        # Set once the first try to connect has come to its end, or at `_patience_ends` on the loop's clock.
        self._tried = asyncio.Event()
        self._patience_ends = math.inf
        # How others wake the owner: the tools changed, or the connection is in doubt or has ended.
        self._news = asyncio.Event()
        self._ended = False
        self._calls = Calls(settings, self._news, why_not=lambda: self._error)

    async def open(self) -> None:
        """Begin to connect; returns at once."""
        quiet_the_sdk()
        self._patience_ends = anyio.current_time() + self._settings.connect_timeout_seconds
        self._scope = anyio.CancelScope()
        self._owner = asyncio.get_running_loop().create_task(
            self._own(self._scope), name=f"mcp server {self._settings.server_id}"
        )

    async def settled(self) -> None:
        """Wait until the tools are listed or the first try has failed.

        At most until the connect timeout after `open`, however often and late it is asked.
        """
        with anyio.CancelScope(deadline=self._patience_ends):
            await self._tried.wait()

    async def close(self) -> None:
        """End the connection and the server's process, within `CLOSE_SECONDS`."""
        if self._owner is None or self._scope is None:
            return
        self._scope.cancel()
        _, late = await asyncio.wait([self._owner], timeout=CLOSE_SECONDS)
        for task in late:
            logger.warning("MCP server %s did not end in time; it is left behind", self._settings.server_id)
            task.cancel()

    def status(self) -> SourceStatus:
        """How the server is doing, for `/healthz`."""
        return SourceStatus(
            self._settings.server_id,
            self._settings.transport,
            self._error is None,
            self._error,
            self._last_refresh,
        )

    # The owner task

    async def _own(self, scope: anyio.CancelScope) -> None:
        """Connect, again and again, until the scope is cancelled."""
        with scope:
            while True:
                try:
                    await self._connect()
                except Exception as error:  # boundary: whatever a foreign server does only degrades (WK-88)
                    if isinstance(first_cause(error), _SessionExpiredError):
                        logger.info("MCP server %s gets a new session", self._settings.server_id)
                        continue
                    self._failed(error)
                await anyio.sleep(self._retry_seconds)
                self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS)

    async def _connect(self) -> None:
        """One connection from its start to its end, which is always an exception."""
        self._ended = False
        self._news.clear()
        # No `fail_after`: a client's task group may not outlive a scope it was entered in.
        deadline = anyio.current_time() + self._settings.connect_timeout_seconds
        with anyio.CancelScope(deadline=deadline) as connecting:
            async with Client(
                open_transport(self._settings, self._end_of_stream),
                mode=self._mode,
                message_handler=self._heard,
                cache=None,
            ) as client:
                connecting.deadline = math.inf
                await self._serve(client.session)
        raise TimeoutError(f"no connection within {self._settings.connect_timeout_seconds:g} seconds")

    async def _serve(self, session: ClientSession) -> None:
        try:
            await self._list(session)
            self._calls.session = session
            self._retry_seconds = self._first_retry_seconds
            self._calls.known.set()
            self._tried.set()
            logger.info("MCP server %s has %d tools", self._settings.server_id, len(self.tools))
            while True:
                await self._wait_for_news()
                await self._list_again(session)
                if self._calls.session is session:
                    self._calls.known.set()
        except _SessionExpiredError:
            # Calls that are under way are about to be refused as well. Cut off, they could not be sent again.
            with anyio.move_on_after(EXPIRED_SECONDS):
                await self._calls.all_ended()
            raise
        finally:
            # Calls that come now wait for the next connection.
            self._calls.session = None
            self._calls.known.clear()

    async def _wait_for_news(self) -> None:
        """Return when the tools are to be listed again; a listing by routine waits for the calls.

        Raises:
            ConnectionError: The connection has ended.
            _SessionExpiredError: A call has found that the session has expired.
        """
        due = False
        while not due:
            with anyio.move_on_after(self._refresh_seconds):
                await self._news.wait()
            if self._ended:
                raise ConnectionError("the connection has ended")
            if self._calls.session is None:
                raise _SessionExpiredError
            due = self._news.is_set() or not self._calls.under_way
        self._news.clear()

    async def _list_again(self, session: ClientSession) -> None:
        """List the tools anew, without harm to the calls that are under way.

        A server may be too busy with a call to answer anything else. So a listing that is late because of
        calls is dropped, and tried again after them; the connection stays.

        Raises:
            TimeoutError: The server is silent, and no call explains it.
            _SessionExpiredError: The session has expired.
        """
        is_first, answered = True, self._calls.answered
        while True:
            try:
                return await self._list(session)
            except TimeoutError:
                if answered == self._calls.answered and not (is_first and self._calls.under_way):
                    raise
            except MCPError as error:
                raise _SessionExpiredError if is_session_gone(error) else error from None
            is_first, answered = False, self._calls.answered
            # Those that are under way now have ended by then, whatever others come meanwhile.
            with anyio.move_on_after(self._settings.tool_call_timeout_seconds):
                await self._calls.all_ended()

    async def _list(self, session: ClientSession) -> None:
        """Fetch all pages of the tool list; `tools` changes only if they do."""
        seconds = self._settings.read_timeout_seconds
        try:
            with anyio.fail_after(seconds):
                listing = await all_tools(session, self._settings.server_id)
        except TimeoutError:
            late = f"its list of tools did not come within {seconds:g} seconds (`read_timeout_seconds`)"
            raise TimeoutError(late) from None
        if listing != self._listing:
            self._listing = listing
            self.tools = tuple(self._tool(tool) for tool in listing if self._is_chosen(tool))
        self._error = None
        self._last_refresh = self._now()

    def _is_chosen(self, tool: types.Tool) -> bool:
        return is_chosen(
            tool.name, allowed=self._settings.allowed_tools, blocked=self._settings.blocked_tools
        )

    def _failed(self, error: Exception) -> None:
        reason = first_cause(error)
        if isinstance(reason, MCPError) and reason.code == types.UNSUPPORTED_PROTOCOL_VERSION:
            self._mode = "auto"
        if self._error is not None:
            # The tools of a lost connection stay for one try: a restart must not change the model's tools.
            self._listing, self.tools = None, ()
            self._calls.known.set()
            self._tried.set()
        self._error = explain(reason)
        logger.warning(
            "MCP server %s failed: %s; next try in %g seconds",
            self._settings.server_id,
            self._error,
            self._retry_seconds,
        )

    async def _heard(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._news.set()

    def _end_of_stream(self) -> None:
        self._ended = True
        self._news.set()

    # Calls

    def _tool(self, tool: types.Tool) -> Tool:
        settings = self._settings
        return Tool(
            settings.server_id,
            tool.name,
            tool.description or "",
            tool.input_schema,
            partial(self._calls.run, tool.name),
            costs=of_mcp_tool(settings.server_id, tool.name, settings.costs),
            needs_approval=settings.approval == "ask",
        )
