"""A trace is read whatever stands in it."""

from pathlib import Path

import pytest

from tests.inspecting.events import ID, TURN, write
from werkzeugkoppler.inspecting.reading import MAX_TOLD, parse, read


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    reading = read(write(tmp_path, *TURN))
    assert (reading.id, reading.events, reading.problems) == (ID, TURN, [])


@pytest.mark.contract("OW-33")
@pytest.mark.parametrize(
    "line", [b"{", b"\xff\xfe", b"[]", b"null", b'{"at": "x"}', b'{"type": 1}', b"[" * 100_000]
)
def test_a_line_that_is_no_event_is_told_and_left_out(line: bytes) -> None:
    reading = parse("t1", [b'{"type": "one"}', line, b'{"type": "two"}'])
    assert [event["type"] for event in reading.events] == ["one", "two"]
    assert reading.problems == ["line 2 of t1 is no event and is left out"]


@pytest.mark.contract("OW-33")
def test_events_of_an_unknown_type_are_kept_for_those_who_want_all() -> None:
    assert parse("t1", [b'{"type": "tomorrow", "x": 1}']).events == [{"at": "", "type": "tomorrow", "x": 1}]


def test_an_empty_line_is_no_problem() -> None:
    assert parse("t1", [b"", b" "]).problems == []


def test_of_many_lines_that_are_no_events_the_first_are_told() -> None:
    reading = parse("t1", [b"no"] * 1000)
    assert len(reading.problems) == MAX_TOLD + 1
    assert reading.problems[-1] == "995 more lines of t1 are no events and are left out"
