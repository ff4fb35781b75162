"""An upstream that refuses, breaks off or talks nonsense: the client is told, in OpenAI's form."""

from typing import Any

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import chunk, completion, event, refused, whole
from werkzeugkoppler.doctor.probe.scripted import Asked, Reply, Respond
from werkzeugkoppler.doctor.probe.transcript import Transcript, Whole
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Check, Experiment, Fault, single

ERROR = {
    "message": "the context has 4096 tokens",
    "type": "invalid_request_error",
    "param": "messages",
    "code": "context_length_exceeded",
    "x_doctor": 1,
}
BROKEN = {"message": "out of memory", "type": "server_error", "code": "oom"}
HTML = (("Content-Type", "text/html; charset=utf-8"),)
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
RETRY_AFTER = "1"
"""Seconds: a gateway that tries again by itself waits for them."""


def _begun(asked: Asked) -> list[bytes]:
    return [chunk(asked, {"role": "assistant", "content": ""}), chunk(asked, {"content": "Hel"})]


def _error_within(asked: Asked) -> Reply:
    return Reply([*_begun(asked), event({"error": BROKEN})])


def _cut_off(asked: Asked) -> Reply:
    return Reply([*_begun(asked), 0.05], is_cut=True)


def _page(asked: Asked) -> Reply:
    return whole(PAGE, 502, HTML)


def _unstreamed(asked: Asked) -> Reply:
    return completion(asked, {"content": "Hello."})


async def _plainly(lab: Lab, respond: Respond) -> Whole:
    with lab.scene(respond) as scene:
        return await lab.gateway.chat(lab.ask(scene))


async def _streamed(lab: Lab, respond: Respond) -> Transcript:
    with lab.scene(respond) as scene:
        return await lab.gateway.transcript(lab.stream(scene))


async def _refused(lab: Lab) -> Whole:
    return await _plainly(lab, refused(400, ERROR))


async def _refused_stream(lab: Lab) -> Whole:
    return _as_whole(await _streamed(lab, refused(400, ERROR)))


def _as_whole(stream: Transcript) -> Whole:
    return Whole(stream.status, stream.headers, bytes(stream.raw))


def _own_words(answer: Whole) -> str:
    judges.refused_with(400)(answer)
    error: dict[str, Any] = answer.json["error"]
    lost = [key for key, value in ERROR.items() if error.get(key) != value]
    if lost:
        raise Fault(f"lost or changed: {', '.join(lost)}; the message is {error['message']!r}")
    return f"400, {ERROR['code']}, {ERROR['message']!r}"


async def _limited(lab: Lab) -> Whole:
    return await _plainly(lab, refused(429, BROKEN, (("Retry-After", RETRY_AFTER),)))


def _says_when(answer: Whole) -> str:
    judges.refused_with(429)(answer)
    if answer.headers.get("retry-after") != RETRY_AFTER:
        raise Fault(f"429, Retry-After is {answer.headers.get('retry-after')}")
    return f"429, Retry-After {RETRY_AFTER}"


async def _html(lab: Lab) -> Whole:
    return await _plainly(lab, _page)


async def _html_stream(lab: Lab) -> Whole:
    return _as_whole(await _streamed(lab, _page))


def _put_into_words(answer: Whole) -> str:
    return judges.refused_with(500, 502, 503)(answer)


async def _error_event(lab: Lab) -> Transcript:
    return await _streamed(lab, _error_within)


async def _break_off(lab: Lab) -> Transcript:
    return await _streamed(lab, _cut_off)


async def _without_stream(lab: Lab) -> Transcript:
    return judges.accepted(await _streamed(lab, _unstreamed))


def _told(stream: Transcript) -> str:
    seen = judges.ends_with_error(stream)
    if BROKEN["message"] not in str(stream.errors[0]):
        raise Fault(f"not in the upstream's words: {seen}")
    return seen


def _streamed_after_all(stream: Transcript) -> str:
    judges.marked_as_stream(stream)
    return judges.text_is("Hello.")(stream)


SCRIPTED: tuple[AnyExperiment, ...] = (
    single("a refusal in the model server's own words", "WK-151", _refused, _own_words),
    single("a refusal of a stream, too", "WK-151", _refused_stream, _own_words),
    single("a 429 says when to try again", "WK-151", _limited, _says_when),
    single("an HTML page is put into words", "WK-151", _html, _put_into_words),
    single("an HTML page is put into words for a stream", "WK-151", _html_stream, _put_into_words),
    single("an error within a stream is told", "WK-142", _error_event, _told),
    Experiment(
        _break_off, (Check("a stream that breaks off is no good end", "WK-137", judges.ends_with_error),)
    ),
    single("a model server that does not stream", "WK-138", _without_stream, _streamed_after_all),
)
