"""What an answer came to is found at a glance, wherever a server wrote it."""

import json

import pytest

from tests.fakes.chunks import USAGE, Call, calls_chunks, calls_completion, completion, event, text_chunks
from werkzeugkoppler.tools.tool import ToolResult
from werkzeugkoppler.wire.glance import (
    MAX_BYTES,
    MAX_FINISH_CHARS,
    Glance,
    Tally,
    count,
    duration,
    exit_code,
    glance,
    size,
)


def streamed(chunks: list[object]) -> bytes:
    return b"".join(map(event, chunks)) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (streamed(text_chunks("Hi")), Glance("stop", 9)),
        (streamed(calls_chunks(Call("x"), usage=None)), Glance("tool_calls", None)),
        (json.dumps(completion("Hi")).encode(), Glance("stop", 9)),
        (json.dumps(calls_completion(Call("x")), indent=2).encode(), Glance("tool_calls", 9)),
        (b'{"usage":{"prompt_tokens":4,"completion_tokens":3}}', Glance(None, 7)),
        (streamed(text_chunks("Hi", finish="length", usage=None))[:-100], Glance(None, None)),
        (b"", Glance(None, None)),
        (b"\xff\x00" * 50 + b'"finish_reason"', Glance(None, None)),
    ],
)
def test_the_finish_and_the_tokens_are_found(body: bytes, found: Glance) -> None:
    assert glance(body) == found


def test_a_text_that_speaks_of_them_is_no_matter() -> None:
    text = '"finish_reason": "length", "total_tokens": 5000'
    assert glance(json.dumps(completion(text)).encode()) == Glance("stop", 9)
    assert glance(streamed(text_chunks(text, usage=None))) == Glance("stop", None)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (ToolResult(True, [], {"exit_code": 3, "stderr": 'no "such" file\\'}), 3),
        (ToolResult(True, ["x" * 100_000], {"exit_code": -9, "output": "cut at 9 bytes"}), -9),
        (ToolResult(True, [], {"exit_code": 1, "stderr": "\x00" * 4096, "output": "cut"}), 1),
        (ToolResult(True, ["fine"]), None),
        (ToolResult(True, {"exit_code": 3}), None),
        (ToolResult(True, '"exit_code": 3}'), None),
        (ToolResult(True, [{"exit_code": 3, "stderr": "of another"}], {"exit_code": 4}), 4),
        (ToolResult(True, [], {"exit_code": "3"}), None),
    ],
)
def test_the_exit_code_of_a_command_is_found(result: ToolResult, code: int | None) -> None:
    assert exit_code(result.text()) == code


def test_usage_before_the_last_chunk_is_found() -> None:
    """Some servers tell the usage with the finish, and more chunks may follow."""
    chunks = [*text_chunks("Hi", usage=None), {"choices": [], "usage": USAGE}, {"choices": []}]
    assert glance(streamed(chunks)) == Glance("stop", 9)


def test_only_the_end_of_a_long_answer_is_looked_at() -> None:
    begin = b'{"finish_reason":"stop","total_tokens":9,"message":"'
    assert glance(begin + b"x" * (MAX_BYTES // 2)) == Glance("stop", 9)
    assert glance(begin + b"x" * MAX_BYTES) == Glance(None, None)


def test_amounts_are_told_in_words() -> None:
    assert [size(n) for n in (0, 999, 1000, 12_345, 3_400_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "12.3 kB",
        "3.4 MB",
    ]
    assert [duration(s) for s in (-1, 0.0354, 1.94, 75)] == ["0 ms", "35 ms", "1.9 s", "75 s"]
    assert [count(n, "leg") for n in (0, 1, 2)] == ["0 legs", "1 leg", "2 legs"]


def test_a_turn_is_counted_from_its_events() -> None:
    tally = Tally()
    assert tally.news() == []
    tally.note("leg", {"finish_reason": "tool_calls", "usage": USAGE})
    tally.note("tool_call", {})
    tally.note("leg", {"finish_reason": "stop", "usage": {"prompt_tokens": 4, "completion_tokens": 3}})
    assert tally.news() == ["2 legs", "1 tool", "stop", "16 tokens"]
    tally.note("leg", {"usage": "odd"})
    assert tally.news() == ["3 legs", "1 tool", "16 tokens"]


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("odd", ["\x1b[2J" + "x" * 3000, "stop\u202e\nleg 9 · ok" + "x" * 3000])
def test_a_finish_is_told_as_a_short_word(odd: str) -> None:
    tally = Tally()
    tally.note("leg", {"finish_reason": odd})
    _, finish = tally.news()
    assert finish.isprintable() and len(finish) <= MAX_FINISH_CHARS
