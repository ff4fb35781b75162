"""Upstreams, and proxies before them, that answer in odd ways or wrongly."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.faulted import (
    SETTINGS,
    TEXT,
    Outcome,
    Turn,
    assert_whole_or_failed,
    hit_by,
    judged,
    turns,
    verdict_of,
)
from tests.e2e.proxy import Proxy
from tests.fakes.answers import Answer, Json, Raw, Sse
from tests.fakes.chunks import DONE, completion, event, text_chunks
from tests.fakes.faults import (
    ENCODINGS,
    Rewritten,
    Written,
    close_delimited,
    encoded,
    flooded,
    informed,
    length_wrong_by,
    misframed,
    repeated,
)
from tests.fakes.upstream import Upstream
from tests.oracle import Complete, Failed

HTML = (("content-type", "text/html; charset=utf-8"),)
PAGE = b"<html><body><h1>Bad Gateway</h1></body></html>"
EVENTS = b"".join(map(event, text_chunks(TEXT))) + DONE


def typed(kind: str, body: bytes) -> Raw:
    return Raw(200, (("content-type", kind),), body)


def replaced(old: bytes, new: bytes) -> Rewritten:
    """Other bytes in the body, and the same framing."""

    def rewrite(written: Written) -> Written:
        body = written.body.replace(old, new)
        return replace(written, chunks=(body,)).with_length()

    return Rewritten(rewrite)


HARMLESS = hit_by(
    {
        **{f"compressed with {name}": encoded(name) for name in ENCODINGS if name != "zstd"},
        "a stream with a length": length_wrong_by(0),
        "delimited by the end of the connection": close_delimited(),
        "of HTTP/1.0": close_delimited(b"1.0"),
        "many headers": flooded(*[b"x-%d: %s" % (n, b"y" * 100) for n in range(50)]),
        "a long header": flooded(b"x: " + b"y" * 4000),
        "103 Early Hints before": informed(b"103 Early Hints\r\nlink: </a>"),
        "100 and 102 before": informed(b"100 Continue", b"102 Processing"),
        "the first piece twice": repeated(0),
        "the finish twice": repeated(-3),
        "the usage twice": repeated(-2),
        "the end mark twice": repeated(-1),
        "an end without its blank line": replaced(b"data: [DONE]\n\n", b"data: [DONE]"),
        "carriage returns": replaced(b"}\n\n", b"}\r\r"),
        "carriage returns and line feeds": replaced(b"}\n\n", b"}\r\n\r\n"),
        "a byte order mark": replaced(b'data: {"id": "chatcmpl-upstream1", "object"', b'data: {"object"'),
        "empty events": replaced(b"}\n\n", b"}\n\ndata:\n\ndata: \n\n\n\n"),
        "named events": replaced(b'data: {"id"', b'event: message\nid: 7\nretry: 5\ndata: {"id"'),
    }
)
HARMLESS = [turn for turn in HARMLESS if turn.stream or "twice" not in turn.name]

NO_HTTP: dict[str, Rewritten] = {
    "no HTTP": Rewritten(lambda _: b"SSH-2.0-OpenSSH_9.6\r\n", ends=True),
    "TLS": Rewritten(lambda _: b"\x15\x03\x01\x00\x02\x02\x16", ends=True),
    "HTTP/2": Rewritten(lambda _: b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\0" * 18, ends=True),
    "a status that is none": Rewritten(lambda _: b"HTTP/1.1 abc OK\r\n\r\n", ends=True),
    "NUL bytes": Rewritten(lambda _: b"\0" * 5000, ends=True),
    "a header without a name": flooded(b": x"),
    "a header without end": flooded(b"x: " + b"y" * 100_000),
    "a million headers": flooded(*[b"x-%d: y" % n for n in range(20_000)]),
    "a length that is none": Rewritten(lambda w: w.unframed().with_headers(b"content-length: x")),
    "two lengths": Rewritten(lambda w: w.with_length().with_headers(b"content-length: 5")),
}
HALF: dict[str, Rewritten] = {
    "a length that is too long": length_wrong_by(10, ends=True),
    "a length that is too long and silence": length_wrong_by(10),
    "a length that is too short": Rewritten(lambda w: w.with_length(-(len(w.body) // 2))),
    "a chunk without a length": misframed(lambda _: b"zz\r\nx\r\n"),
    "a chunk of a negative length": misframed(lambda last: b"-5\r\n" + last + b"\r\n"),
    "a chunk that is longer than it says": misframed(lambda last: b"1\r\n" + last + b"\r\n"),
    "a chunk that is shorter than it says": misframed(lambda last: b"ffff\r\n" + last),
    "a chunk of an endless length": misframed(lambda last: b"f" * 100 + b"\r\n" + last),
    "compression that is none": Rewritten(lambda w: w.with_headers(b"content-encoding: gzip")),
    "compression that breaks off": Rewritten(
        lambda w: (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
            b"content-length: 12\r\n\r\n\x1f\x8b\x08\x00\0\0\0\0\0\x03K\xcc"
        )
    ),
    "zstd": encoded("zstd"),
}

REFUSALS: dict[str, tuple[int, Answer]] = {
    **{f"{s} as a page": (s, Raw(s, HTML, PAGE)) for s in (400, 403, 404, 413, 429, 500, 502, 503, 504, 599)},
    **{f"{s} with nothing": (s, Raw(s, (), b"")) for s in (401, 500)},
    **{
        f"a redirect with {s}": (502, Raw(s, (("location", "http://127.0.0.1:9/"),), b""))
        for s in (301, 302, 307, 308)
    },
    **{f"{s}": (502, Raw(s, (), b"")) for s in (204, 205, 304)},
    "a page": (502, Raw(200, HTML, PAGE)),
    "nothing": (502, typed("application/json", b"")),
    "no object": (502, typed("application/json", b"[1]")),
    "no completion": (502, Json({"object": "list", "data": []})),
    "half an object": (502, typed("application/json", b'{"choices": [{')),
    "an error with 200": (503, Json({"error": {"message": "busy", "code": 503}})),
    "an error in a word": (502, Json({"error": "busy"})),
    "binary": (502, typed("application/octet-stream", bytes(range(256)) * 10)),
    "UTF-16": (502, typed("application/json; charset=utf-16", json.dumps(completion("a")).encode("utf-16"))),
}
TOLD_IN_A_STREAM: dict[str, Answer] = {
    "an error with a status": Sse([{"error": {"message": "busy", "code": 503}}], done=False),
    "an error of llama.cpp": Sse([b'error: {"code":503,"message":"busy","type":"server_error"}\n\n']),
    "an error with a name": Sse([b'event: error\ndata: {"error":{"message":"busy","code":503}}\n\n']),
}
OTHER_FORMS: dict[str, Answer] = {
    "events, whatever was asked for": Sse(text_chunks(TEXT)),
    "JSON, whatever was asked for": Json(completion(TEXT)),
    "events without a type": Raw(200, (), EVENTS),
    "events as text": typed("text/plain", EVENTS),
}


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return SETTINGS


REFUSED = turns({name: answer for name, (_, answer) in REFUSALS.items()})
IN_STREAMS = turns(TOLD_IN_A_STREAM)
OTHERS = [turn for turn in turns(OTHER_FORMS) if turn.stream or "whatever" in turn.name]
BROKEN = hit_by(NO_HTTP | HALF)
BEHIND_THE_END = (
    "a length that is too long",
    "a length that is too long and silence",
    "a chunk that is shorter than it says",
)
"""Faults that hit a stream when its end mark has come."""
ALL = [*HARMLESS, *REFUSED, *IN_STREAMS, *OTHERS, *BROKEN]


@pytest.fixture(scope="module")
async def outcomes(shared_proxy: Proxy, shared_upstream: Upstream) -> AsyncIterator[dict[str, Outcome]]:
    async with judged(shared_proxy, shared_upstream, ALL) as outcomes:
        yield outcomes


@pytest.mark.contract("BX-01")
@pytest.mark.parametrize("turn", HARMLESS, ids=str)
async def test_an_answer_in_an_odd_form_is_whole(turn: Turn, outcomes: dict[str, Outcome]) -> None:
    assert verdict_of(outcomes, turn) == turn.whole


@pytest.mark.contract("WK-138")
@pytest.mark.parametrize("turn", OTHERS, ids=str)
async def test_an_answer_of_another_kind_than_asked_for_is_whole(
    turn: Turn, outcomes: dict[str, Outcome]
) -> None:
    verdict = verdict_of(outcomes, turn)
    assert isinstance(verdict, Complete)
    assert_whole_or_failed(turn, verdict)


@pytest.mark.contract("OW-51", "OW-52")
@pytest.mark.parametrize("turn", BROKEN, ids=str)
async def test_an_answer_that_cannot_be_read_fails(turn: Turn, outcomes: dict[str, Outcome]) -> None:
    verdict = verdict_of(outcomes, turn)
    assert_whole_or_failed(turn, verdict)
    if not (turn.stream and turn.name in BEHIND_THE_END):
        assert isinstance(verdict, Failed)
        assert verdict.error["code"] == "upstream_error"


@pytest.mark.contract("WK-151", "OW-50")
@pytest.mark.parametrize("turn", REFUSED, ids=str)
async def test_a_refusal_has_its_status_and_no_markup(turn: Turn, outcomes: dict[str, Outcome]) -> None:
    verdict = verdict_of(outcomes, turn)
    status = REFUSALS[turn.name][0]
    assert isinstance(verdict, Failed)
    # A stream whose first leg was shown has begun with a 200.
    assert verdict.status in ((status, 200) if turn.stream else (status,))
    assert_whole_or_failed(turn, verdict)


@pytest.mark.contract("WK-142")
@pytest.mark.parametrize("turn", IN_STREAMS, ids=str)
async def test_an_error_in_a_stream_is_told_as_it_came(turn: Turn, outcomes: dict[str, Outcome]) -> None:
    verdict = verdict_of(outcomes, turn)
    assert isinstance(verdict, Failed)
    assert (verdict.error["message"], verdict.error["code"]) == ("busy", 503)
    assert verdict.status == (200 if turn.stream else 503)
