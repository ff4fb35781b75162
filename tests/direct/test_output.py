"""A command's output is cut where a limit says so, and nowhere else."""

import pytest

from werkzeugkoppler.direct.output import Limits, Output, closing, limit_notice, opening, timeout_notice

NONE = Limits(0, 0, 0)


def shown(data: bytes, limits: Limits = NONE, size: int = 1) -> tuple[str, str | None]:
    """The text of output that comes in pieces of a size, and the limit that was reached."""
    output = Output(limits)
    text = ""
    for at in range(0, len(data), size):
        text += output.take(data[at : at + size])
        if output.reached:
            break
    return text + output.close(), output.reached


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_characters_stay_whole_however_they_come(size: int) -> None:
    assert shown("a€😀\n\nb\n\n".encode(), size=size) == ("a€😀\n\nb", None)


@pytest.mark.parametrize("size", [1, 100])
def test_bytes_that_are_no_characters_are_marked(size: int) -> None:
    assert shown(b"a\xffb\xe2\x82", size=size) == (
        "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}",
        None,
    )


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    "data, text, reached",
    [
        (b"1\n2\n", "1\n2", None),
        (b"1\n2", "1\n2", None),
        (b"1\n2\n3", "1\n2", "line"),
        (b"1\n2\n\n", "1\n2", "line"),
        (b"", "", None),
    ],
)
def test_a_line_counts_from_its_first_byte(size: int, data: bytes, text: str, reached: str | None) -> None:
    assert shown(data, Limits(2, 0, 0), size) == (text, reached)


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    "data, text, reached", [("€€", "€€", None), ("€€€", "€€", "bytes"), ("aaaaaaaa", "aaaaaaa", "bytes")]
)
def test_bytes_are_counted_and_no_half_character_is_shown(
    size: int, data: str, text: str, reached: str | None
) -> None:
    assert shown(data.encode(), Limits(0, 7, 0), size) == (text, reached)


@pytest.mark.parametrize("size", [1, 100])
def test_the_limit_that_comes_first_is_told(size: int) -> None:
    assert shown(b"1\n2\n3\n4\n", Limits(2, 6, 0), size) == ("1\n2", "line")
    assert shown(b"1\n2\n3\n4\n", Limits(3, 4, 0), size) == ("1\n2", "bytes")


def test_the_bytes_that_were_shown_are_counted() -> None:
    output = Output(Limits(0, 5, 0))
    output.take("€€".encode())
    assert output.size == 5


def test_code_of_one_line_is_shown_as_in_a_terminal() -> None:
    assert opening("ls") + "a" + closing(0) == "```\n$ ls\na\n```\n\n(Return Code 0)"


def test_code_of_several_lines_is_shown_apart_from_its_output() -> None:
    text = opening("a\nb") + closing(124, "Too much.")
    assert text.startswith("Executing shell code:\n\n```\na\nb\n```\n\n---\nOutput:\n\n```\n")
    assert text.endswith("\n```\n\n(Return Code 124)\n\nToo much.")


def test_what_ended_a_command_is_told() -> None:
    assert limit_notice("line") == "Command output reached line limit."
    assert timeout_notice(1.5) == "Command timed out after 1.5 seconds."
    assert timeout_notice(60) == "Command timed out after 60 seconds."
