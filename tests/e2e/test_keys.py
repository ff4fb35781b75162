"""Keys stay out of everything that is recorded, shown or started here, wherever they come in."""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import CHAT_PATH, Client, question
from tests.e2e.declared import HELLO
from tests.e2e.launch import NOWHERE, SERVICE_KEY, UPSTREAM_KEY
from tests.e2e.proxy import Proxy
from tests.e2e.web import Web, looking
from tests.e2e.wire import connected
from tests.fakes.answers import Json, calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream
from tests.tools.mcp_servers.servers import FAKES, fake_http_server

PLANTED = {
    "service": SERVICE_KEY,
    "upstream": UPSTREAM_KEY,
    "mcp header": "wzk-planted-mcp-header-1",
    "mcp environment": "wzk-planted-mcp-environment-2",
    "mcp url": "wzk-planted-mcp-url-3",
    "x-api-key": "wzk-planted-x-api-key-4",
    "cookie": "wzk-planted-cookie-5",
    "query": "wzk-planted-query-6",
    "wrong": "wzk-planted-wrong-7",
    "proxy": "wzk-planted-proxy-8",
    "malformed": "wzk-planted-malformed-9",
}
ENVIRONMENT = {"name": "environment", "description": "Shows its variables", "command": "env"}
HEADERS = {
    "x-api-key": PLANTED["x-api-key"],
    "Cookie": f"session={PLANTED['cookie']}",
    "Proxy-Authorization": f"Basic {PLANTED['proxy']}",
    "X-Forwarded-Key": SERVICE_KEY,
}
QUERY = f"?api_key={PLANTED['query']}&limit=5&access_token={PLANTED['query']}&to={SERVICE_KEY}"
CALLS = [
    Call("actions__environment", id="a"),
    Call("web__echo", '{"text": "hello"}', id="b"),
    Call("local__env", '{"name": "LOCAL_API_KEY"}', id="c"),
]


def settings(url: str, folder: Path) -> dict[str, Any]:
    """A stack with a key in each place that may hold one."""
    header, environment = PLANTED["mcp header"], PLANTED["mcp environment"]
    stdio = {"transport": "stdio", "command": sys.executable, "args": [f"{FAKES}/mcp_stdio_server.py"]}
    return {
        "logging": {"level": "DEBUG"},
        "actions": [HELLO, ENVIRONMENT],
        "last_user_message_readers": [{"name": "seen", "command": "env"}],
        "allowed_direct_commands": ["env"],
        "mcp_servers": [
            {
                "server_id": "web",
                "transport": "http",
                "url": url,
                "headers": {"Authorization": f"Bearer {header}"},
            },
            {
                "server_id": "local",
                **stdio,
                "env": {"LOCAL_API_KEY": environment, "WK_FAKE_LOG": str(folder / "x")},
            },
            {"server_id": "gone", "transport": "http", "url": f"{NOWHERE}/mcp?key={PLANTED['mcp url']}"},
        ],
    }


@dataclass(frozen=True)
class Left:
    """What there is to be searched."""

    places: dict[str, bytes]
    results: list[str]
    """What the tools that show their environment gave."""


@pytest.fixture(scope="module")
async def left(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Left]:
    shared_upstream.reset()
    folder = tmp_path_factory.mktemp("keys")
    saved = f"save_stream_file={folder / 'flows.mitm'}"
    async with fake_http_server(tmp_path_factory.mktemp("server")) as url:
        async with looking(folder, shared_upstream.url, settings(url, folder), saved) as (proxy, web):
            await proxy.until_connected()
            async with web.client(proxy) as client:
                await _ask(client, shared_upstream)
            await _malformed(proxy)
            shown = await _shown(web)
    files = {path: (folder / path).read_bytes() for path in ("flows.mitm", "output.log")}
    places = {"mitmweb": shown, "traces": proxy.traces.encode(), **files}
    messages = shared_upstream.chats[1].json["messages"]
    yield Left(places, [message["content"] for message in messages if message["role"] == "tool"])


async def _ask(client: Client, upstream: Upstream) -> None:
    echo = f"Incorrect API key provided: Bearer {UPSTREAM_KEY}"
    refusal = Json({"error": {"message": echo}}, 401, headers=(("WWW-Authenticate", echo),))
    upstream.script(calls(*CALLS), says("Done."), says("Plain."), refusal)
    assert (await client.transcript()).text == "Done."
    assert (await client.send("POST", CHAT_PATH + QUERY, question(), HEADERS)).status == 200
    refused = await client.chat()
    assert refused.status == 401 and b"provided: Bearer [removed]" in refused.body
    assert (await client.chat("@@ env")).status == 200
    await client.get(f"/v1/models{QUERY}", HEADERS)
    wrong = {**HEADERS, "Authorization": f"Bearer {PLANTED['wrong']}"}
    assert (await client.send("POST", CHAT_PATH + QUERY, question(), wrong)).status == 401
    assert (await client.send("POST", f"/nowhere{QUERY}", question(), HEADERS)).status == 404


async def _malformed(proxy: Proxy) -> None:
    key = PLANTED["malformed"]
    head = f"Host: x\r\nAuthorization: Bearer {key}\r\nx-api-key: {key}\r\nCookie: {key}\r\n"
    for request in (
        f"POST {CHAT_PATH}?key={key} HTTP/1.1\r\n{head}Content-Length: 3\r\nContent-Length: 57\r\n\r\n",
        f"POST {CHAT_PATH}?token={key} HTTP/1.1\r\n{head}Content-Length: -5\r\n\r\n",
        f"GET /v1/models?key={key}\r\n\r\n",
        f"CONNECT a:1 HTTP/1.1\r\n{head}\r\n",
        f"POST {CHAT_PATH} HTTP/1.1\r\n{head}Authorization Bearer {key}\r\n\r\n",
    ):
        async with connected(proxy) as wire:
            await wire.send(request.encode())
            await wire.rest()


async def _shown(web: Web) -> bytes:
    """All that mitmweb gives its page: the flows, how each message is shown, and the log."""
    flows = await web.flows()
    parts = [json.dumps(flows), await web.events()]
    for flow in flows:
        for message in ("request", "response"):
            if flow.get(message):
                parts.append(json.dumps(await web.shown(flow, message)))
    return "\n".join(parts).encode()


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize("place", ["mitmweb", "traces", "flows.mitm", "output.log"])
@pytest.mark.parametrize("key", [name for name in PLANTED if name != "mcp environment"])
async def test_a_key_is_nowhere_to_be_found(left: Left, place: str, key: str) -> None:
    where = left.places[place].find(PLANTED[key].encode())
    assert where < 0, left.places[place][max(0, where - 300) : where + 100]


@pytest.mark.contract("BX-17")
async def test_only_the_server_that_was_told_a_key_has_it(left: Left) -> None:
    action, _, local = left.results
    assert "PATH=" in action and PLANTED["mcp environment"] not in action
    assert PLANTED["mcp environment"] in local, "the fake shows its variables"
    assert not any(key in result for result in left.results for key in (SERVICE_KEY, UPSTREAM_KEY))


async def test_what_was_searched_is_there(left: Left) -> None:
    marks = {
        "mitmweb": b"actions/environment",
        "traces": b"tool_call",
        "flows.mitm": b"Plain.",
        "output.log": b"DEBUG",
    }
    assert all(mark in left.places[place] for place, mark in marks.items())
    assert b"limit=5" in left.places["flows.mitm"] and b"[removed]" in left.places["flows.mitm"]
