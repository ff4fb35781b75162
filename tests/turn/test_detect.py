"""Texts are found in answers."""

from typing import Any

import pytest

from werkzeugkoppler.config.detector_section import Detector
from werkzeugkoppler.turn.detect import MAX_CHARS, fired


def is_found(pattern: str, content: Any) -> bool:
    return fired(content, [Detector(name="d", pattern=pattern)]) == ["d"]


@pytest.mark.parametrize(
    "pattern, content",
    [
        ("i cannot", "Well, I cannot."),
        ("as an AI*I cannot", "As an AI,\nsadly I cannot do it"),
        ("caf?", "the CAFÉ"),
        ("after", "```\ncode\n``` after"),
    ],
)
def test_a_glob_is_found_anywhere_and_in_any_case(pattern: str, content: str) -> None:
    assert is_found(pattern, content)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "I can",
        "```\nI cannot\n```",
        "``` I cannot",
        None,
        [{"type": "text"}],
        "x" * MAX_CHARS + "I cannot",
    ],
)
def test_what_is_not_there_or_in_code_is_not_found(content: Any) -> None:
    assert not is_found("I cannot", content)


def test_no_pattern_looks_for_long() -> None:
    assert not is_found("a*" * 30 + "b", "a" * MAX_CHARS)
