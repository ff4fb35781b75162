"""What a client may expect of an answer, as functions that look at what came over the wire.

Each gives what was seen, and raises `Fault` where it is not what OpenAI's own server would have sent.
"""

from collections.abc import Callable

from werkzeugkoppler.doctor.probe.transcript import Transcript, Whole
from werkzeugkoppler.doctor.probe.verdict import Fault

SHOWN_CHARS = 80


def accepted(stream: Transcript) -> Transcript:
    """The stream itself, where it is one."""
    if stream.status != 200:
        raise Fault(f"status {stream.status}: {_shown(bytes(stream.raw))}")
    return stream


# Streams


def marked_as_stream(stream: Transcript) -> str:
    kind = stream.headers.get("content-type", "no content type")
    if not kind.startswith("text/event-stream"):
        raise Fault(kind)
    encoding = stream.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Fault(f"content-encoding {encoding}: compressed events come in bursts")
    return kind


def only_events(stream: Transcript) -> str:
    if stream.broken:
        raise Fault(stream.broken)
    if stream.garbage:
        raise Fault(f"{len(stream.garbage)} events are no JSON object: {_shown(stream.garbage[0])}")
    try:
        stream.raw.decode()
    except UnicodeDecodeError as error:
        raise Fault("the stream is no UTF-8") from error
    return f"{len(stream.chunks)} chunks"


def one_id(stream: Transcript) -> str:
    return _the_same(stream, "id")


def one_model(stream: Transcript) -> str:
    return _the_same(stream, "model")


def one_time(stream: Transcript) -> str:
    return _the_same(stream, "created")


def _the_same(stream: Transcript, key: str) -> str:
    values = stream.heads(key)
    if len(values) != 1:
        raise Fault(f"{len(values)} values: {', '.join(values)}")
    if values == ["None"]:
        raise Fault("there is none")
    return f"{values[0]} on {len(stream.chunks)} chunks"


def one_role(stream: Transcript) -> str:
    if stream.roles != ["assistant"]:
        raise Fault(f"{len(stream.roles)} role deltas")
    return "one, assistant"


def one_finish(stream: Transcript) -> str:
    if len(stream.finishes) != 1:
        raise Fault(f"{len(stream.finishes)} finish_reasons {', '.join(stream.finishes)}".rstrip())
    return stream.finishes[0]


def one_end_mark(stream: Transcript) -> str:
    if stream.done != 1:
        raise Fault(f"{stream.done} [DONE]")
    if stream.datas[-1].strip() != b"[DONE]":
        raise Fault(f"after [DONE] came {_shown(stream.datas[-1])}")
    return "one, at the end"


def one_usage(stream: Transcript) -> str:
    if len(stream.usages) != 1:
        raise Fault(f"{len(stream.usages)} chunks with usage")
    return f"{stream.usages[0].get('total_tokens')} tokens"


def no_usage(stream: Transcript) -> str:
    if stream.usages:
        raise Fault(f"{len(stream.usages)} chunks with usage")
    return "none"


def some_text(stream: Transcript) -> str:
    if not stream.text:
        raise Fault("no text")
    return f"{len(stream.text)} characters"


def text_is(expected: str) -> Callable[[Transcript], str]:
    def judge(stream: Transcript) -> str:
        if stream.text != expected:
            raise Fault(f"{stream.text!r} instead of {expected!r}")
        return repr(expected)

    return judge


def ends_with_error(stream: Transcript) -> str:
    """F18: an error event, then the end mark, and no sign of a good end."""
    if not stream.errors:
        good_end = f", finish_reason {stream.finishes[0]}" if stream.finishes else ""
        raise Fault(f"no error event{good_end}" + (f", {stream.broken}" if stream.broken else ""))
    if stream.finishes:
        raise Fault(f"an error, and finish_reason {stream.finishes[0]} too")
    if stream.done != 1:
        raise Fault(f"an error event, and {stream.done} [DONE] after it")
    error = stream.errors[0]["error"]
    message = error.get("message") if isinstance(error, dict) else error
    return f"an error event: {_shown(str(message))}, then [DONE]"


# Whole answers


def is_completion(answer: Whole) -> str:
    if answer.status != 200:
        raise Fault(f"status {answer.status}: {_shown(answer.body)}")
    try:
        (choice,) = answer.json["choices"]
        role, finish = choice["message"]["role"], choice["finish_reason"]
    except (LookupError, TypeError, ValueError):
        raise Fault(f"no completion with one choice: {_shown(answer.body)}") from None
    if role != "assistant" or not finish:
        raise Fault(f"role {role}, finish_reason {finish}")
    return f"finish_reason {finish}"


def usage_of(answer: Whole) -> str:
    usage = answer.json.get("usage") if isinstance(answer.json, dict) else None
    if not isinstance(usage, dict) or not isinstance(usage.get("total_tokens"), int):
        raise Fault(f"usage is {usage}")
    return f"{usage['total_tokens']} tokens"


def refused_with(*statuses: int) -> Callable[[Whole], str]:
    """An error in OpenAI's form, with one of these statuses."""

    def judge(answer: Whole) -> str:
        error = answer.json.get("error") if isinstance(answer.json, dict) else None
        if not isinstance(error, dict) or not isinstance(error.get("message"), str):
            raise Fault(f"{answer.status}, not in OpenAI's form: {_shown(answer.body)}")
        if answer.status not in statuses:
            raise Fault(f"{answer.status} instead of {' or '.join(map(str, statuses))}")
        return f"{answer.status}: {_shown(error['message'])}"

    return judge


def _shown(text: str | bytes) -> str:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return (text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}...") or "nothing"
