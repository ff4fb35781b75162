"""Lists of parts are made text, or left as they are."""

from typing import Any

import pytest

from werkzeugkoppler.turn.parts import as_text


@pytest.mark.parametrize(
    "part",
    [
        {"type": "reasoning", "text": "Hm"},
        {"type": "Reasoning.text", "text": "Hm"},
        {"type": "summary", "text": "Hm"},
        {"type": "summary_text", "text": "Hm"},
        {"type": "thinking", "thinking": [{"type": "text", "text": "H"}, "m"]},
        {"reasoning": "Hm"},
        {"reasoning_content": "Hm"},
        {"type": "x", "summary": [{"text": "Hm"}]},
    ],
)
def test_a_part_with_reasoning_is_reasoning(part: dict[str, Any]) -> None:
    assert as_text({"content": [part]}, "reasoning") == {"reasoning": "Hm"}


def test_all_other_parts_are_the_answer() -> None:
    delta = {"role": "assistant", "content": [{"type": "text", "text": "a"}, "b", {"text": "c"}]}
    assert as_text(delta, "reasoning") == {"role": "assistant", "content": "abc"}


def test_reasoning_that_stands_beside_the_parts_is_kept() -> None:
    delta = {"reasoning": "H", "content": [{"type": "thinking", "text": "m"}]}
    assert as_text(delta, "reasoning") == {"reasoning": "Hm"}


@pytest.mark.parametrize(
    "content",
    [
        None,
        "text",
        [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}],
        [{"type": "thinking", "thinking": [{"type": "image_url"}]}],
        [{"text": 1}],
        [1],
    ],
)
def test_what_is_not_all_text_is_left_alone(content: Any) -> None:
    delta = {"content": content}
    assert as_text(delta, "reasoning") is delta


def test_reasoning_beside_an_image_is_told_apart() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    delta = {"content": [{"type": "thinking", "text": "Hm"}, {"type": "text", "text": "a"}, image]}
    rest = [{"type": "text", "text": "a"}, image]
    assert as_text(delta, "reasoning") == {"reasoning": "Hm", "content": rest}


def test_an_empty_list_is_no_content() -> None:
    assert as_text({"role": "assistant", "content": []}, "reasoning") == {"role": "assistant"}
