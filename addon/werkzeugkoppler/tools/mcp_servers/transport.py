"""Open a transport to an MCP server: a child process or HTTP, and mend what comes through it."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2
import mcp_types as types
from mcp.client._transport import ReadStream, TransportStreams
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from werkzeugkoppler.config import tool_sections as config
from werkzeugkoppler.tools.line_limit import LineLimit
from werkzeugkoppler.tools.log_pipe import MAX_LINE_BYTES, log_pipe
from werkzeugkoppler.tools.mcp_servers.framing import MAX_MESSAGE_BYTES
from werkzeugkoppler.tools.mcp_servers.http_edge import HttpEdge
from werkzeugkoppler.tools.mcp_servers.stdio import stdio_streams

logger = logging.getLogger("werkzeugkoppler.mcp")

READ_MARGIN_SECONDS = 5.0
"""By which the HTTP client outwaits a tool call: its own timeout would end the whole connection."""

EMPTY_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
"""Of a tool that takes no arguments, or does not say which."""

MAX_SHOWN_CHARS = 200
"""How much of a tool that cannot be used is logged."""

SDK_LOGGERS = ("client", "mcp.client.streamable_http", "mcp.shared.jsonrpc_dispatcher")


@asynccontextmanager
async def open_transport(
    settings: config.McpServer, on_end: Callable[[], None]
) -> AsyncIterator[TransportStreams]:
    """The two streams of messages that an `mcp.Client` is made of.

    A child's environment is the SDK's short list plus `env`; its stderr goes to the log, line by line.

    Args:
        on_end: Called when the server will send nothing more.

    Raises:
        OSError: The server process cannot be started.
    """
    async with AsyncExitStack() as stack:
        enter = _enter_stdio if settings.transport == "stdio" else _enter_http
        read, write = await enter(settings, stack)
        yield _Reading(read, on_end, settings.server_id), write


def quiet_the_sdk() -> None:
    """Have the SDK log warnings where it logs errors: mitmproxy ends when it sees an error at its start."""
    for name in SDK_LOGGERS:
        logging.getLogger(name).addFilter(_NEVER_ERROR)


async def _enter_stdio(settings: config.McpServer, stack: AsyncExitStack) -> TransportStreams:
    emit = partial(logger.info, "%s: %s", settings.server_id)
    noise = LineLimit(lambda text: emit(f"(on stdout, no message) {text[:MAX_LINE_BYTES]}"))
    stack.callback(noise.end)
    # The child keeps its own copy of the write end, so that the pipe ends with the child.
    with await stack.enter_async_context(log_pipe(emit)) as errlog:
        return await stack.enter_async_context(stdio_streams(settings, errlog, noise.say))


async def _enter_http(settings: config.McpServer, stack: AsyncExitStack) -> TransportStreams:
    longest = max(settings.read_timeout_seconds, settings.tool_call_timeout_seconds)
    timeout = httpx2.Timeout(settings.connect_timeout_seconds, read=longest + READ_MARGIN_SECONDS)
    url = settings.url or ""
    client = HttpEdge(url, headers=dict(settings.headers), timeout=timeout)
    await stack.enter_async_context(client)
    streams = streamable_http_client(url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES)
    return await stack.enter_async_context(streams)


class _Reading:
    """The SDK's stream of incoming messages, mended where servers are sloppy, with word of its end.

    The SDK tells nobody when a server is gone, and refuses a whole list for one tool that is wrong.
    """

    def __init__(
        self, stream: ReadStream[SessionMessage | Exception], on_end: Callable[[], None], server_id: str
    ) -> None:
        self._stream = stream
        self._on_end = on_end
        self._server_id = server_id

    @property
    def last_context(self) -> Any:
        """The sender's context, which the SDK asks for where its stream has one."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        return _mended(await self._stream.receive(), self._server_id)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return _mended(await self._stream.__anext__(), self._server_id)
        except (StopAsyncIteration, anyio.ClosedResourceError):
            self._on_end()
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return await self._stream.__aexit__(exc_type, exc_val, exc_tb)


def _mended(message: SessionMessage | Exception, server_id: str) -> SessionMessage | Exception:
    """The message, in a tool list with the empty schema where a tool has none (WK-87), and without what is
    no tool."""
    if isinstance(message, SessionMessage) and isinstance(message.message, types.JSONRPCResponse):
        result = message.message.result
        if isinstance(tools := result.get("tools"), list):
            result["tools"] = [tool for tool in map(_with_schema, tools) if _is_tool(tool, server_id)]
    return message


def _with_schema(tool: Any) -> Any:
    if not isinstance(tool, dict):
        return tool
    schema = tool.get("inputSchema")
    return {**tool, "inputSchema": EMPTY_SCHEMA | (schema if isinstance(schema, dict) else {})}


def _is_tool(tool: Any, server_id: str) -> bool:
    try:
        types.Tool.model_validate(tool)
    except ValidationError:
        shown = repr(tool)[:MAX_SHOWN_CHARS]
        logger.warning("MCP server %s lists what is no tool, it is left out: %s", server_id, shown)
        return False
    return True


class _NeverError(logging.Filter):
    """Takes errors down to warnings without tracebacks: a foreign server's slips are no faults here."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
        return True


_NEVER_ERROR = _NeverError()
