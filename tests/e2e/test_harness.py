"""The end-to-end harness itself, where it can be wrong without the proxy."""

import sys
from pathlib import Path

import pytest

from tests.e2e.client import Transcript
from tests.e2e.launch import Command, write_config
from tests.e2e.proxy import ended
from tests.fakes.chunks import DONE, USAGE, event, text_chunks


def test_a_transcript_adds_up_the_events() -> None:
    transcript = Transcript()
    stream = b": keepalive\n\n" + b"".join(map(event, text_chunks("Hel", "lo"))) + DONE
    for block in stream.removesuffix(b"\n\n").split(b"\n\n"):
        transcript.add(block)
    assert (transcript.text, transcript.roles, transcript.finishes) == ("Hello", ["assistant"], ["stop"])
    assert (transcript.usages, transcript.done, transcript.comments) == ([USAGE], 1, 1)


def test_a_transcript_refuses_what_follows_the_end() -> None:
    transcript = Transcript(done=1)
    with pytest.raises(AssertionError):
        transcript.add(b"data: {}")


async def test_a_program_that_ends_is_reported_with_its_output(tmp_path: Path) -> None:
    assert await ended(tmp_path, [sys.executable, "-c", "print('bye'); exit(3)"]) == (3, "bye\n")


def test_a_setting_of_none_is_left_out_of_the_config(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"service_api_key": None, "max_tool_loops": 2})
    text = config.read_text()
    assert "service_api_key" not in text and "max_tool_loops: 2" in text and "upstream_api_key" in text


def test_the_childs_environment_holds_none_of_the_users_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WERKZEUGKOPPLER_CONFIG", "elsewhere")
    environment = Command(environ={"X": "1"}).environment(tmp_path)
    assert "WERKZEUGKOPPLER_CONFIG" not in environment
    assert (environment["X"], environment["HOME"]) == ("1", str(tmp_path))
