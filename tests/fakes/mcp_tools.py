"""The tools of the fake MCP servers, on the SDK's own server, with a log of what arrived.

Where the environment names a file in `WK_FAKE_LOG`, each event is a line there: `start`, `list`,
`call <tool>`, `cancelled <request id>`. The list of tools comes in pages of three. With `WK_FAKE_MODERN` the
server refuses the handshake of the protocol versions before 2026.
"""

import os
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server

PAGE = 3

type Context = ServerRequestContext[Any, Any]
type Run = Callable[[Context, dict[str, Any]], Awaitable[str | types.ImageContent]]

PNG = "iVBORw0KGgo+/w=="
"""The beginning of a picture, in base64."""


async def add(_: Context, arguments: dict[str, Any]) -> str:
    return str(arguments["a"] + arguments["b"])


async def echo(_: Context, arguments: dict[str, Any]) -> str:
    return str(arguments["text"])


async def slow(context: Context, arguments: dict[str, Any]) -> str:
    await context.session.report_progress(1, 2, "half done")
    await anyio.sleep(arguments["seconds"])
    await context.session.report_progress(2, 2)
    return "done"


async def big(_: Context, arguments: dict[str, Any]) -> str:
    return "x" * int(arguments["size"])


async def fail(_: Context, arguments: dict[str, Any]) -> str:
    raise ValueError("this tool always fails")


async def refuse(_: Context, arguments: dict[str, Any]) -> str:
    raise MCPError(types.INVALID_PARAMS, "this call is refused")


async def crash(_: Context, arguments: dict[str, Any]) -> str:
    os._exit(3)


async def crash_held(_: Context, arguments: dict[str, Any]) -> str:
    """Crash, and leave a child that holds the pipes."""
    subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - it is not waited for
    os._exit(3)


async def env(_: Context, arguments: dict[str, Any]) -> str:
    return os.environ.get(arguments["name"], "")


async def header(context: Context, arguments: dict[str, Any]) -> str:
    return "" if context.request is None else str(context.request.headers.get(arguments["name"], ""))


async def grow(context: Context, arguments: dict[str, Any]) -> str:
    TOOLS.setdefault("grown", (echo, {"text": "string"}))
    await context.session.send_tool_list_changed()
    return "grown"


async def picture(_: Context, arguments: dict[str, Any]) -> types.ImageContent:
    return types.ImageContent(type="image", data=PNG, mime_type="image/png")


TOOLS: dict[str, tuple[Run, dict[str, str]]] = {
    "add": (add, {"a": "number", "b": "number"}),
    "add.it": (add, {"a": "number", "b": "number"}),
    "echo": (echo, {"text": "string"}),
    "slow": (slow, {"seconds": "number"}),
    "big": (big, {"size": "number"}),
    "fail": (fail, {}),
    "refuse": (refuse, {}),
    "crash": (crash, {}),
    "crash_held": (crash_held, {}),
    "env": (env, {"name": "string"}),
    "header": (header, {"name": "string"}),
    "grow": (grow, {}),
    "picture": (picture, {}),
}
"""Each tool with the JSON types of its arguments, all of which are required."""


def fake_server() -> Server[Any]:
    """A server with all of `TOOLS`."""
    server: Server[Any] = Server("fake", on_list_tools=list_tools, on_call_tool=call_tool)
    server.add_notification_handler("notifications/cancelled", types.CancelledNotificationParams, cancelled)
    if os.environ.get("WK_FAKE_MODERN"):
        server.middleware.append(refuse_handshake)
    note("start")
    return server


async def refuse_handshake(ctx: Context, call_next: CallNext) -> HandlerResult:
    if ctx.method == "initialize":
        raise MCPError(types.UNSUPPORTED_PROTOCOL_VERSION, "too old")
    return await call_next(ctx)


async def list_tools(_: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    note("list")
    start = int((params and params.cursor) or 0)
    tools = [tool(name) for name in TOOLS][start : start + PAGE]
    end = start + PAGE
    return types.ListToolsResult(tools=tools, next_cursor=str(end) if end < len(TOOLS) else None)


def tool(name: str) -> types.Tool:
    properties = {key: {"type": kind} for key, kind in TOOLS[name][1].items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return types.Tool(name=name, description=f"The fake tool {name}.", input_schema=schema)


async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    note(f"call {params.name}")
    try:
        told = await TOOLS[params.name][0](context, params.arguments or {})
    except ValueError as error:
        return types.CallToolResult(content=[types.TextContent(type="text", text=str(error))], is_error=True)
    part = types.TextContent(type="text", text=told) if isinstance(told, str) else told
    return types.CallToolResult(content=[part])


async def cancelled(_: Context, params: types.CancelledNotificationParams) -> None:
    note(f"cancelled {params.request_id}")


def note(event: str) -> None:
    if path := os.environ.get("WK_FAKE_LOG"):
        with open(path, "a", encoding="utf-8") as log:
            log.write(f"{event}\n")
