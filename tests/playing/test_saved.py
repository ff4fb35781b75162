"""Which of several versions of a flow counts."""

from math import inf, nan
from pathlib import Path

from mitmproxy import http
from mitmproxy.flow import Error

from tests.playing.saving import asked_turn, flow_of, save
from werkzeugkoppler.playing.saved import content_of, read


def edited_while_held() -> http.HTTPFlow:
    """A tool call that an operator edited before it was made."""
    flow = flow_of("one", "tool", {}, None, leg=1, call_id="call_1")
    flow.backup()
    flow.request.content = b'{"edited": 1}'
    flow.response = http.Response.make(200, b"done")
    return flow


def done_again(flow: http.HTTPFlow) -> http.HTTPFlow:
    again: http.HTTPFlow = flow.copy()
    again.id, again.is_replay = flow.id, "request"
    again.response = http.Response.make(200, b"again")
    return again


def test_a_call_that_was_edited_while_held_and_done_again_keeps_its_answer(tmp_path: Path) -> None:
    call = edited_while_held()
    file = save(tmp_path / "x", [*asked_turn("one"), call, done_again(call)])
    (tool,) = read(file).turns["one"].tools
    assert content_of(tool) == b"done"
    assert tool.request.content == b'{"edited": 1}'


def test_where_only_the_second_time_was_saved_its_answer_is_better_than_none(tmp_path: Path) -> None:
    call = edited_while_held()
    (tool,) = read(save(tmp_path / "x", [*asked_turn("one"), done_again(call)])).turns["one"].tools
    assert content_of(tool) == b"again"


def test_a_flow_with_a_time_that_is_none_is_not_ours(tmp_path: Path) -> None:
    client, leg = asked_turn("one")
    client.request.timestamp_start = nan
    leg.error = Error("cancelled", inf)
    turns = read(save(tmp_path / "x", [client, leg, *asked_turn("two")])).turns
    assert list(turns) == ["two"]
