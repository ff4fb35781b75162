"""Traces are written in full, by another thread, and old ones go."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from werkzeugkoppler import __version__, traces
from werkzeugkoppler.traces import SUFFIX, Trace, TraceWriter, begin, prune

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def trace(id: str = "t1", **fields: Any) -> Trace:
    trace = begin(id, lambda: NOON)
    trace.add("request", **fields)
    return trace


def write(directory: Path, *written: Trace, **overrides: Any) -> None:
    """Write traces, and wait until they are."""
    writer = TraceWriter(directory, **({"keep_seconds": 0, "keep_bytes": 0} | overrides))
    writer.open()
    for item in written:
        writer.write(item)
    writer.close()


def lines(directory: Path, id: str = "t1") -> list[dict[str, Any]]:
    text = (directory / f"{id}{SUFFIX}").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_trace_begins_with_its_format_and_its_program() -> None:
    assert begin("t1", lambda: NOON).events == [
        {
            "type": "trace_version",
            "version": 1,
            "werkzeugkoppler_version": __version__,
            "id": "t1",
            "at": "2026-11-20T12:00:00.000Z",
        }
    ]


def test_what_is_not_known_is_left_out() -> None:
    assert trace(model=None, bytes=0).events[1] == {
        "type": "request",
        "bytes": 0,
        "at": "2026-11-20T12:00:00.000Z",
    }


def test_events_are_stamped_with_the_time() -> None:
    assert datetime.fromisoformat(begin("t1").events[0]["at"]).tzinfo is UTC


def test_a_trace_is_a_file_of_one_line_for_each_event(tmp_path: Path) -> None:
    written = trace(text="ä\n€")
    write(tmp_path, written)
    assert lines(tmp_path) == written.events


def test_every_turn_has_its_file(tmp_path: Path) -> None:
    write(tmp_path, trace("t1"), trace("t2"))
    assert sorted(os.listdir(tmp_path)) == [f"t1{SUFFIX}", f"t2{SUFFIX}"]


def test_a_trace_that_is_written_again_goes_on_in_its_file(tmp_path: Path) -> None:
    write(tmp_path, trace(), trace())
    assert len(lines(tmp_path)) == 4


def test_any_value_is_written(tmp_path: Path) -> None:
    write(tmp_path, trace(path=Path("x"), half="\ud83d"))
    assert lines(tmp_path)[1] | {"path": "x", "half": "?"} == lines(tmp_path)[1]


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", trace())
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert lines(tmp_path / "a" / "b")


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    write(tmp_path / "file" / "b", trace(), trace())
    assert caplog.text.count("Traces are lost from now on") == 1


def test_a_disk_that_is_too_slow_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(traces, "MAX_WAITING", 1)
    monkeypatch.setattr(traces, "CLOSE_SECONDS", 0)
    writer = TraceWriter(tmp_path, keep_seconds=0, keep_bytes=0)  # not opened: nothing is ever taken
    writer.write(trace())
    writer.write(trace())
    writer.close()
    assert "the disk is too slow" in caplog.text


def test_writing_deletes_what_is_too_much(tmp_path: Path) -> None:
    write(tmp_path, trace("t1"), keep_bytes=1)
    assert os.listdir(tmp_path) == []


def files(directory: Path, **ages: float) -> None:
    """Make files of 10 bytes, each so many seconds before second 1000."""
    for name, age in ages.items():
        path = directory / f"{name}{SUFFIX}"
        path.write_bytes(b"x" * 10)
        os.utime(path, (1000 - age, 1000 - age))


@pytest.mark.parametrize(
    ("keep_seconds", "keep_bytes", "left"),
    [(0, 0, "abc"), (50, 0, "ab"), (10, 0, "ab"), (9, 0, "a"), (0, 30, "abc"), (0, 29, "ab"), (9, 29, "a")],
)
def test_the_old_and_the_many_go(tmp_path: Path, keep_seconds: float, keep_bytes: int, left: str) -> None:
    files(tmp_path, b=10, a=0, c=100)
    prune(tmp_path, 1000, keep_seconds=keep_seconds, keep_bytes=keep_bytes)
    assert sorted(os.listdir(tmp_path)) == [f"{name}{SUFFIX}" for name in left]


def test_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"x" * 100)
    prune(tmp_path, 1e12, keep_seconds=1, keep_bytes=1)
    assert os.listdir(tmp_path) == ["mine.txt"]
