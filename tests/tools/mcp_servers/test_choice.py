"""Which tools of an MCP server are the model's to use."""

import pytest

from werkzeugkoppler.tools.mcp_servers.choice import is_chosen


@pytest.mark.parametrize(
    "allowed, blocked, chosen",
    [
        (None, [], True),
        ([], [], False),
        (["read_file"], [], True),
        (["read_*"], [], True),
        (["write_*", "read_?ile"], [], True),
        (["[rs]ead_file"], [], True),
        (["read"], [], False),
        (["Read_*"], [], False),
        (None, ["read_*"], False),
        (None, ["write_*"], True),
        (["read_file"], ["*_file"], False),
    ],
)
def test_a_tool_is_chosen_if_it_is_allowed_and_not_blocked(
    allowed: list[str] | None, blocked: list[str], chosen: bool
) -> None:
    assert is_chosen("read_file", allowed=allowed, blocked=blocked) is chosen
