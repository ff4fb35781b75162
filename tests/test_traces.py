"""A trace holds events, and contents only where they are wanted."""

from datetime import UTC, datetime

import pytest

from werkzeugkoppler import __version__
from werkzeugkoppler.errors import ApiError, UpstreamError
from werkzeugkoppler.gate.redact import MARGIN
from werkzeugkoppler.traces import MAX_CONTENT_CHARS, Content, Trace, begin

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STAMP = "2026-11-20T12:00:00.000Z"


def trace(*, keeps_content: bool = False) -> Trace:
    return begin("t1", lambda: NOON, keeps_content=keeps_content)


def test_a_trace_begins_with_its_format_and_its_program() -> None:
    assert list(trace().events) == [
        {
            "type": "trace_version",
            "version": 1,
            "werkzeugkoppler_version": __version__,
            "id": "t1",
            "at": STAMP,
        }
    ]


def test_what_is_not_known_is_left_out() -> None:
    told = trace()
    told.add("request", model=None, bytes=0)
    assert told.events[1] == {"type": "request", "bytes": 0, "at": STAMP}


def test_events_are_stamped_with_the_time() -> None:
    assert datetime.fromisoformat(begin("t1").events[0]["at"]).tzinfo is UTC


def test_what_was_noted_before_is_told_when_the_trace_gets_its_reader() -> None:
    told: list[int] = []
    some = trace()
    some.send_to(lambda trace: told.append(len(trace.events)))
    some.add("more")
    assert told == [1, 2]


def test_an_error_is_told_without_words_of_the_upstream() -> None:
    told = trace()
    told.add_error(UpstreamError("it said: a secret", status=503, summary="it answered 503"))
    told.add_error(ApiError(404, "nothing at /secret", code="not_found"))
    assert told.events[1] | {"status_code": 503, "reason": "it answered 503"} == told.events[1]
    assert "secret" not in str(told.events)


@pytest.mark.contract("OW-40")
def test_contents_are_kept_only_where_they_are_wanted() -> None:
    assert trace().content("a secret") is None
    assert trace(keeps_content=True).content("told") == Content("told")
    assert trace(keeps_content=True).content(None) is None


@pytest.mark.parametrize("value", ["größe", "größe".encode()])
def test_text_is_kept_as_it_is(value: str | bytes) -> None:
    assert Content(value).text([]) == "größe"


def test_a_value_is_kept_as_json() -> None:
    assert Content({"a": [1]}).text([]) == '{"a": [1]}'


def test_of_a_long_text_the_middle_is_left_out() -> None:
    text = Content("a" * MAX_CONTENT_CHARS + "z" * MAX_CONTENT_CHARS).text([])
    half = MAX_CONTENT_CHARS // 2
    assert text == "a" * half + f" ... {MAX_CONTENT_CHARS} left out ... " + "z" * half


def test_of_what_waits_to_be_written_only_what_is_shown_is_held() -> None:
    secret = "SECRET-SECRET"
    middle = "b" * 10_000_000
    for value in ("a" * 100 + middle + secret, {"content": [middle, middle]}, (middle + secret).encode()):
        held = trace(keeps_content=True).content(value)
        assert held is not None and held.size < 200_000
        text, whole = held.text([secret]), Content(value).text([secret])
        assert text[:1000] == whole[:1000] and text[-1000:] == whole[-1000:]
        assert len(text) <= MAX_CONTENT_CHARS + 100 and "left out" in text


@pytest.mark.parametrize("more", range(-3, 4))
def test_the_count_of_what_is_left_out_is_right(more: int) -> None:
    for length in (MAX_CONTENT_CHARS, MAX_CONTENT_CHARS + 2 * MARGIN, 10 * MAX_CONTENT_CHARS):
        value = "".join(map(str, range(length)))[: length + more]
        assert Content.of(value).text([]) == Content(value).text([])


def test_a_deep_value_does_no_harm() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert Content.of({"content": "told", "deep": deep}).size < 1000
