"""Text of others is made harmless."""

import pytest

from werkzeugkoppler.wire.printable import cut, printable


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("größer 日本 😀", "größer 日本 😀"),
        ("a\x1b[31mb\x07", "a·[31mb·"),
        ("a\x9b31mb\x80\x85c", "a·31mb· c"),
        ("a\u202eb\u2066c\u200fd", "a·b·c·d"),
        ("a\nb\tc\u2028d", "a b c d"),
        ("\ud800", "·"),
    ],
)
def test_what_is_not_printable_is_a_dot_or_a_space(text: str, clean: str) -> None:
    assert printable(text) == clean and clean.isprintable()


def test_some_characters_may_stay() -> None:
    assert printable("a\tb\x1b", kept="\t") == "a\tb·"


@pytest.mark.parametrize(
    ("value", "said"), [("stop", "stop"), ("a\nb\x1b", "a b·"), ("x" * 3000, "x" * 4 + "…"), (17, "17")]
)
def test_a_word_is_short(value: object, said: str) -> None:
    assert cut(value, 5) == said
