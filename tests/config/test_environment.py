"""Environment variables win over the file."""

from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from tests.config.files import UPSTREAM, loaded, problems
from werkzeugkoppler.config.environment import overrides, unknown
from werkzeugkoppler.config.load import load

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


IN_THE_FILE = """
service_base_url: http://127.0.0.1:1
service_api_key: file
upstream_base_url: http://file
upstream_api_key: file
upstream_default_model: file
mcp_servers_refresh_seconds: 1
upstream_connect_retries: 1
upstream_retry_interval_ms: 1
max_tool_concurrency: 1
max_tool_loops: 1
stream_keepalive_seconds: 1
stream_answer_mode: live
logging: {level: ERROR, json: false}
"""


@pytest.mark.contract("WK-23")
@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("SERVICE_BASE_URL", "http://127.0.0.1:2", "service_base_url", "http://127.0.0.1:2"),
        ("SERVICE_API_KEY", "environ", "service_api_key", "environ"),
        ("UPSTREAM_BASE_URL", "http://environ", "upstream_base_url", "http://environ"),
        ("UPSTREAM_API_KEY", "environ", "upstream_api_key", "environ"),
        ("UPSTREAM_DEFAULT_MODEL", "environ", "upstream_default_model", "environ"),
        ("MCP_SERVERS_REFRESH_SECONDS", "2", "mcp_servers_refresh_seconds", 2),
        ("UPSTREAM_CONNECT_RETRIES", "-1", "upstream_connect_retries", -1),
        ("UPSTREAM_RETRY_INTERVAL_MS", "2", "upstream_retry_interval_ms", 2),
        ("MAX_TOOL_CONCURRENCY", "2", "max_tool_concurrency", 2),
        ("MAX_TOOL_LOOPS", "2", "max_tool_loops", 2),
        ("STREAM_KEEPALIVE_SECONDS", "0.5", "stream_keepalive_seconds", 0.5),
        ("STREAM_ANSWER_MODE", "SAFE_PREVIEW", "stream_answer_mode", "safe_preview"),
        ("LOG_LEVEL", "debug", "logging.level", "DEBUG"),
        ("LOG_JSON", "on", "logging.json", True),
    ],
)
def test_every_variable_of_the_original_beats_the_file(
    tmp_path: Path, variable: str, text: str, key: str, value: object
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(IN_THE_FILE, encoding="utf-8")
    before, after = load(str(file), {}), load(str(file), {f"WERKZEUGKOPPLER_{variable}": text})
    said = before.model_dump(by_alias=True), after.model_dump(by_alias=True)
    was, became = (reduce(lambda values, name: values[name], key.split("."), values) for values in said)
    assert was != became == value


def test_a_variable_that_sets_nothing_is_told_with_the_nearest_that_does() -> None:
    slip, other = "WERKZEUGKOPPLER_MAX_TOOL_LOOP", "WERKZEUGKOPPLER_ZZZ"
    environ = {slip: "1", other: "1", "WERKZEUGKOPPLER_CONFIG": "x", "WERKZEUGKOPPLER_LOG_LEVEL": "INFO"}
    assert unknown(environ) == [
        f"the environment variable {slip} sets nothing, did you mean {slip}S?",
        f"the environment variable {other} sets nothing",
    ]
