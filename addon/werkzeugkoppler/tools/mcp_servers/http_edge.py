"""The HTTP client under the SDK's transport: it tells what the SDK hides, and does nothing twice.

The SDK says of a failed request neither its status nor whether it was the session that failed, follows
redirects up to twenty times, and reads a JSON answer whatever its size. So a response that is to be told
about is given to it as a JSON-RPC error, which it hands to the caller as it is.
"""

import json
import secrets
from typing import Any

import anyio
import httpx2
import mcp_types as types
from mcp import MCPError

from werkzeugkoppler.tools.mcp_servers.framing import MAX_MESSAGE_BYTES, too_large
from werkzeugkoppler.tools.mcp_servers.giving_up import Requests

SESSION_HEADER = "mcp-session-id"

MAX_REDIRECTS = 3
"""Of a request that is no tool call, within the server's own origin."""

LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5)
"""A silent call must not hold up another; how many there are is bounded by the requests of clients."""

NOTICE_SECONDS = 2.0
"""For a server to take a notification: the SDK sends nothing else meanwhile."""

HINTS = {
    401: "set the key that it wants under `headers`",
    403: "the key under `headers` may be missing or a wrong one",
    404: "no MCP server is there: look at its `url`",
    405: "no MCP server is there: look at its `url`",
}

_SESSION_GONE = secrets.token_hex(8)
"""The data of the error that says so, which no server can know."""


def is_session_gone(error: BaseException) -> bool:
    """Whether the server answered that it does not know the session: then it has not run the request.

    It must answer 404 then, and the client must begin a new session (WK-81):
    https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#session-management
    """
    return isinstance(error, MCPError) and error.data == _SESSION_GONE


class HttpEdge(httpx2.AsyncClient):
    """The client for one connection to one endpoint."""

    def __init__(self, endpoint: str, *, headers: dict[str, str], timeout: httpx2.Timeout) -> None:
        super().__init__(headers=headers, timeout=timeout, max_redirects=MAX_REDIRECTS, limits=LIMITS)
        self._endpoint = httpx2.URL(endpoint)
        # Where requests go: where the handshake was redirected to, once it has been answered there.
        self._target = self._endpoint
        self._is_gone = False
        self._requests = Requests()

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if request.method == "DELETE" and self._is_gone:
            return httpx2.Response(204, request=request)
        if request.url == self._endpoint:
            request.url = self._target
        match request.method:
            case "POST":
                return await self._post(request, options)
            case "GET" if (resumed := self._requests.current()) is not None:
                return await resumed.response(lambda: self._bare(request, options))
            case _:
                return await self._bare(request, options)

    async def _post(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        message = json.loads(await request.aread())  # what follows a redirect is not read yet
        if "id" not in message:
            return await self._notify(request, message, options)
        if "method" not in message:
            return await self._answered(request, options)
        under_way = self._requests.begin(message["id"])
        try:
            return await under_way.response(lambda: self._answered(request, options))
        except httpx2.ReadTimeout:
            # Raised, it would end the session, and with it the calls of all others.
            if message["method"] != "tools/call":
                raise
            silent = types.ErrorData(code=types.INTERNAL_ERROR, message="it was silent for too long")
            return _reply(request, silent)

    async def _notify(
        self, request: httpx2.Request, message: dict[str, Any], options: dict[str, Any]
    ) -> httpx2.Response:
        """Send a notification; of a request that is given up the connection is closed as well (BX-05)."""
        if message["method"] == "notifications/cancelled":
            self._requests.give_up(message["params"]["requestId"])
        with anyio.move_on_after(NOTICE_SECONDS):
            return await self._answered(request, options)
        return httpx2.Response(202, request=request)

    async def _bare(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        return await super().send(request, **options)

    async def _answered(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        return await self._told(request, await self._bare(request, options))

    async def _told(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        status = response.status_code
        if status == 404 and SESSION_HEADER in request.headers:
            self._is_gone = True
            gone = types.ErrorData(
                code=types.INVALID_REQUEST, message="the session has expired", data=_SESSION_GONE
            )
            return await _instead(request, response, gone)
        if response.next_request is not None:
            return await _redirect(request, response)
        if status < 400:
            self._target = request.url
        if response.headers.get("content-type", "").lower().startswith("application/json"):
            return await _bounded(request, response)
        return await _instead(request, response, _failure(response)) if status >= 400 else response


async def _redirect(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """A redirect, which the SDK may follow unless it would send a tool call again (WK-92)."""
    assert response.next_request is not None
    if json.loads(request.content).get("method") != "tools/call":
        return response
    # Without what may hold a secret.
    url = response.next_request.url.copy_with(userinfo=b"", query=None, fragment=None)
    said = f"HTTP {response.status_code}, a redirect to {url}: a call follows none, look at its `url`"
    return await _instead(request, response, types.ErrorData(code=types.INTERNAL_ERROR, message=said))


async def _bounded(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """The response, read up to the bound; a failure says its status unless the server says more."""
    body = bytearray()
    async for data in response.aiter_bytes():
        body += data
        if len(body) > MAX_MESSAGE_BYTES:
            text = too_large(f"more than {MAX_MESSAGE_BYTES} bytes")
            return await _instead(request, response, types.ErrorData(code=types.INTERNAL_ERROR, message=text))
    await response.aclose()
    if response.status_code >= 400 and not _is_rpc_error(bytes(body)):
        return await _instead(request, response, _failure(response))
    return httpx2.Response(
        response.status_code,
        headers={
            name: value
            for name, value in response.headers.items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        },
        content=bytes(body),
        request=request,
    )


def _is_rpc_error(body: bytes) -> bool:
    try:
        return isinstance(
            types.jsonrpc_message_adapter.validate_json(body, by_name=False), types.JSONRPCError
        )
    except ValueError:
        return False


def _failure(response: httpx2.Response) -> types.ErrorData:
    status = response.status_code
    said = f"HTTP {status} {response.reason_phrase}".rstrip()
    # The SDK takes that code for a server that does not know a method, and asks it in an older way.
    code = types.METHOD_NOT_FOUND if status == 404 else types.INTERNAL_ERROR
    return types.ErrorData(code=code, message=f"{said}: {HINTS[status]}" if status in HINTS else said)


async def _instead(
    request: httpx2.Request, response: httpx2.Response, error: types.ErrorData
) -> httpx2.Response:
    """An answer with the error, in the place of the response. Notifications have no id, and hear nothing."""
    await response.aclose()
    return _reply(request, error)


def _reply(request: httpx2.Request, error: types.ErrorData) -> httpx2.Response:
    reply = {
        "jsonrpc": "2.0",
        "id": json.loads(request.content).get("id"),
        "error": error.model_dump(exclude_none=True),
    }
    return httpx2.Response(200, json=reply, request=request)
