"""A model's answer: the message put together, the calls, the usage, and when each event of a stream came."""

import json
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, NamedTuple

from mitmproxy import http

from werkzeugkoppler.views.message import call_lines, message_lines
from werkzeugkoppler.views.paper import inline, members, short
from werkzeugkoppler.views.view import Link, View
from werkzeugkoppler.wire.assemble import MessageAssembler
from werkzeugkoppler.wire.completion import calls_of, finish_reason_of, first_choice
from werkzeugkoppler.wire.glance import count, duration, size
from werkzeugkoppler.wire.http import EVENT_STREAM, media_type
from werkzeugkoppler.wire.jsontext import json_object
from werkzeugkoppler.wire.sse import SseReader

FIRST_EVENTS, LAST_EVENTS = 40, 10
"""Of a stream, shown one by one."""


class Answer(View):
    """What a model answers, and what a client gets: streamed or plain."""

    name = "Chat answer"

    def render(self, data: bytes, message: http.Message, link: Link) -> list[str] | None:
        if not isinstance(message, http.Response):
            return None
        if media_type(tuple(message.headers.items(multi=True))) == EVENT_STREAM:
            return _streamed(data, link)
        return _plain(data) if b'"choices"' in data else None


def _plain(data: bytes) -> list[str] | None:
    body = json_object(data)
    choice = first_choice(body) if body is not None else None
    message = choice.get("message") if choice is not None else None
    if body is None or choice is None or not isinstance(message, dict):
        return None
    answer = _Gathered()
    answer.note(body)
    lines = message_lines(short(message.get("role") or "message"), message)
    return [f"# answer · {size(len(data))}", "", *lines, *answer.end_lines()]


def _streamed(data: bytes, link: Link) -> list[str] | None:
    events = list(_events(data, link))
    answer = _Gathered()
    for event in events:
        if isinstance(event.chunk, dict):
            answer.note(event.chunk)
    if not answer.has_chunks:
        return None
    head = ["streamed answer", count(len(events), "event"), size(len(data)), *_times(events, link)]
    return [f"# {' · '.join(head)}", "", *answer.message_lines(), *answer.end_lines(), "", *_table(events)]


class _Event(NamedTuple):
    offset: int
    ms: int | None
    """When all of it had come, since it was asked for, as far as that was recorded."""
    chunk: Any
    """The data as a value, the text where it is no JSON, `None` for a comment."""


def _events(data: bytes, link: Link) -> Iterator[_Event]:
    reader, offset, arrivals = SseReader(), 0, _arrivals(link)
    for event in [*reader.feed(data), *reader.close()]:
        end = min(len(data), offset + len(event.raw))
        yield _Event(offset, _arrived(end, arrivals), _value(event.data))
        offset = end


def _value(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


class _Gathered:
    """What chunks, or a completion, tell beside each other."""

    def __init__(self) -> None:
        self.has_chunks = False
        self._message = MessageAssembler(str)
        self._members: dict[str, Any] = {}
        self._finish: str | None = None

    def note(self, chunk: dict[str, Any]) -> None:
        self.has_chunks = self.has_chunks or isinstance(chunk.get("choices"), list) or "error" in chunk
        told = {key: value for key, value in chunk.items() if key not in ("choices", "object") and value}
        self._members |= told
        choice = first_choice(chunk) or {}
        self._finish = finish_reason_of(choice) or self._finish
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._message.add(delta)
            for call in calls_of(delta):
                self._message.add_call(call)

    def message_lines(self) -> list[str]:
        message = self._message.message()
        calls = message.pop("tool_calls", [])
        lines = message_lines("assistant", message) if len(message) > 2 or message.get("content") else []
        return [*lines, *(line for call in calls if isinstance(call, dict) for line in call_lines(call))]

    def end_lines(self) -> list[str]:
        lines = ["", f"finish: {self._finish or 'none'}"]
        for key, value in self._members.items():
            lines += [_usage(value)] if key == "usage" else members({key: value})
        return lines


def _usage(usage: Any) -> str:
    if not isinstance(usage, dict):
        return f"usage: {inline(usage)}"
    details = [value for key, value in usage.items() if key.endswith("_details") and isinstance(value, dict)]
    more = [f"{key} {value}" for detail in details for key, value in detail.items() if value]
    parts = [
        f"{key.removesuffix('_tokens')} {inline(value)}"
        for key, value in usage.items()
        if value not in details
    ]
    return f"usage: {', '.join([*parts, *more])}"


# When


def _arrivals(link: Link) -> list[tuple[int, int]]:
    """The bytes that had come, and when in ms, as `Recording` noted them."""
    points = link.get("arrivals")
    pairs = [point for point in points if _is_pair(point)] if isinstance(points, list) else []
    return sorted((point[0], point[1]) for point in pairs)


def _is_pair(point: Any) -> bool:
    return isinstance(point, list | tuple) and len(point) == 2 and all(isinstance(n, int) for n in point)


def _arrived(end: int, arrivals: list[tuple[int, int]]) -> int | None:
    at = bisect_left(arrivals, (end, 0))
    return arrivals[at][1] if at < len(arrivals) else None


def _times(events: list[_Event], link: Link) -> Iterator[str]:
    arrivals = _arrivals(link)
    if not arrivals:
        return
    yield f"first byte {duration(arrivals[0][1] / 1000)}"
    first = next((event.ms for event in events if _says(event.chunk)), None)
    if first is not None:
        yield f"first text {duration(first / 1000)}"
    yield f"last {duration(arrivals[-1][1] / 1000)}"


def _says(chunk: Any) -> bool:
    delta = (first_choice(chunk) or {}).get("delta") if isinstance(chunk, dict) else None
    return isinstance(delta, dict) and any(value for key, value in delta.items() if key != "role")


def _table(events: list[_Event]) -> Iterator[str]:
    yield "events:"
    hidden = len(events) - FIRST_EVENTS - LAST_EVENTS
    for index, event in enumerate(events):
        if hidden > 1 and index == FIRST_EVENTS:
            yield f"  # … {hidden} more events …"
        if hidden <= 1 or index < FIRST_EVENTS or index >= len(events) - LAST_EVENTS:
            when = "" if event.ms is None else f"{event.ms} ms"
            yield f"  - {when:>9}  byte {event.offset:<7} {_gist(event.chunk)}"


def _gist(chunk: Any) -> str:
    """What an event brought, in few words."""
    if chunk is None:
        return "comment"
    if not isinstance(chunk, dict):
        return short(chunk)
    choice = first_choice(chunk) or {}
    delta = choice.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    words = [f"{key} {short(value, 60)}" for key, value in delta.items() if value and key != "tool_calls"]
    words += [short(call_lines(call)[0], 60) for call in calls_of(delta)]
    words += [f"finish {reason}"] if (reason := finish_reason_of(choice)) else []
    words += [key for key in ("usage", "error") if chunk.get(key)]
    return ", ".join(words) or "nothing"
