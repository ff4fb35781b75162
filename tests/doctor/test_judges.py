"""What is found wrong with an answer, and how it is said."""

import json
from typing import Any

import pytest

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.transcript import SeenCall, Transcript, Whole
from werkzeugkoppler.doctor.probe.verdict import Fault
from werkzeugkoppler.wire.sse import DONE, event


def chunk(delta: dict[str, Any], finish: str | None = None, **head: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event(json.dumps({"id": "a", "model": "m", "created": 1, "choices": [choice], **head}))


def stream(*events: bytes, status: int = 200, encoding: str = "identity") -> Transcript:
    headers = {"content-type": "text/event-stream", "content-encoding": encoding}
    transcript = Transcript(status, headers)
    for raw in events:
        transcript.take(raw)
    transcript.close()
    return transcript


GOOD = (chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo."}), chunk({}, "stop"), DONE)


@pytest.mark.parametrize(
    "judge",
    [
        judges.marked_as_stream,
        judges.only_events,
        judges.one_id,
        judges.one_model,
        judges.one_time,
        judges.one_role,
        judges.one_finish,
        judges.one_end_mark,
        judges.no_usage,
        judges.text_is("Hello."),
    ],
)
def test_a_good_stream_passes(judge: Any) -> None:
    assert judge(stream(*GOOD))


@pytest.mark.parametrize(
    ("judge", "events", "said"),
    [
        (judges.one_id, (chunk({}), chunk({}, id="b")), "2 values: a, b"),
        (judges.one_id, (chunk({}, id=None),), "there is none"),
        (judges.one_model, (chunk({}), chunk({}, model="x")), "2 values: m, x"),
        (judges.one_role, (chunk({"content": "Hello."}),), "0 role deltas"),
        (judges.one_finish, (chunk({}, "stop"), chunk({}, "stop")), "2 finish_reasons stop, stop"),
        (judges.one_end_mark, (*GOOD, GOOD[1]), "after .DONE. came"),
        (judges.only_events, (b"data: <html>\n\n",), "1 events are no JSON object: <html>"),
        (judges.only_events, (b"data: {}\n\n: \xc3\n\n",), "no UTF-8"),
        (judges.no_usage, (chunk({}, usage={"total_tokens": 1}),), "1 chunks with usage"),
        (judges.some_text, (chunk({}),), "no text"),
        (judges.ends_with_error, GOOD, "no error event, finish_reason stop"),
        (judges.ends_with_error, (b'data: {"error":{}}\n\n', *GOOD), "no error event"),
    ],
)
def test_a_fault_is_said_in_words(judge: Any, events: tuple[bytes, ...], said: str) -> None:
    with pytest.raises(Fault, match=said):
        judge(stream(*events))


def test_a_refused_stream_is_told_with_its_status() -> None:
    with pytest.raises(Fault, match="status 500: no"):
        judges.accepted(stream(b"no", status=500))


def test_a_compressed_stream_is_no_stream() -> None:
    with pytest.raises(Fault, match="gzip"):
        judges.marked_as_stream(stream(*GOOD, encoding="gzip"))


def test_calls_are_put_together_by_their_index() -> None:
    deltas = [
        {"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a'}},
        {"index": 1, "id": "y", "function": {"name": "g", "arguments": {}}},
        {"index": 0, "function": {"arguments": '": 1}'}},
    ]
    seen = stream(*(chunk({"tool_calls": [delta]}) for delta in deltas)).calls
    assert seen == [SeenCall(0, ["x"], ["f"], '{"a": 1}'), SeenCall(1, ["y"], ["g"], "", "{}")]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b'{"choices": []}', "no completion with one choice"),
        (200, b"<html>", "no completion"),
        (500, b"oh no", "status 500: oh no"),
        (200, b'{"choices": [{"message": {"role": "user"}, "finish_reason": "stop"}]}', "role user"),
    ],
)
def test_what_is_no_completion_is_said(status: int, body: bytes, said: str) -> None:
    with pytest.raises(Fault, match=said):
        judges.is_completion(Whole(status, {}, body))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"detail": "no"}', "not in OpenAI's form"),
        (400, b'{"error": "no"}', "not in OpenAI's form"),
        (500, b'{"error": {"message": "no"}}', "500 instead of 400"),
    ],
)
def test_a_refusal_in_another_form_is_a_fault(status: int, body: bytes, said: str) -> None:
    with pytest.raises(Fault, match=said):
        judges.refused_with(400)(Whole(status, {}, body))


def test_usage_in_a_plain_answer_is_a_number_of_tokens() -> None:
    assert judges.usage_of(Whole(200, {}, b'{"usage": {"total_tokens": 3}}')) == "3 tokens"
    with pytest.raises(Fault, match="usage is None"):
        judges.usage_of(Whole(200, {}, b'{"usage": null}'))
