"""Finding the file, and saying all that is wrong at once."""

from pathlib import Path

import pytest

from tests.config.files import UPSTREAM, loaded, problems
from werkzeugkoppler.config.load import MAX_FILE_BYTES, ConfigSource, find, load
from werkzeugkoppler.errors import ConfigError

MISSING = (
    "upstream_base_url: is missing: write `upstream_base_url: http://127.0.0.1:11434` with your model"
    " server's address (or `upstream_base_url: demo` to try it without one), or set"
    " WERKZEUGKOPPLER_UPSTREAM_BASE_URL"
)


@pytest.mark.parametrize(
    "flag, environ, source",
    [
        ("f.yaml", {"WERKZEUGKOPPLER_CONFIG": "e.yaml"}, ConfigSource("f.yaml", optional=False)),
        (None, {"WERKZEUGKOPPLER_CONFIG": "e.yaml"}, ConfigSource("e.yaml", optional=False)),
        (None, {"WERKZEUGKOPPLER_CONFIG": ""}, ConfigSource("config.yaml", optional=True)),
        ("", {}, ConfigSource("config.yaml", optional=True)),
    ],
)
def test_the_flag_comes_before_the_environment_before_the_default(
    flag: str | None, environ: dict[str, str], source: ConfigSource
) -> None:
    assert find(flag, environ) == source


def refusal(path: str | None, *, optional: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(path, {}, optional=optional)
    return refused.value.problems


@pytest.mark.parametrize("path", [None, "missing.yaml"])
def test_the_environment_is_enough(tmp_path: Path, path: str | None) -> None:
    environ = {"WERKZEUGKOPPLER_UPSTREAM_BASE_URL": "http://upstream"}
    settings = load(path and str(tmp_path / path), environ, optional=True)
    assert settings.upstream_base_url == "http://upstream"


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    path = str(tmp_path / "missing.yaml")
    text = "cannot be read (No such file or directory): check its name and permissions"
    assert refusal(path) == [f"{path}: {text}"]


@pytest.mark.parametrize("optional", [True, False])
def test_what_is_no_file_cannot_be_read(tmp_path: Path, optional: bool) -> None:
    text = "cannot be read (Is a directory): check its name and permissions"
    assert refusal(str(tmp_path), optional=optional) == [f"{tmp_path}: {text}"]


def test_a_huge_file_is_no_configuration(tmp_path: Path) -> None:
    line = f"config.yaml: is larger than {MAX_FILE_BYTES} bytes: name a configuration file"
    assert problems(tmp_path, b"#" * (MAX_FILE_BYTES + 1)) == [line]


@pytest.mark.parametrize("content", ["max_tool_loops: 3\n", "upstream_base_url:\n"])
def test_a_missing_upstream_says_what_to_write(tmp_path: Path, content: str) -> None:
    (line,) = problems(tmp_path, content)
    assert line.startswith("config.yaml:1:") and line.endswith(f": {MISSING}")


def test_without_a_file_a_problem_has_no_place() -> None:
    assert refusal(None) == [MISSING]


def test_the_fallback_upstream_is_for_when_nobody_names_one(tmp_path: Path) -> None:
    assert load(None, {}, fallback_upstream="http://fallback").upstream_base_url == "http://fallback"
    path = tmp_path / "config.yaml"
    path.write_text(UPSTREAM)
    assert load(str(path), {}, fallback_upstream="http://fallback").upstream_base_url.endswith(":11434")
    environ = {"WERKZEUGKOPPLER_UPSTREAM_BASE_URL": "demo"}
    assert load(None, environ, fallback_upstream="http://fallback").upstream_base_url == "demo"


def test_every_problem_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    content = """service_api_key: 5
service_base_url: http://127.0.0.1:0
max_tool_loops: x
actions:
  - {name: a, timeout: 0}
  - {name: a, description: d, command: !x c}
max_tool_loops: 3
max_request_bite: 1
"""
    assert problems(tmp_path, content, {"WERKZEUGKOPPLER_MAX_CONCURRENT_REQUESTS": "0"}) == [
        "config.yaml:1:1: " + MISSING,
        "config.yaml:1:18: service_api_key: is a number, not text: put it in quotes",
        "config.yaml:2:19: service_base_url: has port 0: write a port from 1 to 65535",
        "config.yaml:3:17: max_tool_loops: is text, not a whole number: write plain digits, without quotes",
        "config.yaml:5:5: actions[0].command: is missing: add `command: ...`",
        "config.yaml:5:5: actions[0].description: is missing: add `description: ...`",
        "config.yaml:5:24: actions[0].timeout: is too small: write a number above 0",
        "config.yaml:6:12: actions[1].name: is the same as in entry [0]: choose another name",
        "config.yaml:6:40: actions[1].command: begins with !, which is a YAML tag: put it in quotes",
        "config.yaml:7:1: max_tool_loops: is written twice, first in line 3: keep one",
        "config.yaml:8:1: max_request_bite: is no known key: did you mean max_request_bytes?",
        "WERKZEUGKOPPLER_MAX_CONCURRENT_REQUESTS: max_concurrent_requests: is too small: write 1 or more",
    ]


def test_a_problem_never_repeats_a_secret(tmp_path: Path) -> None:
    content = """upstream_base_url: https://me:sesame@example.org
service_api_key: "ses\\name sesame"
upstream_api_key: [sesame]
mcp_servers:
  - {server_id: a, transport: sesame, headers: sesame, env: {A: [sesame]}}
"""
    lines = problems(tmp_path, content, {"WERKZEUGKOPPLER_SERVICE_BASE_URL": "sesame"})
    assert len(lines) == 7
    assert "sesame" not in "".join(lines)


@pytest.mark.parametrize("url", ["http://0.0.0.0:8080", "http://[::]:8080", "http://example.org:8080"])
@pytest.mark.parametrize("rest", ["", "service_api_key: ''\n", "allow_unauthenticated: false\n"])
def test_a_public_address_without_a_key_is_refused(tmp_path: Path, url: str, rest: str) -> None:
    assert problems(tmp_path, f"service_base_url: {url}\n{UPSTREAM}{rest}") == [
        "config.yaml:1:19: service_base_url: is not a loopback address and there is no key:"
        " set service_api_key, or allow_unauthenticated: true to let everyone in"
    ]


@pytest.mark.parametrize("rest", ["service_api_key: x\n", "allow_unauthenticated: true\n"])
def test_a_public_address_with_a_key_or_the_users_word_is_fine(tmp_path: Path, rest: str) -> None:
    assert loaded(tmp_path, f"service_base_url: http://0.0.0.0:8080\n{UPSTREAM}{rest}").host == "0.0.0.0"


@pytest.mark.parametrize("rest", ["service_api_key: 5\n", "allow_unauthenticated: 5\n"])
def test_a_wrong_key_is_not_taken_for_a_missing_one(tmp_path: Path, rest: str) -> None:
    (line,) = problems(tmp_path, f"service_base_url: http://0.0.0.0:8080\n{UPSTREAM}{rest}")
    assert "service_base_url" not in line
