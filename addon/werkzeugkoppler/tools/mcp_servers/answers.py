"""What an MCP server sends, as values of ours: its tools, its results, its news of a call."""

import logging

import mcp_types as types
from mcp import MCPError
from mcp.client.session import ClientSession
from mcp.shared.dispatcher import ProgressFnT

from werkzeugkoppler.tools.terminal import shown_line
from werkzeugkoppler.tools.tool import Progress, ToolResult

logger = logging.getLogger("werkzeugkoppler.mcp")

MAX_PAGES = 100
"""Of a tool list: a server that always names a next page must not be followed for ever."""


async def all_tools(session: ClientSession, server_id: str) -> list[types.Tool]:
    """The tools of all pages (WK-83), each name once; a server without the method has none.

    Of two tools with one name the first counts: which of them a call runs is the server's secret.
    """
    tools: dict[str, types.Tool] = {}
    cursors: set[str | None] = set()
    cursor: str | None = None
    while cursor not in cursors and len(cursors) < MAX_PAGES:
        cursors.add(cursor)
        try:
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        except MCPError as error:
            if error.code == types.METHOD_NOT_FOUND:
                return []
            raise
        for tool in page.tools:
            tools.setdefault(tool.name, tool)
        cursor = page.next_cursor
        if cursor is None:
            return [*tools.values()]
    logger.warning("MCP server %s does not end its tool list; %d tools are used", server_id, len(tools))
    return [*tools.values()]


def tool_result(result: types.CallToolResult) -> ToolResult:
    """The whole MCP result, or the text of the failure that it reports (WK-93)."""
    if result.is_error:
        texts = [part.text for part in result.content if isinstance(part, types.TextContent)]
        return ToolResult(False, "\n".join(texts) or "the tool failed and does not say why")
    # `resultType` is no part of the protocol version spoken: the SDK adds it.
    value = result.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"result_type"})
    return ToolResult(True, value)


def reporter(tell: Progress) -> ProgressFnT:
    """What the SDK calls with each progress notification: a line such as `2/5 copied a file`."""

    async def report(progress: float, total: float | None, message: str | None) -> None:
        count = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
        tell(shown_line(f"{count} {message or ''}"))

    return report
