"""An explanation as people read it."""

from typing import Any

from werkzeugkoppler.explain.shown import shown

EXPLANATION: dict[str, Any] = {
    "request": {"bytes": 100, "tokens": 25},
    "upstream": {"url": "http://127.0.0.1:1/v1/chat/completions", "body": "{}"},
    "diff": "--- client\n+++ upstream\n@@ -1 +1 @@\n+ours\n theirs",
    "tokens_are": "estimated",
    "rows": [{"source": "reader \x1b[31mred", "bytes": 7, "tokens": 2, "ms": 12.34}],
    "total": {"bytes": 107, "tokens": 27, "ms": 13.0},
}


def test_a_row_has_bytes_tokens_and_milliseconds() -> None:
    lines = shown(EXPLANATION, is_coloured=False).split("\n")
    (row,) = (line for line in lines if line.startswith("+ reader"))
    assert row.split()[-3:] == ["7", "2", "12.3"]
    assert "Tokens are estimated, of the JSON text." in lines


def test_colours_are_for_terminals_and_nothing_else_moves_the_cursor() -> None:
    assert "\x1b[32m+ours\x1b[0m" in shown(EXPLANATION, is_coloured=True)
    assert "\x1b" not in shown(EXPLANATION, is_coloured=False)


def test_where_there_is_no_diff_it_says_so() -> None:
    assert "too long for a diff" in shown(EXPLANATION | {"diff": None}, is_coloured=False)
