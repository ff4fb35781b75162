"""What is made of the statuses, redirects and sizes with which MCP servers over HTTP answer."""

from typing import Any

import anyio
import pytest
from aiohttp import web

from tests.fakes.mcp_odd_http import RESULTS, Oddity, OddServer, moved, reply, status, unknown
from tests.tools.mcp_servers.servers import call, connected, settings, until
from werkzeugkoppler.config.tool_sections import McpServer
from werkzeugkoppler.tools.mcp_servers.framing import MAX_MESSAGE_BYTES
from werkzeugkoppler.tools.mcp_servers.server import McpServer as Connection


def http(url: str, **overrides: Any) -> McpServer:
    return settings(transport="http", url=url, **overrides)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (401, "HTTP 401 Unauthorized: set the key that it wants under `headers`"),
        (404, "HTTP 404 Not Found: no MCP server is there: look at its `url`"),
        (503, "HTTP 503 Service Unavailable"),
    ],
)
@pytest.mark.parametrize("body", [None, {"detail": "no"}], ids=["html", "json"])
async def test_a_server_that_refuses_is_told_of_with_its_status(number: int, told: str, body: Any) -> None:
    odd = OddServer({"initialize": status(number, body)})
    async with odd.serving() as url, connected(http(url)) as server:
        assert server.status().error == told


async def test_a_servers_own_words_are_told_whatever_the_status() -> None:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": "the key is from last year"}}
    async with OddServer({"initialize": status(401, error)}).serving() as url:
        async with connected(http(url)) as server:
            assert server.status().error == "the key is from last year"


async def test_a_call_that_is_refused_is_told_of_with_its_status() -> None:
    async with OddServer({"tools/call": status(403)}).serving() as url, connected(http(url)) as server:
        result = await call(server, "act")
    assert str(result.value).startswith("MCP error on fake/act: HTTP 403 Forbidden: the key")


async def test_a_list_that_breaks_the_protocol_is_told_of_in_a_sentence() -> None:
    odd = OddServer(
        {"tools/list": lambda _, message: web.json_response(reply(message, {"tool": [{"name": "x"}]}))}
    )
    async with odd.serving() as url, connected(http(url)) as server:
        assert server.status().error == "its answer breaks the protocol at tools: Field required"


@pytest.mark.contract("WK-81")
async def test_a_call_with_an_expired_session_is_sent_again_with_a_new_one() -> None:
    odd = OddServer({"tools/call": unknown("s1")})
    async with odd.serving() as url, connected(http(url)) as server:
        result = await call(server, "act")
        assert result.ok and server.status().ok
    calls = [session for method, session in odd.seen if method == "tools/call"]
    assert calls == ["s1", "s2"]
    assert ("DELETE", "s1") not in odd.seen


@pytest.mark.contract("WK-81")
async def test_a_call_that_is_refused_later_is_not_cut_off_by_one_before_it() -> None:
    odd, may_refuse, results = OddServer(), anyio.Event(), list[bool]()

    async def refuse(request: web.Request, message: dict[str, Any]) -> web.StreamResponse | None:
        if odd.count("tools/call") == 1:
            await may_refuse.wait()
        return unknown("s1")(request, message)

    async def act(server: Connection) -> None:
        results.append((await call(server, "act")).ok)

    odd.odd["tools/call"] = refuse
    async with odd.serving() as url, connected(http(url)) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(act, server)
        await until(lambda: odd.count("tools/call") == 1)
        tasks.start_soon(act, server)
        await until(lambda: server._calls.session is None)
        may_refuse.set()
    assert results == [True, True]


@pytest.mark.contract("WK-81", "WK-92")
async def test_a_call_is_sent_again_once_and_then_fails() -> None:
    odd = OddServer({"tools/call": unknown("s1", "s2", "s3")})
    async with odd.serving() as url, connected(http(url)) as server:
        result = await call(server, "act")
        assert result.value == "MCP error on fake/act: the session has expired"
    assert odd.count("tools/call") == 2


@pytest.mark.contract("WK-81")
async def test_a_session_that_a_listing_finds_expired_is_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    odd = OddServer()
    async with odd.serving() as url, connected(http(url), refresh_seconds=0.05) as server:
        odd.odd["tools/list"] = unknown("s1")
        await until(lambda: odd.sessions == 2)
        assert (await call(server, "act")).ok and server.status().ok
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.contract("WK-92")
@pytest.mark.parametrize("number", [301, 307, 308])
async def test_a_call_follows_no_redirect(number: int) -> None:
    odd = OddServer({"tools/call": moved("/mcp", number)})
    async with odd.serving() as url, connected(http(url)) as server:
        result = await call(server, "act")
    assert f"HTTP {number}, a redirect to {url}: a call follows none" in str(result.value)
    assert odd.count("tools/call") == 1


async def test_calls_go_where_the_handshake_was_redirected_to() -> None:
    odd = OddServer({method: moved("/mcp/") for method in RESULTS})
    async with odd.serving() as url, connected(http(url)) as server:
        assert (await call(server, "act")).ok
    assert (odd.count("initialize"), odd.count("tools/call")) == (2, 1)


def of_size(size: int) -> Oddity:
    result = {"content": [{"type": "text", "text": "x" * size}]}
    return lambda request, message: web.json_response(reply(message, result))


def streamed(size: int) -> Oddity:
    def answer(request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        event = web.json_response(reply(message, {"content": [{"type": "text", "text": "x" * size}]})).text
        return web.Response(text=f"data: {event}\n\n", content_type="text/event-stream")

    return answer


@pytest.mark.parametrize("answer", [of_size, streamed], ids=["json", "event stream"])
async def test_a_result_that_is_too_large_is_an_error_and_the_connection_stays(answer: Any) -> None:
    odd = OddServer({"tools/call": answer(MAX_MESSAGE_BYTES + 1)})
    async with odd.serving() as url, connected(http(url)) as server:
        result = await call(server, "act")
        assert f"{MAX_MESSAGE_BYTES} byte" in str(result.value)
        odd.odd["tools/call"] = answer(MAX_MESSAGE_BYTES // 2)
        assert (await call(server, "act")).ok
    assert odd.sessions == 1
