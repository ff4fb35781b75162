"""An output that comes in pieces is told line by line, as a person would see it."""

import pytest

from werkzeugkoppler.tools.terminal import MAX_LINE_BYTES, MAX_LINE_CHARS, LiveLines, shown_line


def told(*pieces: bytes) -> list[str]:
    lines: list[str] = []
    live = LiveLines(lines.append)
    for piece in pieces:
        live.feed(piece)
    return lines


@pytest.mark.contract("BX-08")
@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ((b"one\ntwo\nthr", b"ee\n"), ["one", "two", "three"]),
        ((b"not ended",), []),
        ((b"\n  \n\r\n\x1b[0m\n",), []),
        ((b"gr\xc3", b"\xbcn\n"), ["grün"]),
        ((b"\x1b[1;32mok\x1b", b"[0m\x1b]0;title\x07 \x07bell\n"), ["ok  bell"]),
        ((b"dos\r\n", b"and\r", b"\ndos\r\n"), ["dos", "and", "dos"]),
        ((b"10%\r20%\r", b"30%", b"\r40%\r\n"), ["20%", "40%"]),
        ((b"10%\r100%\ndone\n",), ["100%", "done"]),
        ((b"a\tb\n",), ["a\tb"]),
    ],
)
def test_lines_are_told_as_they_end(pieces: tuple[bytes, ...], lines: list[str]) -> None:
    assert told(*pieces) == lines


def test_a_long_line_is_cut_and_one_without_end_fills_no_memory() -> None:
    assert told(b"x" * 300 + b"\n") == ["x" * MAX_LINE_CHARS + "..."]
    live = LiveLines(lambda line: None)
    for _ in range(10):
        live.feed(b"x" * MAX_LINE_BYTES)
    assert len(live._begun) == MAX_LINE_BYTES


def test_a_message_of_several_lines_is_one() -> None:
    assert shown_line("one\ntwo\x1b[K\r\n") == "one two"
