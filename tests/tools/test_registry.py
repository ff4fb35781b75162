"""The tools of a stack under their exposed names."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from werkzeugkoppler.tools.registry import SourceStatus, Toolbox, definition, exposed_names
from werkzeugkoppler.tools.tool import Progress, Tool, ToolResult


async def say_nothing(arguments: dict[str, Any], progress: Progress) -> ToolResult:
    return ToolResult(True, None)


def tool(source: str, name: str) -> Tool:
    return Tool(source, name, "Does it.", {"type": "object", "properties": {}}, say_nothing)


@dataclass
class Source:
    """A source that a test changes by hand."""

    tools: tuple[Tool, ...]
    state: SourceStatus
    events: list[str]

    def status(self) -> SourceStatus:
        return self.state

    async def open(self) -> None:
        self.events.append("open")

    async def settled(self) -> None:
        self.events.append("settled")

    async def close(self) -> None:
        self.events.append("close")


def source(server_id: str, *names: str, ok: bool = True, hour: int = 1) -> Source:
    time = datetime(2026, 1, 1, hour, tzinfo=UTC)
    status = SourceStatus(server_id, "stdio", ok, None if ok else "it is gone", time if ok else None)
    return Source(tuple(tool(server_id, name) for name in names), status, [])


@pytest.mark.contract("WK-84")
def test_a_name_is_the_source_and_the_tool_in_safe_characters() -> None:
    assert exposed_names([tool("demo.http", "add.it"), tool("actions", "run-me")]) == [
        "demo_http__add_it",
        "actions__run-me",
    ]


@pytest.mark.contract("WK-85")
def test_any_names_become_ascii_short_and_unique() -> None:
    tools = [tool("a.b", "x"), tool("a_b", "x"), tool("ä", "ö"), tool("s", "n" * 200), tool("s", "n" * 201)]
    names = exposed_names([*tools, tools[0]])
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)


@pytest.mark.contract("WK-85")
def test_tools_that_collide_get_names_that_depend_on_themselves_alone() -> None:
    one, two, three = tool("a.b", "x"), tool("a_b", "x"), tool("a:b", "x")
    first, second = exposed_names([one, two])
    assert exposed_names([three, two, one])[1:] == [second, first]
    assert first.startswith("a_b__x_") and second.startswith("a_b__x_")


@pytest.mark.contract("WK-85")
def test_a_tool_that_is_named_like_a_hashed_one_is_still_told_apart() -> None:
    hashed = exposed_names([tool("a.b", "x"), tool("a_b", "x")])[0]
    tools = [tool("a_b", hashed.removeprefix("a_b__")), tool("a.b", "x"), tool("a_b", "x")]
    names = exposed_names(tools)
    assert names[0] == hashed
    assert len(set(names)) == 3


@pytest.mark.contract("WK-85")
def test_the_right_tool_is_behind_each_name() -> None:
    first, second = source("a.b", "x"), source("a_b", "x")
    offered = Toolbox([first, second]).offered()
    assert [tool.source for tool in offered.values()] == ["a.b", "a_b"]


def test_servers_come_in_their_order_and_actions_last() -> None:
    toolbox = Toolbox([source("b", "2", "1"), source("a", "3")], [tool("actions", "act")])
    assert list(toolbox.offered()) == ["b__2", "b__1", "a__3", "actions__act"]


def test_what_is_offered_stays_the_same_object_until_a_list_changes() -> None:
    server = source("s", "one")
    toolbox = Toolbox([server])
    before = toolbox.offered()
    assert toolbox.offered() is before
    server.tools = (*server.tools, tool("s", "two"))
    assert list(toolbox.offered()) == ["s__one", "s__two"]
    assert list(before) == ["s__one"]


@pytest.mark.contract("WK-86")
def test_a_definition_names_the_server_at_the_end_of_the_description() -> None:
    assert definition("s__one", tool("s", "one")) == {
        "type": "function",
        "function": {
            "name": "s__one",
            "description": "Does it. (server_id=s)",
            "parameters": {"type": "object", "properties": {}},
        },
    }


@pytest.mark.contract("WK-86")
def test_a_tool_without_a_description_is_described_by_its_server() -> None:
    bare = replace(tool("s", "one"), description="")
    assert definition("s__one", bare)["function"]["description"] == "(server_id=s)"


@pytest.mark.contract("WK-06", "WK-07")
def test_health_tells_of_each_server_and_of_the_actions() -> None:
    toolbox = Toolbox([source("up"), source("down", ok=False)], [tool("actions", "act")])
    assert toolbox.health() == [
        {"server_id": "up", "transport": "stdio", "ok": True, "error": None},
        {"server_id": "down", "transport": "stdio", "ok": False, "error": "it is gone"},
        {"server_id": "actions", "transport": "local_actions", "ok": True, "error": None, "count": 1},
    ]


def test_health_is_silent_about_actions_where_there_are_none() -> None:
    assert Toolbox([]).health() == []


def test_the_last_refresh_is_the_latest_of_all_servers() -> None:
    toolbox = Toolbox([source("a", hour=3), source("b", hour=2), source("c", ok=False)])
    assert toolbox.last_refresh == datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert Toolbox([]).last_refresh is None


async def test_a_toolbox_opens_and_closes_all_its_servers() -> None:
    servers = [source("a"), source("b")]
    toolbox = Toolbox(servers)
    await toolbox.open()
    await toolbox.settled()
    await toolbox.close()
    assert [server.events for server in servers] == [["open", "settled", "close"]] * 2
