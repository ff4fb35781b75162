"""New events are seen as they are written."""

from pathlib import Path

import pytest

from tests.inspecting.events import HEAD, ID, REQUEST, TURN, write
from werkzeugkoppler.inspecting.follow import DONE_SECONDS, IDLE_SECONDS, Follower
from werkzeugkoppler.traces import REFUSED


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def types(follower: Follower) -> list[tuple[str, str]]:
    return [(id, event["type"]) for id, event in follower.news()]


def test_new_traces_are_seen_and_old_ones_not_again(tmp_path: Path) -> None:
    write(tmp_path, HEAD, id="old")
    follower = Follower(tmp_path)
    assert types(follower) == []
    write(tmp_path, HEAD, id="new")
    write(tmp_path / REFUSED, HEAD, id="refused")
    assert types(follower) == [("new", "trace_version"), ("refused", "trace_version")]
    assert types(follower) == []


def test_events_that_are_appended_are_seen_once(tmp_path: Path) -> None:
    write(tmp_path, HEAD)
    follower = Follower(tmp_path)
    write(tmp_path, REQUEST)
    assert types(follower) == [(ID, "proxy_request")]
    assert types(follower) == []


def test_events_of_several_traces_come_in_their_order(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    write(tmp_path, HEAD, TURN[-1], id="a")
    write(tmp_path, TURN[2], id="b")
    assert [id for id, _ in types(follower)] == ["a", "b", "a"]


def test_a_line_that_is_still_coming_is_waited_for(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    path = write(tmp_path, HEAD)
    with path.open("a") as file:
        file.write('{"type": ')
        file.flush()
        assert types(follower) == [(ID, "trace_version")]
        assert types(follower) == []
        file.write('"more"}\nno event\n')
    assert types(follower) == [(ID, "more")]


def test_one_trace_is_followed_from_its_beginning_to_its_response(tmp_path: Path) -> None:
    path = write(tmp_path, *TURN[:3])
    follower = Follower(tmp_path, path)
    assert len(types(follower)) == 3 and not follower.is_done
    write(tmp_path, *TURN[3:])
    write(tmp_path, HEAD, id="other")
    assert types(follower)[-1] == (ID, "proxy_response") and follower.is_done


@pytest.mark.parametrize("events, seconds", [(TURN, DONE_SECONDS), (TURN[:2], IDLE_SECONDS)])
def test_a_trace_without_news_is_looked_at_no_more(
    tmp_path: Path, events: list[dict[str, object]], seconds: float
) -> None:
    clock = Clock()
    follower = Follower(tmp_path, clock=clock)
    write(tmp_path, *events)
    assert len(types(follower)) == len(events)
    clock.now += seconds + 1
    assert types(follower) == []
    write(tmp_path, REQUEST)
    assert types(follower) == []


def test_a_trace_that_was_pruned_is_no_fault(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD)
    follower = Follower(tmp_path)
    path.unlink()
    assert types(follower) == []
