"""What is said beside the answer, word for word."""

import json
from typing import Any

import pytest

from werkzeugkoppler.errors import Cause
from werkzeugkoppler.tools.tool import ToolResult
from werkzeugkoppler.turn.asides import (
    MAX_TRACE_CHARS,
    ReasoningField,
    RetryNotices,
    call_line,
    exhausted,
    interrupted,
    result_line,
)
from werkzeugkoppler.wire.assemble import ToolCall


def field_after(*deltas: dict[str, Any], fixed: str | None = None) -> str:
    field = ReasoningField(fixed)
    for delta in deltas:
        field.see(delta)
    return field.name


def test_the_field_is_the_first_that_the_upstream_uses() -> None:
    assert field_after() == "reasoning_content"
    assert field_after({"content": "x", "reasoning": None}) == "reasoning_content"
    assert field_after({"reasoning": "x"}, {"reasoning_content": "y"}) == "reasoning"
    assert field_after({"reasoning": "x", "reasoning_content": "x"}) == "reasoning_content"


def test_a_field_that_is_set_stays() -> None:
    assert field_after({"reasoning_content": "x"}, fixed="reasoning") == "reasoning"


def test_notices_are_dots_while_the_cause_is_the_same() -> None:
    notices = RetryNotices()
    told = [notices.retrying(cause) for cause in (Cause.CONNECTION, Cause.CONNECTION, Cause.NOT_FOUND)]
    assert told == [
        "Connection to upstream LLM failed. Retrying ",
        ".",
        "\nUpstream LLM model not found. Retrying ",
    ]


def test_notices_are_closed_once_and_begin_anew() -> None:
    notices = RetryNotices()
    assert notices.closing() == ""
    first = notices.retrying(Cause.INCOMPLETE)
    assert (notices.closing(), notices.closing()) == ("\n", "")
    assert notices.retrying(Cause.INCOMPLETE) == first


def test_the_last_words_name_the_cause() -> None:
    assert exhausted(Cause.CONNECTION) == "Connection to upstream LLM failed. Retries exhausted."
    assert interrupted(Cause.INCOMPLETE) == (
        "\n==> Upstream LLM response payload is not completed. Upstream stream interrupted.\n"
    )


@pytest.mark.parametrize(("arguments", "shown"), [('{"a": "ö"}', '{"a":"ö"}'), ("{half", '"{half"')])
def test_a_call_is_shown_with_its_arguments(arguments: str, shown: str) -> None:
    line = call_line(ToolCall("call_1", "server__add", arguments))
    assert line == f'\n\n==> tool call `{{"name":"server__add","arguments":{shown}}}`\n'


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (ToolResult(True, ["a", 1]).text(), '["a",1]'),
        (ToolResult(False, "no").text(), '{"error":"no","is_error":true}'),
        (ToolResult(False, "no", {"exit_code": 3}).text(), '{"error":"no","is_error":true,"exit_code":3}'),
        (
            ToolResult(True, ["out"], {"exit_code": 3, "stderr": "why"}).text(),
            '{"exit_code":3,"stderr":"why","result":["out"]}',
        ),
        (ToolResult(True, [], {"exit_code": 1}).text(), '{"exit_code":1,"result":[]}'),
        (ToolResult(True, ["much"], {"output": "cut at 9 bytes"}).text(), '["much"]'),
        ("edited by hand", '"edited by hand"'),
        ('{"other": 1}', '{"other":1}'),
    ],
)
def test_a_result_is_shown_as_it_is_and_a_failure_as_one(content: str, shown: str) -> None:
    assert result_line(content) == f"\n==> tool result `{shown}`\n\n"


def test_what_is_as_long_as_allowed_is_shown_whole() -> None:
    text = "x" * (MAX_TRACE_CHARS - 2)
    assert result_line(json.dumps({"ok": True, "result": text})) == f'\n==> tool result `"{text}"`\n\n'
    assert result_line(json.dumps({"ok": True, "result": f"{text}y"})) == (
        f'\n==> tool result `"{text}y...<truncated>`\n\n'
    )
