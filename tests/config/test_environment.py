"""Environment variables win over the file."""

from pathlib import Path
from typing import Any

import pytest

from tests.config.files import UPSTREAM, loaded, problems
from werkzeugkoppler.config.environment import overrides

DIGITS = "write plain digits, without quotes"
FILE = """
service_base_url: http://127.0.0.1:1
service_api_key: file
allow_unauthenticated: false
upstream_base_url: http://file
upstream_api_key: file
upstream_default_model: file
upstream_connect_timeout_seconds: 1
upstream_read_timeout_seconds: 1
max_tool_concurrency: 2
max_tool_loops: 2
max_concurrent_requests: 2
max_request_bytes: 2
stream_keepalive_seconds: 2
system_messages: separate
mcp_servers_refresh_seconds: 2
"""


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("service_base_url", "http://127.0.0.1:2", "http://127.0.0.1:2"),
        ("service_api_key", " 12345\n", "12345"),
        ("allow_unauthenticated", "YES", True),
        ("upstream_base_url", "demo", "demo"),
        ("upstream_api_key", "true", "true"),
        ("upstream_default_model", "7", "7"),
        ("upstream_connect_timeout_seconds", "2.5", 2.5),
        ("upstream_read_timeout_seconds", "3", 3.0),
        ("max_tool_concurrency", "0", 1),
        ("max_tool_loops", "5", 5),
        ("max_concurrent_requests", "6", 6),
        ("max_request_bytes", "7", 7),
        ("stream_keepalive_seconds", "-1", -1.0),
        ("system_messages", " Merge", "merge"),
        ("mcp_servers_refresh_seconds", "-5", -5),
    ],
)
def test_each_single_value_has_a_variable_that_wins(tmp_path: Path, name: str, text: str, value: Any) -> None:
    assert getattr(loaded(tmp_path, FILE), name) != value
    settings = loaded(tmp_path, FILE, {f"WERKZEUGKOPPLER_{name.upper()}": text})
    assert getattr(settings, name) == value


@pytest.mark.parametrize("content", ["", "logging:\n", "logging: {level: error}\n"])
def test_the_level_of_the_log_has_a_variable_too(tmp_path: Path, content: str) -> None:
    settings = loaded(tmp_path, UPSTREAM + content, {"WERKZEUGKOPPLER_LOG_LEVEL": "warning"})
    assert settings.logging.level == "WARNING"


def test_the_level_does_not_hide_a_section_that_is_none(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, UPSTREAM + "logging: loud", {"WERKZEUGKOPPLER_LOG_LEVEL": "warning"})
    assert line.startswith("config.yaml:2:10: logging: is text, not a mapping")


@pytest.mark.parametrize("content", ["", "logging:\n", "logging: {json: false}\n"])
@pytest.mark.parametrize("word", ["1", "true", "yes", "ON"])
def test_the_form_of_the_log_has_a_variable_too(tmp_path: Path, content: str, word: str) -> None:
    assert loaded(tmp_path, UPSTREAM + content, {"WERKZEUGKOPPLER_LOG_JSON": word}).logging.json is True


@pytest.mark.parametrize("word", ["false", "0", "No", "off"])
def test_no_has_several_words(word: str) -> None:
    (override,) = overrides({"WERKZEUGKOPPLER_ALLOW_UNAUTHENTICATED": word})
    assert override.value is False


@pytest.mark.parametrize(
    "name",
    ["CONFIG", "ELSE", "INIT_MESSAGES", "MCP_SERVERS", "ACTIONS", "TRACES", "LOGGING"],
)
def test_other_variables_are_left_alone(name: str) -> None:
    assert not list(overrides({f"WERKZEUGKOPPLER_{name}": "x", name: "x", "MAX_TOOL_LOOPS": "1"}))


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_does_not_remove_a_key(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, FILE, {"WERKZEUGKOPPLER_SERVICE_API_KEY": text}).service_api_key == "file"


@pytest.mark.parametrize(
    "key, text, problem",
    [
        ("max_tool_loops", "many", f"is text, not a whole number: {DIGITS}"),
        ("max_request_bytes", "1.5", f"is text, not a whole number: {DIGITS}"),
        ("stream_keepalive_seconds", "1s", f"is text, not a number: {DIGITS}"),
        ("stream_keepalive_seconds", "nan", "is no finite number: write plain digits"),
        ("allow_unauthenticated", "maybe", "is text, not yes or no: write true or false, without quotes"),
        ("upstream_base_url", "http://file/v1", "ends with /v1, which is added to it: leave /v1 off"),
        ("service_base_url", "http://a:0", "has port 0: write a port from 1 to 65535"),
    ],
)
def test_a_problem_names_the_variable(tmp_path: Path, key: str, text: str, problem: str) -> None:
    variable = f"WERKZEUGKOPPLER_{key.upper()}"
    assert problems(tmp_path, UPSTREAM, {variable: text}) == [f"{variable}: {key}: {problem}"]
