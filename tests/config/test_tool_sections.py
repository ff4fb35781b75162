"""The keys that belong together in an MCP server, and the names that fit."""

from pathlib import Path

import pytest

from tests.config.files import UPSTREAM, problems

ACTION = "actions:\n  - name: one\n    description: d\n    command: run\n"
KEYS = "write keys and values, such as `key: value`"
NOT_EMPTY = "is empty: write something here, or remove the entry"
QUOTES = "is a number, not text: put it in quotes"
WORDS = "is none of the words that can stand here: write one of"


@pytest.mark.parametrize(
    "entry, where, text",
    [
        (
            "- {transport: stdio, command: x}",
            "3:5: mcp_servers[0].server_id",
            "is missing: add `server_id: ...`",
        ),
        ("- {server_id: a}", "3:5: mcp_servers[0].transport", "is missing: add `transport: ...`"),
        (
            "- {server_id: a, transport: stdio}",
            "3:5: mcp_servers[0].command",
            "is missing: transport stdio needs `command: ...`",
        ),
        (
            "- {server_id: a, transport: http}",
            "3:5: mcp_servers[0].url",
            "is missing: transport http needs `url: ...`",
        ),
        ("- {server_id: a, transport: sse}", "3:31: mcp_servers[0].transport", f"{WORDS} stdio, http"),
        (
            "- {server_id: a, transport: stdio, command: c, url: u}",
            "3:55: mcp_servers[0].url",
            "belongs to transport http, and this is stdio: remove it",
        ),
        (
            '- {server_id: a, transport: http, url: "http://u", args: [b]}',
            "3:60: mcp_servers[0].args",
            "belongs to transport stdio, and this is http: remove it",
        ),
        (
            '- {server_id: actions, transport: http, url: "http://u"}',
            "3:17: mcp_servers[0].server_id",
            "is actions, which names the actions: choose another name",
        ),
        (
            "- {server_id: ' ', transport: http, url: \"http://u\"}",
            "3:17: mcp_servers[0].server_id",
            NOT_EMPTY,
        ),
        (
            "- {server_id: a, transport: stdio, command: c, env: [x]}",
            "3:55: mcp_servers[0].env",
            f"is a list, not a mapping: {KEYS}",
        ),
        (
            '- {server_id: a, transport: http, url: "http://u", headers: {X: 5}}',
            "3:67: mcp_servers[0].headers.X",
            QUOTES,
        ),
        (
            "- {server_id: a, transport: stdio, command: !c x}",
            "3:47: mcp_servers[0].command",
            "begins with !, which is a YAML tag: put it in quotes",
        ),
    ],
)
def test_a_server_needs_the_keys_of_its_transport(tmp_path: Path, entry: str, where: str, text: str) -> None:
    assert problems(tmp_path, f"{UPSTREAM}mcp_servers:\n  {entry}") == [f"config.yaml:{where}: {text}"]


@pytest.mark.parametrize("name", ["A=B", '"A\\0"'])
def test_a_parameter_has_a_name_that_an_environment_can_hold(tmp_path: Path, name: str) -> None:
    content = f"{UPSTREAM}{ACTION}    parameters: [{{type: insecure_string, name: {name}}}]"
    text = "cannot name an environment variable: use letters, digits and _"
    assert problems(tmp_path, content) == [f"config.yaml:6:48: actions[0].parameters[0].name: {text}"]


@pytest.mark.parametrize(
    "lines, where, text",
    [
        (
            "    command: say 'x\n",
            "5:14: actions[0].command",
            "cannot be split into words (No closing quotation)",
        ),
        (
            "    command: say\n    parameters: [{name: a b, type: insecure_string}]\n",
            "6:25: actions[0].parameters[0].name",
            "cannot name an environment variable",
        ),
    ],
)
def test_what_would_fail_at_every_call_is_told_at_the_start(
    tmp_path: Path, lines: str, where: str, text: str
) -> None:
    action = f"actions:\n  - name: one\n    description: d\n{lines}"
    (problem,) = problems(tmp_path, f"{UPSTREAM}{action}")
    assert problem.startswith(f"config.yaml:{where}: {text}")


def test_an_mcp_server_needs_a_whole_address(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path, f"{UPSTREAM}mcp_servers:\n  - {{server_id: a, transport: http, url: host/mcp}}"
    )
    assert "mcp_servers[0].url: is no address" in problem
