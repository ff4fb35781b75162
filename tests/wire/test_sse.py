"""Server-sent events are found in any pieces, and keep their bytes."""

import pytest

from tests.wire.splits import splits
from werkzeugkoppler.wire import sse
from werkzeugkoppler.wire.sse import SseEvent, SseReader


def read(pieces: list[bytes]) -> list[SseEvent]:
    reader = SseReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.close()


STREAMS = {
    "line feeds": (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "carriage returns and line feeds": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "mixed line ends": (b"data: a\r\ndata: b\n\r\ndata: c\r\n\n", [b"a\nb", b"c"]),
    "no space": (b"data:a\n\n", [b"a"]),
    "one space of two": (b"data:  a\n\n", [b" a"]),
    "lines of one event": (b"data: a\ndata\ndata: b\n\n", [b"a\n\nb"]),
    "other fields": (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
    "a field that begins alike": (b"database: x\ndata: a\n\n", [b"a"]),
    "an error in a field of its own": (b'error: {"code":1}\n\ndata: a\n\n', [b'{"error":{"code":1}}', b"a"]),
    "a comment": (b": hello\n\ndata: a\n\n", [b"", b"a"]),
    "a comment in an event": (b": hello\ndata: a\n\n", [b"a"]),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "characters of several bytes": ("data: ä€😀\n\n".encode(), ["ä€😀".encode()]),
    "no blank line at the end": (b"data: a\n\ndata: b", [b"a", b"b"]),
    "one line end at the end": (b"data: a\n\ndata: b\r\n", [b"a", b"b"]),
    "blank lines between events": (b"data: a\n\n\ndata: b\n\n", [b"a", b"b"]),
    "blank lines at the end": (b"data: a\n\n\n", [b"a"]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("data", "expected"), STREAMS.values(), ids=STREAMS)
def test_the_events_are_the_same_in_any_pieces(data: bytes, expected: list[bytes]) -> None:
    for pieces in splits(data):
        assert [event.data for event in read(pieces)] == expected


@pytest.mark.parametrize("stream", ["line feeds", "carriage returns and line feeds", "mixed line ends"])
def test_the_bytes_of_the_events_are_the_bytes_of_the_stream(stream: str) -> None:
    data, _ = STREAMS[stream]
    for pieces in splits(data):
        assert b"".join(event.raw for event in read(pieces)) == data


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r"])
def test_a_last_event_with_its_blank_line_gets_no_other(end: bytes) -> None:
    data = b"data: a" + end
    for pieces in splits(data):
        assert read(pieces) == [SseEvent(b"a", data)]


def test_an_event_is_given_as_soon_as_its_blank_line_has_come() -> None:
    reader = SseReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\ndata: b") == [SseEvent(b"a", b"data: a\n\n")]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
def test_a_last_event_without_its_blank_line_gets_one(end: bytes) -> None:
    data = b"data: a" + end
    for pieces in splits(data):
        assert read(pieces) == [SseEvent(b"a", data + b"\n\n")]


def test_a_reader_is_empty_after_its_end() -> None:
    reader = SseReader()
    reader.feed(b"data: a")
    assert len(reader.close()) == 1
    assert reader.close() == []


def test_an_event_that_grows_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 16)
    reader = SseReader()
    assert len(reader.feed(b"data: 0123456\n\n" * 3)) == 3
    with pytest.raises(ValueError, match="larger than 16 bytes"):
        reader.feed(b"data: 0123456789abc")


def test_an_event_is_written_as_it_is_read() -> None:
    (read_back,) = read([sse.event('{"a": "ä"}')])
    assert read_back.data.decode() == '{"a": "ä"}'


def test_the_end_mark_and_the_keepalive_are_events_of_their_own() -> None:
    done, keepalive = read([sse.DONE + sse.KEEPALIVE])
    assert (done.data, keepalive.data) == (b"[DONE]", b"")


def test_what_is_no_utf8_is_replaced_and_the_rest_stays() -> None:
    (broken, whole) = SseReader().feed(b'data: {"a": "\xff\xe4"}\n\ndata: \xc3\xa4\n\n')
    assert broken.data.decode() == '{"a": "\ufffd\ufffd"}'
    assert broken.raw == b"data: " + broken.data + b"\n\n"
    assert whole.raw == b"data: \xc3\xa4\n\n"


def test_a_byte_order_mark_is_none_of_an_event() -> None:
    (first,) = SseReader().feed(b"\xef\xbb\xbfdata: x\n\n")
    assert (first.data, first.raw) == (b"x", b"data: x\n\n")
