"""Each key: what it takes, what it becomes, and what is said of anything else."""

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.config.files import UPSTREAM, loaded
from werkzeugkoppler.config.schema import LEVELS, McpServer, Settings, Traces

STDIO = "mcp_servers:\n  - server_id: one\n    transport: stdio\n    command: run\n"
HTTP = "mcp_servers:\n  - server_id: one\n    transport: http\n    url: http://127.0.0.1:1\n"


def test_one_key_is_enough(tmp_path: Path) -> None:
    settings = loaded(tmp_path, UPSTREAM)
    assert settings == Settings(upstream_base_url="http://127.0.0.1:11434")
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)


def test_every_key_is_taken(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
service_base_url: http://[::1]:9000/
service_api_key: " service "
allow_unauthenticated: yes
upstream_base_url: https://example.org/
upstream_api_key: upstream
upstream_default_model: m
upstream_model: n
upstream_connect_timeout_seconds: 1
upstream_read_timeout_seconds: 2.5
upstream_connect_retries: -1
upstream_retry_interval_ms: 0
upstream_failure_reply: text
fallback_fake_model_name: away
max_tool_concurrency: 3
max_tool_loops: 4
max_concurrent_requests: 5
max_request_bytes: 6
stream_keepalive_seconds: -1
stream_answer_mode: Safe_Preview
tool_trace: off
system_messages: merge
mcp_servers_refresh_seconds: 60
init_messages: [{role: system, content: [{type: text, text: x}], name: null}]
mcp_servers:
  - {server_id: a, transport: stdio, command: c, args: [-n, 5], env: {A: on}, cwd: /tmp}
  - {server_id: b, transport: http, url: "http://h/mcp", headers: {X: y}, read_timeout_seconds: 3}
  - {server_id: c, transport: stdio, command: c, allowed_tools: ["r*"], blocked_tools: [rm], costs: [],
     approval: ask}
actions:
  - name: act
    description: ""
    command: c
    arguments: [-n, 5, $P]
    parameters: [{name: P, type: insecure_string, description: d, default: 0755}]
    run_path: sub
    timeout: 7
    costs: [deploy]
    approval: ask
    max_output_bytes: 8
last_user_message_readers:
  - {name: my notes, command: c, arguments: [-n, 5], run_path: sub, timeout: 9, max_output_bytes: 10}
timezone: Europe/Berlin
workdir: /
allowed_direct_commands: [ls, "git-*", yes]
allowed_direct_commands_max_output_lines: 9
allowed_direct_commands_max_output_bytes: 0
direct_command_policy: every_command
direct_command_timeout_seconds: 0.5
detectors:
  - {name: d, pattern: p}
authorized_costs: ["git_*"]
permission_tool: no
denied_call_reply: refusal
approval_timeout_seconds: 14
tool_memory: {enabled: off, entries: 11, bytes: 12, seconds: 13}
keep_flows: 14
traces: {enabled: off, content: on, dir: /t, keep_days: 0.5, keep_bytes: 0, keep_files: 14}
logging: {level: debug, json: yes}
""",
    )
    assert settings.model_dump() == {
        "service_base_url": "http://[::1]:9000",
        "service_api_key": "service",
        "allow_unauthenticated": True,
        "upstream_base_url": "https://example.org",
        "upstream_api_key": "upstream",
        "upstream_default_model": "m",
        "upstream_model": "n",
        "upstream_connect_timeout_seconds": 1,
        "upstream_read_timeout_seconds": 2.5,
        "upstream_connect_retries": -1,
        "upstream_retry_interval_ms": 0,
        "upstream_failure_reply": "text",
        "fallback_fake_model_name": "away",
        "max_tool_concurrency": 3,
        "max_tool_loops": 4,
        "max_concurrent_requests": 5,
        "max_request_bytes": 6,
        "stream_keepalive_seconds": -1,
        "stream_answer_mode": "safe_preview",
        "tool_trace": "off",
        "system_messages": "merge",
        "mcp_servers_refresh_seconds": 60,
        "init_messages": ({"role": "system", "content": [{"type": "text", "text": "x"}], "name": None},),
        "mcp_servers": (
            server(
                server_id="a", transport="stdio", command="c", args=("-n", "5"), env={"A": "on"}, cwd="/tmp"
            ),
            server(
                server_id="b",
                transport="http",
                url="http://h/mcp",
                headers={"X": "y"},
                read_timeout_seconds=3,
            ),
            server(
                server_id="c",
                transport="stdio",
                command="c",
                allowed_tools=("r*",),
                blocked_tools=("rm",),
                costs=(),
                approval="ask",
            ),
        ),
        "actions": (
            {
                "name": "act",
                "description": "",
                "command": "c",
                "arguments": ("-n", "5", "$P"),
                "parameters": (
                    {"name": "P", "type": "insecure_string", "description": "d", "default": "0755"},
                ),
                "run_path": "sub",
                "timeout": 7,
                "costs": ("deploy",),
                "approval": "ask",
                "max_output_bytes": 8,
            },
        ),
        "last_user_message_readers": (
            {
                "name": "my notes",
                "command": "c",
                "arguments": ("-n", "5"),
                "run_path": "sub",
                "timeout": 9,
                "max_output_bytes": 10,
            },
        ),
        "timezone": "Europe/Berlin",
        "workdir": "/",
        "allowed_direct_commands": ("ls", "git-*", "yes"),
        "allowed_direct_commands_max_output_lines": 9,
        "allowed_direct_commands_max_output_bytes": 0,
        "direct_command_policy": "every_command",
        "direct_command_timeout_seconds": 0.5,
        "detectors": ({"name": "d", "pattern": "p"},),
        "authorized_costs": ("git_*",),
        "permission_tool": False,
        "denied_call_reply": "refusal",
        "approval_timeout_seconds": 14,
        "tool_memory": {"enabled": False, "entries": 11, "bytes": 12, "seconds": 13},
        "keep_flows": 14,
        "traces": {
            "enabled": False,
            "content": True,
            "dir": "/t",
            "keep_days": 0.5,
            "keep_bytes": 0,
            "keep_files": 14,
        },
        "logging": {"level": "DEBUG", "json": True},
    }


def server(**values: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "command": None,
        "args": (),
        "env": {},
        "cwd": None,
        "url": None,
        "headers": {},
        "connect_timeout_seconds": 10,
        "read_timeout_seconds": 60,
        "allowed_tools": None,
        "blocked_tools": (),
        "costs": None,
        "approval": "never",
        "tool_call_timeout_seconds": 60,
    }
    return defaults | values


@pytest.mark.contract("WK-22")
@pytest.mark.parametrize("key", [name for name in Settings.model_fields if name != "upstream_base_url"])
def test_a_key_with_nothing_after_it_keeps_its_default(tmp_path: Path, key: str) -> None:
    assert loaded(tmp_path, f"{UPSTREAM}{key}:\n") == loaded(tmp_path, UPSTREAM)


@pytest.mark.parametrize("key", ["args", "env", "cwd", "headers", "connect_timeout_seconds"])
def test_a_key_of_an_entry_with_nothing_after_it_keeps_its_default(tmp_path: Path, key: str) -> None:
    assert loaded(tmp_path, f"{UPSTREAM}{STDIO}    {key}:\n") == loaded(tmp_path, UPSTREAM + STDIO)


@pytest.mark.parametrize("key", ["max_tool_concurrency", "max_tool_loops"])
@pytest.mark.parametrize("number", [0, -3])
def test_a_limit_of_tools_below_one_means_one(tmp_path: Path, key: str, number: int) -> None:
    assert getattr(loaded(tmp_path, f"{UPSTREAM}{key}: {number}\n"), key) == 1


@pytest.mark.parametrize("key", ["service_api_key", "upstream_api_key"])
@pytest.mark.parametrize("value", ["''", '"  "', '"\\n"'])
def test_an_empty_key_is_none(tmp_path: Path, key: str, value: str) -> None:
    assert getattr(loaded(tmp_path, f"{UPSTREAM}{key}: {value}\n"), key) is None


@pytest.mark.parametrize(
    "level, meant",
    [("warning", "WARNING"), ("Warn", "WARNING"), ("error", "ERROR"), ("loud", "INFO"), ("''", "INFO")],
)
def test_a_level_may_be_written_in_any_case_and_an_unknown_one_is_info(
    tmp_path: Path, level: str, meant: str
) -> None:
    assert loaded(tmp_path, f"{UPSTREAM}logging: {{level: {level}}}\n").logging.level == meant


def test_the_levels_are_those_of_the_log() -> None:
    assert set(LEVELS.values()) <= set(logging.getLevelNamesMapping())


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        loaded(tmp_path, UPSTREAM).upstream_base_url = "http://other"


def test_a_printed_configuration_shows_no_secret(tmp_path: Path) -> None:
    content = UPSTREAM + "service_api_key: sesame\nupstream_api_key: sesame\n" + HTTP
    assert "sesame" not in repr(loaded(tmp_path, content + "    headers: {Authorization: sesame}\n"))
    assert "sesame" not in repr(McpServer(server_id="a", transport="stdio", command="c", env={"A": "sesame"}))


@pytest.mark.parametrize(
    "folder, environ, expected",
    [
        (None, {"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/werkzeugkoppler/traces"),
        (None, {"HOME": "/h"}, "/h/.local/state/werkzeugkoppler/traces"),
        (None, {"HOME": "/h", "XDG_STATE_HOME": "s"}, "/h/.local/state/werkzeugkoppler/traces"),
        (None, {}, f"{Path.home()}/.local/state/werkzeugkoppler/traces"),
        ("~/t", {"HOME": "/h"}, "/h/t"),
        ("t", {"HOME": "/h"}, "t"),
    ],
)
def test_the_folder_of_traces_is_the_users(
    folder: str | None, environ: dict[str, str], expected: str
) -> None:
    assert Traces(dir=folder).folder(environ) == Path(expected)
