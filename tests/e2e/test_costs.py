"""Tools whose costs the config does not list are not run."""

import json
import sys
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.launch import ROOT
from tests.e2e.proxy import Proxy
from tests.e2e.trace_files import of, trace
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

FAKE = ROOT / "tests" / "fakes" / "mcp_stdio_server.py"


def action(name: str, **more: Any) -> dict[str, Any]:
    """An action that leaves a file of its name."""
    return {"name": name, "description": name, "command": "touch", "arguments": [name], **more}


def server(name: str, **more: Any) -> dict[str, Any]:
    stdio = {"transport": "stdio", "command": sys.executable, "args": [str(FAKE)]}
    return {"server_id": name, "connect_timeout_seconds": 20, **stdio, **more}


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {
        "authorized_costs": ["filesystem_*", "mcp_tool:listed:echo"],
        "actions": [
            action("free"),
            action("write", costs=["filesystem_write"]),
            action("publish", costs=["filesystem_read", "deploy", "git_push"]),
        ],
        "mcp_servers": [server("plain"), server("listed", costs=[], allowed_tools=["echo", "add"])],
    }


def result(upstream: Upstream) -> str:
    """What the model was told of its last call."""
    return str(upstream.chats[-1].json["messages"][-1]["content"])


@pytest.mark.contract("OW-58", "OW-59", "OW-60", "OW-63")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_with_a_cost_that_is_not_listed_is_not_run_and_the_model_is_told_which(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(Call("actions__publish")), says("Then not."))
    answer = await client.chat(stream=stream)
    assert not (proxy.folder / "publish").exists()
    assert '"ok": false' in result(upstream)
    assert '"action": "actions__publish", "missing": ["deploy", "git_push"]' in result(upstream)
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    (check,), (ended,) = of("auth_check_fired", events), of("tool_result", events)
    assert (check["decision"], check["reason"]) == ("deny", "missing deploy, git_push")
    assert (check["layer"], check["tool"]) == ("authorized_costs", "actions__publish")
    assert (ended["success"], ended["denied"]) == (False, True)


@pytest.mark.contract("OW-61", "OW-63")
async def test_where_nobody_can_be_asked_a_request_for_permission_is_denied_at_once(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    asked = '{"action": "publish", "reasoning": "secret words", "category": "deploy", "scope": "forever"}'
    upstream.script(calls(Call("request_permission", asked)), says("Then not."))
    answer = await client.chat()
    assert json.loads(result(upstream))["result"] == {
        "granted": False,
        "scope_granted": None,
        "operator_note": "no interactive operator available",
        "grant_id": None,
    }
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    (wanted,), (denied,) = of("permission_requested", events), of("permission_denied", events)
    assert (wanted["costs"], wanted["scope"]) == (["deploy"], "this_call")
    assert denied["reason"] == "no interactive operator available"
    assert "secret" not in str(events) and "forever" not in str(events)


@pytest.mark.contract("OW-58", "OW-63")
async def test_a_tool_whose_costs_are_listed_is_run(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(calls(Call("actions__write")), says("Done."))
    answer = await client.chat()
    assert (proxy.folder / "write").exists()
    (check,) = of("auth_check_fired", await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"]))
    assert (check["decision"], check["reason"]) == ("allow", "authorized")


@pytest.mark.contract("OW-58")
async def test_a_tool_without_costs_needs_nothing(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(calls(Call("actions__free")), says("Done."))
    answer = await client.chat()
    assert (proxy.folder / "free").exists()
    assert not of("auth_check_fired", await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"]))


@pytest.mark.contract("OW-58", "OW-59")
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (Call("plain__add", '{"a": 1, "b": 2}'), "3"),
        (Call("listed__echo", '{"text": "hear"}'), "hear"),
        (Call("listed__add", '{"a": 1, "b": 2}'), '"missing": ["mcp_tool:listed:add"]'),
    ],
)
async def test_the_tools_of_an_mcp_server_with_costs_are_listed_one_by_one(
    client: Client, upstream: Upstream, call: Call, told: str
) -> None:
    upstream.script(calls(call), says("Done."))
    await client.chat()
    assert told in result(upstream)
