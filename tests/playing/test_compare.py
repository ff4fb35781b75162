"""Two answers that are the same for their client, and two that are not."""

import pytest

from tests.fakes.chunks import DONE, chunk, event, text_chunks
from werkzeugkoppler.playing.compare import difference, identity_of
from werkzeugkoppler.playing.words import first_difference
from werkzeugkoppler.wire.sse import KEEPALIVE

SO = b"".join(map(event, text_chunks("So."))) + DONE


def progress(*lines: str) -> bytes:
    return event(chunk({"reasoning_content": "".join(f"==> actions__slow: {line}\n" for line in lines)}))


def found(now: bytes, then: bytes, **how: bool) -> str | None:
    usual = {"is_stream": True, "is_command": False, "is_whole": True}
    return difference(now, then, **usual | how)


def test_keepalives_and_the_grouping_of_progress_are_chance() -> None:
    assert found(progress("one") + progress("two") + SO, progress("one", "two") + KEEPALIVE + SO) is None


@pytest.mark.parametrize(
    "text", ["==> tool call `x`\n", "==> actions__slow: a\nand more", "Hm. ==> a__b: c\n"]
)
def test_other_reasoning_is_not(text: str) -> None:
    assert found(event(chunk({"reasoning_content": text})) + SO, SO) is not None


def test_comments_of_the_upstream_are_not() -> None:
    assert found(b": thinking\n\n" + SO, SO) is not None


def test_the_pieces_of_a_commands_output_are_chance_and_its_text_is_not() -> None:
    parts = b"".join(map(event, text_chunks("S", "o."))) + DONE
    assert found(parts, SO, is_command=True) is None
    assert found(parts, SO) is not None
    assert found(parts.replace(b'"o."', b'"x."'), SO, is_command=True) is not None


def test_of_an_answer_that_broke_off_the_beginning_is_compared() -> None:
    assert found(SO[:50], SO, is_stream=False, is_whole=False) is None
    assert found(b"x" + SO[:50], SO, is_stream=False, is_whole=False) is not None


def test_the_first_difference_is_told_with_both_sides() -> None:
    assert first_difference(b"same", b"same", "a", "b") is None
    assert first_difference(b"abc\x1b", b"abd", "a", "b") == r"first difference at byte 2: a 'c\x1b', b 'd'"
    assert first_difference(b"ab", b"abd", "a", "b") == "first difference at byte 2: a (the end), b 'd'"


@pytest.mark.parametrize(
    ("answer", "identity"),
    [
        (SO, {"created": 1700000000, "model": "fake-model"}),
        (KEEPALIVE + b"data: 1\n\n" + SO, {"created": 1700000000, "model": "fake-model"}),
        (b'{"choices": [], "model": "m"}', {"model": "m"}),
        (b'{"error": {}}', {}),
        (b"", {}),
        (b"{", {}),
    ],
)
def test_the_identity_of_an_answer_is_read(answer: bytes, identity: dict[str, object]) -> None:
    assert identity_of(answer) == identity
