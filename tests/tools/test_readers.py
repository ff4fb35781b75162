"""A reader gets the message whole, and its text is what it printed."""

import logging
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from werkzeugkoppler.config.reader_section import Reader
from werkzeugkoppler.tools.process import MAX_ARGUMENT_BYTES, Finished
from werkzeugkoppler.tools.readers import (
    argument,
    message_reader,
    text_of,
    variable,
)

BIG = "ä" * 100_000


async def read(message: str, command: str, *arguments: str, **overrides: Any) -> str | None:
    """What a reader makes of a message; without arguments the command is split."""
    folder = overrides.pop("root", Path.cwd())
    section = Reader(name="notes", command=command, arguments=arguments or None, **overrides)
    reader = message_reader(section, root=folder, environ=dict(os.environ) | {"LAST_USER_MESSAGE": "old"})
    with anyio.fail_after(20):
        return await reader.read(message)


@pytest.mark.contract("WK-44")
async def test_the_message_is_put_into_arguments_and_into_the_command() -> None:
    assert await read("hi", "echo", "a $LAST_USER_MESSAGE b${LAST_USER_MESSAGE}") == "a hi bhi"
    assert await read("echo", "$LAST_USER_MESSAGE", "as the command") == "as the command"
    assert await read("a b", "printf [%s] $LAST_USER_MESSAGE $LAST_USER_MESSAGES") == (
        "[a b][$LAST_USER_MESSAGES]"
    )


@pytest.mark.contract("WK-46")
@pytest.mark.parametrize("message", ["it's", '"', "a\\", "$(id) `id` ; id", "-n", ""])
async def test_nothing_in_a_message_is_taken_for_quoting(message: str) -> None:
    assert await read(message, "printf '[%s]' $LAST_USER_MESSAGE end") == f"[{message}][end]"


async def test_the_message_is_on_stdin_and_in_a_variable() -> None:
    assert await read("hello", "cat") == "hello"
    assert await read("hello", "printenv LAST_USER_MESSAGE") == "hello"


@pytest.mark.contract("WK-47")
async def test_a_message_that_is_too_long_for_an_argument_comes_whole_on_stdin(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await read(BIG, "wc -c") == "200000"
    assert not caplog.records
    script = 'printf %s "$1" | wc -c; printenv LAST_USER_MESSAGE; wc -c'
    shown = await read(BIG, "sh", "-c", script, "-", "$LAST_USER_MESSAGE")
    assert shown is not None
    assert shown.split() == [str(MAX_ARGUMENT_BYTES - 1), "200000"]
    assert "only the beginning" in caplog.text


def test_an_argument_is_cut_at_a_character_where_it_would_not_fit() -> None:
    for text in ("$LAST_USER_MESSAGE", "--x=$LAST_USER_MESSAGE ${LAST_USER_MESSAGE}"):
        made = argument(text, BIG).encode()
        assert MAX_ARGUMENT_BYTES - 8 < len(made) <= MAX_ARGUMENT_BYTES
    assert argument("plain", BIG) == "plain"
    assert argument("x" * MAX_ARGUMENT_BYTES + "$LAST_USER_MESSAGE", "y") == "x" * MAX_ARGUMENT_BYTES


def test_a_variable_that_would_not_fit_is_not_there() -> None:
    fits = "x" * (MAX_ARGUMENT_BYTES - len("LAST_USER_MESSAGE="))
    assert variable(fits) == {"LAST_USER_MESSAGE": fits}
    assert variable(fits + "x") == {}


async def test_the_longest_argument_can_be_run() -> None:
    assert await read("x" * (MAX_ARGUMENT_BYTES - 18), "true", "$LAST_USER_MESSAGE") == ""
    assert await read("x" * MAX_ARGUMENT_BYTES, "true", "$LAST_USER_MESSAGE") == ""


async def test_characters_that_no_argument_can_hold_do_not_stop_a_reader() -> None:
    assert await read("a\0b\ud800", "printf %s $LAST_USER_MESSAGE") == "ab?"
    assert await read("a\0b\ud800", "cat") == "a\0b?"


async def test_the_text_is_trimmed() -> None:
    assert await read("", "printf '\\n  a b \\n\\n'") == "a b"


@pytest.mark.contract("WK-50")
async def test_stderr_is_logged_and_the_exit_code_does_not_matter(caplog: pytest.LogCaptureFixture) -> None:
    assert await read("", "sh", "-c", "echo found; echo a complaint >&2; exit 3") == "found"
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        "The reader notes wrote to stderr: a complaint",
    )


@pytest.mark.contract("WK-48")
async def test_a_reader_beyond_its_time_is_empty_and_ended(caplog: pytest.LogCaptureFixture) -> None:
    assert await read("", "sh", "-c", "echo found; sleep 1000", timeout=0.2) is None
    assert "took longer than 0.2 seconds" in caplog.text
    assert Reader(name="a", command="c").timeout == 60


@pytest.mark.contract("WK-49")
@pytest.mark.parametrize("command", ["/no/such/command", "''"])
async def test_a_reader_that_cannot_be_run_is_empty(caplog: pytest.LogCaptureFixture, command: str) -> None:
    assert await read("", command) is None
    assert "The reader notes cannot be run" in caplog.text


@pytest.mark.contract("WK-51")
async def test_a_reader_runs_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    assert await read("", "pwd", root=tmp_path) == str(tmp_path)
    assert await read("", "pwd", root=tmp_path, run_path="sub") == str(tmp_path / "sub")
    assert await read("", "pwd", root=Path("/"), run_path=str(tmp_path)) == str(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert await read("", "pwd", root=Path("/"), run_path="~/sub") == str(tmp_path / "sub")
    assert await read("", "pwd", root=tmp_path, run_path="nowhere") is None


@pytest.mark.parametrize(
    ("output", "cut", "text"),
    [
        (b" a\xff\xc3", 0, "a\ufffd\ufffd"),
        ("aä".encode()[:2], 5, "a\n\n[cut at 9 bytes, 5 more were dropped]"),
    ],
)
def test_output_is_cut_at_a_character_with_a_note(output: bytes, cut: int, text: str) -> None:
    assert text_of(Finished(0, output, cut, b"", False), 9) == text
