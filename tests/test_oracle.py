"""The judge of streams sees what is wrong with one, and nothing wrong with a good one."""

import json
from typing import Any

import pytest

from tests.fakes.chunks import (
    DONE,
    USAGE,
    Call,
    calls_chunks,
    calls_completion,
    chunk,
    completion,
    event,
    text_chunks,
)
from tests.oracle import Complete, Failed, judge, verdict

ERROR = {"error": {"message": "no", "type": "server_error", "code": None}}
CALL = Call("weather", '{"a": 1}')
ROLE, FINISH = chunk({"role": "assistant"}), chunk({}, finish="stop")


def stream(*events: dict[str, Any] | bytes) -> bytes:
    return b"".join(e if isinstance(e, bytes) else event(e) for e in events)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_whole_message_is_complete(end: bytes) -> None:
    body = stream(b": ping\n\n", *text_chunks("Hel", "lo"), DONE).replace(b"\n", end)
    assert verdict(body) == Complete("Hello", "stop", usage=USAGE)


def test_calls_of_the_client_are_told() -> None:
    told = verdict(stream(*calls_chunks(CALL, CALL, text="x", usage=None), DONE))
    assert told == Complete("x", "tool_calls", (("weather", '{"a": 1}'),) * 2)


def test_a_stream_that_ends_with_an_error_failed() -> None:
    assert verdict(stream(*text_chunks("a")[:2], ERROR, DONE)) == Failed(ERROR["error"], "a")


WRONG = {
    "nothing": (),
    "no end mark": tuple(text_chunks("a")),
    "two end marks": (*text_chunks("a"), DONE, DONE),
    "more after the end": (*text_chunks("a"), DONE, b": x\n\n", FINISH),
    "a comment after the end": (*text_chunks("a"), DONE, b": x\n\n"),
    "neither a finish nor an error": (ROLE, DONE),
    "both a finish and an error": (*text_chunks("a"), ERROR, DONE),
    "more after the error": (ERROR, ROLE, DONE),
    "two errors": (ERROR, ERROR, DONE),
    "two finishes": (*text_chunks("a"), FINISH, DONE),
    "a call after another finish": (ROLE, FINISH, *calls_chunks(CALL)[1:-2], DONE),
    "two roles": (ROLE, *text_chunks("a"), DONE),
    "no role": (chunk({"content": "a"}), FINISH, DONE),
    "two identities": (ROLE, chunk({}, finish="stop", id="other"), DONE),
    "two usages": (*text_chunks("a"), *text_chunks("a")[-1:], DONE),
    "another choice": (ROLE, FINISH | {"choices": [FINISH["choices"][0] | {"index": 1}]}, DONE),
    "a call without a beginning": (*calls_chunks(CALL)[:1], *calls_chunks(CALL)[2:], DONE),
    "calls and another finish": (*calls_chunks(CALL, finish="stop"), DONE),
    "a finish of calls without one": (*text_chunks("a", finish="tool_calls"), DONE),
    "an event that is no object": (ROLE, b"data: []\n\n", FINISH, DONE),
    "an event that is no JSON": (ROLE, b"data: {\n\n", FINISH, DONE),
    "a line that is no field": (ROLE, b"oops\n\n", FINISH, DONE),
    "an end within an event": (*text_chunks("a"), DONE[:-2]),
    "an end without the blank line": (*text_chunks("a"), DONE[:-1]),
    "half a character": (ROLE, b"data: \xc3\n\n", FINISH, DONE),
}


@pytest.mark.parametrize("events", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_seen(events: tuple[Any, ...]) -> None:
    with pytest.raises((AssertionError, ValueError, KeyError)):
        verdict(stream(*events))


def test_a_plain_answer_is_judged_by_its_status() -> None:
    body = json.dumps(calls_completion(CALL, usage=None)).encode()
    assert judge(200, "application/json", body) == Complete("", "tool_calls", (("weather", '{"a": 1}'),))
    assert judge(503, "application/json", json.dumps(ERROR).encode()) == Failed(ERROR["error"], status=503)
    assert judge(200, "text/event-stream; charset=utf-8", stream(ERROR, DONE)) == Failed(ERROR["error"])


@pytest.mark.parametrize(
    ("status", "content_type", "value"),
    [
        (200, "application/json", ERROR),
        (200, "application/json", completion("a", finish="tool_calls")),
        (200, "text/html", completion("a")),
        (301, "application/json", ERROR),
        (500, "application/json", {}),
        (500, "application/json", {"error": {}}),
        (500, "text/event-stream", ERROR),
    ],
)
def test_a_plain_answer_that_is_neither_is_wrong(status: int, content_type: str, value: Any) -> None:
    with pytest.raises((AssertionError, KeyError)):
        judge(status, content_type, json.dumps(value).encode())
