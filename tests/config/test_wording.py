"""What is said of a value that does not fit, and of a key that does not exist."""

from pathlib import Path

import pytest

from tests.config.files import UPSTREAM, problems
from werkzeugkoppler.config.problem import Problem
from werkzeugkoppler.config.wording import problem_of

STDIO = "mcp_servers:\n  - server_id: one\n    transport: stdio\n    command: run\n"
ACTION = "actions:\n  - name: one\n    description: d\n    command: run\n"

DIGITS = "write plain digits, without quotes"
KEYS = "write keys and values, such as `key: value`"
NOT_EMPTY = "is empty: write something here, or remove the entry"
ROLE = "is missing or unknown: write one of system, developer, user, assistant, tool"
QUOTES = "is a number, not text: put it in quotes"
WORDS = "is none of the words that can stand here: write one of"
ONE_LINE = "has a line break or another control character inside: write it as one line"
ENTRIES = "write each entry on a line of its own, after a dash"


@pytest.mark.parametrize(
    "line, where, text",
    [
        ("max_tool_loops: '8'", "2:17: max_tool_loops", f"is text, not a whole number: {DIGITS}"),
        ("max_tool_loops: true", "2:17: max_tool_loops", f"is yes or no, not a whole number: {DIGITS}"),
        ("max_tool_loops: 1.5", "2:17: max_tool_loops", f"is a number, not a whole number: {DIGITS}"),
        (
            "stream_keepalive_seconds: no",
            "2:27: stream_keepalive_seconds",
            f"is yes or no, not a number: {DIGITS}",
        ),
        (
            "allow_unauthenticated: 1",
            "2:24: allow_unauthenticated",
            "is a number, not yes or no: write true or false, without quotes",
        ),
        ("service_api_key: 12345", "2:18: service_api_key", QUOTES),
        ("service_api_key: [a]", "2:18: service_api_key", "is a list, not text: write a single text"),
        ('service_api_key: "a\\nb"', "2:18: service_api_key", ONE_LINE),
        ("upstream_default_model: ''", "2:25: upstream_default_model", NOT_EMPTY),
        (
            "upstream_read_timeout_seconds: 0",
            "2:32: upstream_read_timeout_seconds",
            "is too small: write a number above 0",
        ),
        ("max_request_bytes: 0", "2:20: max_request_bytes", "is too small: write 1 or more"),
        ("max_concurrent_requests: 0", "2:26: max_concurrent_requests", "is too small: write 1 or more"),
        (
            "max_concurrent_requests: many",
            "2:26: max_concurrent_requests",
            f"is text, not a whole number: {DIGITS}",
        ),
        ("system_messages: merged", "2:18: system_messages", f"{WORDS} separate, merge"),
        ("actions: run", "2:10: actions", f"is text, not a list: {ENTRIES}"),
        ("actions: [null]", "2:11: actions[0]", f"is empty, not a mapping: {KEYS}"),
        ("traces: off", "2:9: traces", f"is yes or no, not a mapping: {KEYS}"),
        ("traces: {keep_days: -1}", "2:21: traces.keep_days", "is too small: write 0 or more"),
        ("init_messages: [text]", "2:17: init_messages[0]", f"is text, not a mapping: {KEYS}"),
        ("init_messages: [{content: x}]", "2:17: init_messages[0].role", ROLE),
        ("init_messages: [{role: [x]}]", "2:24: init_messages[0].role", ROLE),
    ],
)
def test_a_value_that_does_not_fit_is_a_problem(tmp_path: Path, line: str, where: str, text: str) -> None:
    assert problems(tmp_path, UPSTREAM + line) == [f"config.yaml:{where}: {text}"]


@pytest.mark.parametrize(
    "content, problem",
    [
        ("max_tool_lops: 1", "2:1: max_tool_lops: is no known key: did you mean max_tool_loops?"),
        ("zebra:", "2:1: zebra: is no known key: remove it, or look it up in docs/configuration.md"),
        ("traces: {keep_dais: 1}", "2:10: traces.keep_dais: is no known key: did you mean keep_days?"),
        (f"{STDIO}    commands: x", "6:5: mcp_servers[0].commands: is no known key: did you mean command?"),
        (f"{ACTION}    time_out: 1", "6:5: actions[0].time_out: is no known key: did you mean timeout?"),
        (
            f"{ACTION}    parameters:\n      - {{name: a, type: insecure_string, defult: x}}",
            "7:42: actions[0].parameters[0].defult: is no known key: did you mean default?",
        ),
    ],
)
def test_an_unknown_key_is_a_problem_at_any_depth(tmp_path: Path, content: str, problem: str) -> None:
    assert problems(tmp_path, UPSTREAM + content) == [f"config.yaml:{problem}"]


def test_an_error_that_nobody_foresaw_is_said_in_the_words_of_the_schema() -> None:
    problem = problem_of({"type": "new", "loc": ("a", 0), "msg": "Input is odd", "input": "secret"})
    assert problem == Problem(("a", 0), "cannot be used (Input is odd): look it up in docs/configuration.md")
