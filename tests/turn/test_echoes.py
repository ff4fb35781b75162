"""What was said beside an answer does not come back to the upstream."""

import json

import pytest

from werkzeugkoppler.errors import Cause
from werkzeugkoppler.turn.asides import (
    RetryNotices,
    call_line,
    exhausted,
    interrupted,
    left_out_line,
    news_line,
    result_line,
)
from werkzeugkoppler.turn.echoes import without_echoes
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.chat import parse_request

NEWS = left_out_line("fake__find-it", 3) + news_line("fake__find-it", "1/2 `half`: done")
TRACE = (
    call_line(ToolCall("1", "find", '{"q": "a\\n`b`"}'))
    + NEWS
    + result_line('{"ok": true, "result": "x\\ny"}')
)
NOTICES = RetryNotices()
RETRIES = "".join(
    [*map(NOTICES.retrying, (Cause.CONNECTION, Cause.CONNECTION, Cause.NOT_FOUND)), NOTICES.closing()]
)


def sent(message: str) -> str:
    """The message as the upstream gets it, after another one."""
    body = f'{{"messages": [ {{"role":"user","content":"==> tool call `x`"}}, {message} ], "model": "m"}}'
    request = without_echoes(parse_request(body.encode()))
    return request.body.text.partition("},")[2].rpartition("]")[0].strip()


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize(
    "said", [TRACE, TRACE * 2, RETRIES, RETRIES + TRACE, exhausted(Cause.INCOMPLETE), TRACE.strip()]
)
def test_a_field_that_holds_nothing_else_is_taken_out(field: str, said: str) -> None:
    message = f'{{"role": "assistant",  "content": "Hi", "{field}": {json.dumps(said)}}}'
    assert sent(message) == '{"role": "assistant",  "content": "Hi"}'


def test_the_models_own_reasoning_stays() -> None:
    said = f"Hm.{TRACE}{RETRIES}So.{interrupted(Cause.INCOMPLETE)}"
    message = {"role": "assistant", "content": "Hi", "reasoning_content": said}
    assert json.loads(sent(json.dumps(message)))["reasoning_content"] == "Hm.\n\nSo."


@pytest.mark.parametrize("own", ['" Hm.\\n"', '""', "null", "[1]", '"a ==> tool call `b`"'])
def test_reasoning_without_our_words_stays_as_it_was_written(own: str) -> None:
    message = f'{{"role": "assistant",  "content": "==> tool call `x`", "reasoning": {own}}}'
    assert sent(message) == message
