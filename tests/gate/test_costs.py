"""Which costs the config lets tools have."""

import pytest

from werkzeugkoppler.gate.costs import missing, of_mcp_tool

READ = "mcp_tool:files:read"


@pytest.mark.contract("OW-58")
@pytest.mark.parametrize(
    ("authorized", "cost"),
    [
        ("deploy", "deploy"),
        ("*", "deploy"),
        ("git_*", "git_push"),
        ("mcp_tool:*", READ),
        ("mcp_tool:files", READ),
        ("mcp_tool:files:*", READ),
        ("mcp_tool:files:read", READ),
    ],
)
def test_a_pattern_covers_a_cost(authorized: str, cost: str) -> None:
    assert missing([cost], [authorized]) == ()


@pytest.mark.contract("OW-58")
@pytest.mark.parametrize(
    ("authorized", "cost"),
    [
        ("filesystem_read", "filesystem_write"),
        ("Deploy", "deploy"),
        ("git_*", "deploy"),
        ("mcp_tool:file", READ),
        ("mcp_tool:files:read", "mcp_tool:files:read_all"),
        ("mcp_tool:*", "deploy"),
    ],
)
def test_a_pattern_covers_no_other_cost(authorized: str, cost: str) -> None:
    assert missing([cost], [authorized]) == (cost,)


def test_what_is_missing_is_told_in_order_and_once() -> None:
    assert missing(["deploy", "git_push", "deploy", "http_fetch"], ["http_*"]) == ("deploy", "git_push")
    assert missing(["deploy"], []) == ("deploy",)


@pytest.mark.contract("OW-58")
def test_a_tool_of_a_server_with_costs_has_a_cost_of_its_own_as_well() -> None:
    assert of_mcp_tool("files", "read", ["filesystem_read"]) == ("filesystem_read", READ)
    assert of_mcp_tool("files", "read", []) == (READ,)


def test_a_tool_of_a_server_without_costs_needs_no_authorization() -> None:
    assert of_mcp_tool("files", "read", None) == ()
