"""An answer is shown as the message it came to, with its calls, its usage and its times."""

import json

import pytest

from tests.fakes.chunks import DONE, Call, calls_chunks, calls_completion, completion, event, text_chunks
from tests.views.showing import SSE, flow_of, shown_response

STREAM = (
    b": keepalive\n\n"
    + b"".join(map(event, calls_chunks(Call("clock", '{"zone":"UTC"}'), text="Let me.")))
    + DONE
)


@pytest.mark.contract("BX-09")
def test_a_stream_is_shown_as_the_message_that_it_brought() -> None:
    result = shown_response(STREAM, SSE)
    assert (result.view_name, result.syntax_highlight) == ("Chat answer", "yaml")
    assert 'assistant: Let me.\ncall clock call_1: {"zone":"UTC"}\n\nfinish: tool_calls\n' in result.text
    assert "usage: prompt 7, completion 2, total 9\n" in result.text
    assert result.text.startswith("# streamed answer · 8 events · ")


@pytest.mark.contract("BX-09")
def test_each_event_has_its_time_where_it_was_recorded() -> None:
    body = b"".join(map(event, text_chunks("Hel", "lo.")))
    ends = [len(b"".join(map(event, text_chunks("Hel", "lo.")[:n]))) for n in (1, 2, 3)]
    flow = flow_of(arrivals=[[ends[0], 210], [ends[1], 240], [len(body), 800]])
    lines = shown_response(body, SSE, flow).text.splitlines()
    assert lines[0].endswith(" · first byte 210 ms · first text 240 ms · last 800 ms")
    assert [line.split() for line in lines[lines.index("events:") + 1 :][:3]] == [
        ["-", "210", "ms", "byte", "0", "role", "assistant"],
        ["-", "240", "ms", "byte", str(ends[0]), "content", "Hel"],
        ["-", "800", "ms", "byte", str(ends[1]), "content", "lo."],
    ]


def test_of_many_events_the_first_and_the_last_are_listed() -> None:
    body = b"".join(map(event, text_chunks(*["x"] * 500)))
    lines = shown_response(body, SSE).text.splitlines()
    assert "  # … 453 more events …" in lines and len(lines) < 80


def test_a_plain_answer_is_shown_like_a_streamed_one() -> None:
    text = shown_response(calls_completion(Call("clock"), text="Let me.")).text
    assert "assistant:\n  content: Let me.\n  call clock call_1: {}\n\nfinish: tool_calls\n" in text
    assert "assistant: Hi.\n\nfinish: stop\n" in shown_response(completion("Hi.")).text


def test_an_error_in_a_stream_is_shown() -> None:
    body = event(text_chunks("Hel")[1]) + event({"error": {"message": "out of memory"}})
    text = shown_response(body, SSE).text
    assert "assistant: Hel\n\nfinish: none\n" in text and "error:\n  message: out of memory" in text


def test_half_a_stream_is_shown_as_far_as_it_came() -> None:
    result = shown_response(STREAM[:-400], SSE)
    assert result.view_name == "Chat answer" and "Let me." in result.text


@pytest.mark.parametrize(
    "body, headers",
    [
        (b"data: hello\n\n", SSE),
        (b'data: {"event": "tick"}\n\n', SSE),
        (b"\x00\xff" * 9, SSE),
        (b'{"choices": []}', ()),
        (b'{"choices": [{"message": "no"}]}', ()),
        (b'{"choices": [', ()),
        (json.dumps({"error": {"message": "no"}}).encode(), ()),
    ],
)
def test_what_is_no_answer_is_left_to_other_views(body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    assert shown_response(body, headers).view_name != "Chat answer"


def test_a_stream_that_would_hold_up_the_loop_is_left_to_other_views() -> None:
    assert shown_response(STREAM + b": keepalive\n\n" * 100_000, SSE).view_name != "Chat answer"
