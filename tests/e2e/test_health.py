"""What `/healthz` tells, and to whom."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.launch import NOWHERE
from tests.fakes.upstream import Upstream

KEYS = {"status", "service", "timestamp", "ok", "degraded", "last_tool_refresh_at", "mcp_servers"}
ACTION = {"name": "hello", "description": "Greets", "command": "echo"}
DEAD_HTTP = {"server_id": "gone", "transport": "http", "url": f"{NOWHERE}/mcp", "connect_timeout_seconds": 2}
DEAD_STDIO = {"server_id": "missing", "transport": "stdio", "command": "/nonexistent/server"}


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"mcp_servers": [DEAD_HTTP, DEAD_STDIO], "actions": [ACTION, ACTION | {"name": "again"}]}


async def settled_health(client: Client) -> dict[str, Any]:
    """The health once both dead servers have been tried."""
    while True:
        health: dict[str, Any] = (await client.get("/healthz")).json
        if all(server["ok"] or server["error"] for server in health["mcp_servers"]):
            return health


@pytest.mark.contract("WK-05", "OW-03")
async def test_health_is_told_without_a_key(stranger: Client, upstream: Upstream) -> None:
    answer = await stranger.get("/healthz")
    assert answer.status == 200 and answer.json.keys() >= KEYS
    assert (answer.json["status"], answer.json["service"]) == ("ok", "werkzeugkoppler")
    stamp = datetime.fromisoformat(answer.json["timestamp"])
    assert stamp.utcoffset() == datetime.now(UTC).utcoffset()
    assert not upstream.requests


@pytest.mark.contract("WK-06")
async def test_a_dead_server_is_told_and_is_no_failure(client: Client) -> None:
    health = await settled_health(client)
    assert (health["ok"], health["degraded"]) == (False, True)
    servers = {server["server_id"]: server for server in health["mcp_servers"]}
    for dead in (DEAD_HTTP, DEAD_STDIO):
        entry = servers[str(dead["server_id"])]
        assert (entry["transport"], entry["ok"]) == (dead["transport"], False)
        assert entry["error"]


@pytest.mark.contract("WK-07")
async def test_actions_are_told(client: Client) -> None:
    servers = {server["server_id"]: server for server in (await client.get("/healthz")).json["mcp_servers"]}
    actions = {"server_id": "actions", "transport": "local_actions", "ok": True, "error": None, "count": 2}
    assert servers["actions"] == actions


@pytest.mark.contract("WK-05")
async def test_the_words_of_an_error_are_for_those_with_a_key(client: Client, stranger: Client) -> None:
    known = await settled_health(client)
    errors = [server["error"] for server in known["mcp_servers"] if not server["ok"]]
    shown = (await stranger.get("/healthz")).json
    assert [server["error"] for server in shown["mcp_servers"] if not server["ok"]] == ["error"] * 2
    assert "error" not in errors


async def test_the_upstream_is_told_of(client: Client, upstream: Upstream) -> None:
    (entry,) = (await client.get("/healthz")).json["upstreams"]
    assert upstream.url in str(entry) or "ok" in entry
