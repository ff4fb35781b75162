"""Tools as the upstream sees them: what is offered, and what comes back."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

FAKES = Path(__file__).parents[1] / "fakes"
TEXT = {"name": "TEXT", "type": "insecure_string", "description": "What to say"}
LONG = "x" * 70


def action(name: str, command: str, *arguments: str, **more: Any) -> dict[str, Any]:
    given = {"arguments": list(arguments)} if arguments else {}
    return {"name": name, "description": "d", "command": command, **given, **more}


ACTIONS = [
    action("say", "echo", "$TEXT", "$HOW", parameters=[TEXT, {**TEXT, "name": "HOW", "default": "softly"}]),
    action("words", "echo one two"),
    action("home", "echo", "$HOME", parameters=[{"name": "HOME", "type": "required_env_var"}]),
    action("json", "echo", '{"a": [1, null]}'),
    action("lines", "printf", "\\033[1mbold\\033[0m\\n\\nold\\rnew\\n"),
    action("fails", "sh", "-c", "echo out; echo err >&2; exit 3"),
    action("a.b", "echo dot"),
    action("a_b", "echo line"),
    action(LONG, "echo long"),
]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    def server(name: str, file: str) -> dict[str, Any]:
        return {
            "server_id": name,
            "transport": "stdio",
            "command": sys.executable,
            "args": [str(FAKES / file)],
        }

    servers = [server("demo", "mcp_stdio_server.py"), server("sloppy", "mcp_sloppy_server.py")]
    return {"actions": ACTIONS, "mcp_servers": servers, "tool_trace": "off"}


async def offered(client: Client, upstream: Upstream) -> dict[str, dict[str, Any]]:
    """The functions that the upstream is offered, by name."""
    upstream.script(says("Hello."))
    await client.chat()
    return {tool["function"]["name"]: tool["function"] for tool in upstream.chats[-1].json["tools"]}


async def result(client: Client, upstream: Upstream, tool: str, **arguments: Any) -> dict[str, Any]:
    """What the model is told of a call."""
    upstream.script(calls(Call(tool, json.dumps(arguments))), says("Done."))
    assert (await client.chat(stream=True)).status == 200
    told: dict[str, Any] = json.loads(upstream.chats[-1].json["messages"][-1]["content"])
    return told


@pytest.mark.contract("WK-96", "WK-97")
async def test_the_model_sees_the_parameters_that_it_may_set(client: Client, upstream: Upstream) -> None:
    tools = await offered(client, upstream)
    assert tools["actions__say"]["parameters"]["required"] == ["TEXT"]
    assert not tools["actions__home"]["parameters"]["properties"]


@pytest.mark.contract("WK-83", "WK-87")
async def test_every_page_is_offered_and_a_tool_without_a_schema_has_an_empty_one(
    client: Client, upstream: Upstream
) -> None:
    tools = await offered(client, upstream)
    assert sum(name.startswith("demo__") for name in tools) > 3  # the server's pages hold three
    schemas = [tool["parameters"] for name, tool in tools.items() if name.startswith("sloppy__")]
    assert {"type": "object", "properties": {}} in schemas


@pytest.mark.contract("WK-85")
async def test_names_fit_and_never_mean_two_tools(client: Client, upstream: Upstream) -> None:
    names = [name for name in await offered(client, upstream) if name.startswith("actions__")]
    assert len(names) == len(ACTIONS) and all(len(name) <= 64 for name in names)
    alike = [name for name in names if name.startswith("actions__a_b")]
    said = [(await result(client, upstream, name))["result"] for name in alike]
    assert sorted(said) == [["dot"], ["line"]]


@pytest.mark.contract("WK-97", "WK-98", "WK-101", "WK-108", "WK-109")
@pytest.mark.parametrize(
    ("tool", "arguments", "value"),
    [
        ("say", {"TEXT": "a; echo $HOME `id`"}, ["a; echo $HOME `id` softly"]),
        ("words", {}, ["one two"]),
        ("json", {}, {"a": [1, None]}),
        ("lines", {}, ["bold", "new"]),
    ],
)
async def test_what_an_action_prints_is_its_result(
    client: Client, upstream: Upstream, tool: str, arguments: dict[str, str], value: Any
) -> None:
    told = await result(client, upstream, f"actions__{tool}", **arguments)
    assert told == {"ok": True, "result": value}


@pytest.mark.contract("WK-110")
async def test_a_failure_stands_beside_the_result(client: Client, upstream: Upstream) -> None:
    told = await result(client, upstream, "actions__fails")
    assert (told["ok"], told["result"], told["exit_code"]) == (True, ["out"], 3)


@pytest.mark.contract("WK-105")
async def test_a_parameter_that_is_missing_is_named(client: Client, upstream: Upstream) -> None:
    told = await result(client, upstream, "actions__say")
    assert told["is_error"] and "'TEXT'" in told["error"]
