"""Direct commands are found, and nothing else is taken for one."""

import json
from typing import Any

import pytest

from werkzeugkoppler.direct.parse import command_in, latest_command, without_commands
from werkzeugkoppler.wire.chat import ChatRequest, parse_request


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def request(*messages: dict[str, Any]) -> ChatRequest:
    return parse_request(json.dumps({"messages": messages, "x": 1.0}).encode())


@pytest.mark.parametrize(
    "content, code",
    [
        ("@@ ls", "ls"),
        (" \n@@ls -l\n", "ls -l"),
        ("@@\nls\npwd", "ls\npwd"),
        ("@@", ""),
        ([{"type": "text", "text": "@@ a"}, {"type": "image_url"}, {"type": "text", "text": "b"}], "a\nb"),
    ],
)
def test_a_mark_at_the_beginning_makes_a_command(content: Any, code: str) -> None:
    assert command_in(user(content)) == code


@pytest.mark.parametrize("content", ["ls", "a @@ ls", "", None, [], [{"type": "text", "text": "a"}]])
def test_without_a_mark_there_is_none(content: Any) -> None:
    assert command_in(user(content)) is None


@pytest.mark.parametrize(
    "text",
    [
        "@@ -1,3 +1,4 @@",
        "@@ -1 +1,4 @@ def f():\n a\n+b",
        "@@@ -1,2 -1,3 +1,3 @@@\n  a",
        "@@\n-old\n+new",
        "@@\r\n+new",
    ],
)
def test_a_hunk_of_a_diff_is_none(text: str) -> None:
    assert command_in(user(text)) is None


def test_only_a_user_gives_commands() -> None:
    assert command_in(assistant("@@ ls")) is None
    assert command_in({"role": "system", "content": "@@ ls"}) is None


def test_the_latest_user_message_counts() -> None:
    assert latest_command([user("@@ a"), user("@@ b"), assistant("c")]) == "b"
    assert latest_command([user("@@ a"), user("b")]) is None
    assert latest_command([assistant("@@ a")]) is None


def test_a_request_without_commands_stays_the_same() -> None:
    same = request(user("a"), assistant("b"))
    assert without_commands(same) is same


def test_commands_and_their_answers_are_taken_out() -> None:
    tool = {"role": "tool", "tool_call_id": "x", "content": "y"}
    before = request(user("@@ a"), tool, assistant("b"), assistant("c"), user("d"))
    assert without_commands(before).messages == [tool, assistant("c"), user("d")]


def test_what_is_kept_is_kept_as_it_was_written() -> None:
    text = (
        '{ "messages": [ {"role":"user","content":"@@ a"},'
        ' {"content" :"\\u00e9", "role":"user", "n": 1.0} ], "y": 2e1 }'
    )
    kept = without_commands(parse_request(text.encode())).body.text
    assert kept == '{ "messages": [{"content" :"\\u00e9", "role":"user", "n": 1.0}], "y": 2e1 }'


def test_the_answer_to_a_question_in_between_is_kept() -> None:
    before = request(user("@@ a"), user("b"), assistant("c"), user("d"))
    assert without_commands(before).messages == [user("b"), assistant("c"), user("d")]


def test_an_answer_that_calls_tools_is_the_models_and_kept() -> None:
    calling = assistant("", tool_calls=[{"id": "x", "function": {"name": "f", "arguments": ""}}])
    before = request(user("@@ a"), calling, assistant("b"), user("c"))
    assert without_commands(before).messages == [calling, assistant("b"), user("c")]
