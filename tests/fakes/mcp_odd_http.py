"""An MCP server over HTTP, without the SDK, that answers single methods otherwise than it should."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

type Odd = web.StreamResponse | None
type Oddity = Callable[[web.Request, dict[str, Any]], Odd | Awaitable[Odd]]
"""Answers a message of one method, given as JSON; None: as it should be."""

RESULTS: dict[str, dict[str, Any]] = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "odd", "version": "0"},
    },
    "tools/list": {"tools": [{"name": "act", "inputSchema": {"type": "object"}}]},
    "tools/call": {"content": [{"type": "text", "text": "acted"}]},
}


@dataclass
class OddServer:
    """One that gives out sessions `s1`, `s2`, ..."""

    odd: dict[str, Oddity] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    """The method and the session of each message, in order."""
    sessions: int = 0
    url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its URL while it runs."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._post)
        app.router.add_delete("/{path:.*}", self._delete)
        async with TestServer(app) as server:
            self.url = str(server.make_url("/mcp"))
            yield self.url

    def count(self, method: str) -> int:
        return [seen for seen, _ in self.seen].count(method)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        message = json.loads(await request.text())
        method = message["method"]
        self.seen.append((method, request.headers.get("mcp-session-id", "")))
        if method in self.odd:
            answer = self.odd[method](request, message)
            if (answer := await answer if isawaitable(answer) else answer) is not None:
                return answer
        if "id" not in message:
            return web.Response(status=202)
        headers = {}
        if method == "initialize":
            self.sessions += 1
            headers = {"mcp-session-id": f"s{self.sessions}"}
        return web.json_response(reply(message, RESULTS[method]), headers=headers)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(("DELETE", request.headers.get("mcp-session-id", "")))
        return web.Response(status=204)


def reply(message: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """The JSON-RPC response to a message."""
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def status(number: int, body: Any = None) -> Oddity:
    """An answer with a status and no word of MCP, or with a JSON body."""
    if body is None:
        return lambda request, message: web.Response(status=number, text="<html>no</html>")
    return lambda request, message: web.json_response(body, status=number)


def moved(where: str, number: int = 307) -> Oddity:
    """A redirect, unless the request is there already."""

    def answer(request: web.Request, message: dict[str, Any]) -> web.StreamResponse | None:
        if request.path == where and where != "/mcp":
            return None
        return web.Response(status=number, headers={"Location": where})

    return answer


def unknown(*sessions: str) -> Callable[[web.Request, dict[str, Any]], Odd]:
    """What the specification wants for a session that is not known, as the TypeScript SDK says it.

    modelcontextprotocol/typescript-sdk:packages/server/src/server/streamableHttp.ts (`Session not found`).
    """

    def answer(request: web.Request, message: dict[str, Any]) -> web.StreamResponse | None:
        if request.headers.get("mcp-session-id") not in sessions:
            return None
        error = {"code": -32001, "message": "Session not found"}
        return web.json_response({"jsonrpc": "2.0", "error": error, "id": None}, status=404)

    return answer
