"""What a trace's events say of the request, put together; events of other types are passed over (OW-33)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from werkzeugkoppler.inspecting.reading import Event
from werkzeugkoppler.wire import usage as usage_of
from werkzeugkoppler.wire.usage import Usage


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took its time, in ms since the request came."""

    kind: str
    """`reader`, `leg`, `tool` or `command`."""
    name: str
    begin: int
    end: int
    state: str
    """How it ended; `running` as long as neither it nor the request has."""
    event: Event
    """The one that told of its end, or else of its beginning."""
    call: Event = field(default_factory=dict)
    """Of a tool: the one that told of its beginning."""

    @property
    def ms(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Facts:
    """A request, as far as its trace tells."""

    id: str
    request: Event
    """Empty where none is told."""
    response: Event
    """Empty as long as the request runs."""
    spans: Sequence[Span]
    """In the order of their beginnings."""
    errors: Sequence[Event]
    retries: Sequence[Event]
    usage: Usage | None
    """Of all legs together."""
    ms: int
    """From the first event to the last, or what the response says."""

    def of(self, kind: str) -> list[Span]:
        """The spans of one kind."""
        return [span for span in self.spans if span.kind == kind]

    @property
    def is_chat(self) -> bool:
        return "stream" in self.request or bool(self.spans)

    @property
    def status(self) -> str:
        """The status code, or in a word why there is none."""
        if not self.response:
            return "running"
        if self.response.get("cancelled"):
            return "cancelled"
        return str(self.response.get("status_code", "?"))

    @property
    def models(self) -> list[str]:
        """The models that answered, each once."""
        return list(dict.fromkeys(str(leg.event["model"]) for leg in self.of("leg") if "model" in leg.event))


def facts_of(id: str, events: Sequence[Event]) -> Facts:
    """Put the events of a trace together."""
    request, response = _first(events, "proxy_request"), _first(events, "proxy_response")
    began = next((at for event in events if (at := moment(event)) is not None), None)
    usage: Usage | None = None
    for event in _all(events, "leg"):
        told = event.get("usage")
        usage = usage_of.add(usage, told) if isinstance(told, dict) else usage
    last = max((_since(began, event) for event in events), default=0)
    return Facts(
        id=id,
        request=request,
        response=response,
        spans=sorted(_spans(events, began, last), key=lambda span: (span.begin, span.end)),
        errors=_all(events, "error"),
        retries=_all(events, "retry"),
        usage=usage,
        ms=number(response, "duration_ms") or last,
    )


def moment(event: Event) -> datetime | None:
    """When an event was, `None` where it does not say."""
    try:
        told = datetime.fromisoformat(str(event["at"]))
    except ValueError:
        return None
    return told if told.tzinfo is not None else None


def number(event: Event, key: str) -> int:
    """A number of an event; 0 where there is none."""
    value = event.get(key)
    return round(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0


# What took its time


def _spans(events: Sequence[Event], began: datetime | None, last: int) -> Iterable[Span]:
    def ended(kind: str, name: Any, event: Event, call: Event) -> Span:
        end = _since(began, event)
        return Span(
            kind, str(name), max(0, end - number(event, "duration_ms")), end, _state(event), event, call
        )

    calls: dict[str, list[Event]] = {}  # that have not ended; another leg's may have the same id
    legs: dict[str, Event] = {}
    for event in events:
        match event["type"]:
            case "tool_call":
                calls.setdefault(str(event.get("call_id")), []).append(event)
            case "leg_request":
                legs[str(event.get("leg"))] = event
            case "reader":
                yield ended("reader", event.get("name"), event, {})
            case "direct_command":
                yield ended("command", "direct command", event, {})
            case "leg":
                legs.pop(str(event.get("leg")), None)
                yield ended("leg", event.get("leg"), event, {})
            case "tool_result" | "tool_cancelled":
                same = calls.get(str(event.get("call_id")))
                call = same.pop(0) if same else {}
                yield ended("tool", event.get("name") or call.get("name"), event, call)
    state = _unended(_first(events, "proxy_response"))
    for left, kind, key in ((chain(*calls.values()), "tool", "name"), (legs.values(), "leg", "leg")):
        for event in left:
            begin = _since(began, event)
            yield Span(kind, str(event.get(key)), begin, max(begin, last), state, event, event)


def _unended(response: Event) -> str:
    """What became of a step of whose end nothing was told."""
    if not response:
        return "running"
    return "cancelled" if response.get("cancelled") else "failed"


def _state(event: Event) -> str:
    if event["type"] == "tool_cancelled" or event.get("cancelled"):
        return "cancelled"
    if event.get("denied"):
        return "denied"
    if event["type"] == "leg":
        return str(event.get("finish_reason") or "ended")
    if event["type"] == "direct_command":
        return "cancelled" if event.get("return_code") is None else f"exit {event['return_code']}"
    if event.get("success") and (code := number(event, "exit_code")):
        return f"exit {code}"
    return "ok" if event.get("success") else "failed"


def _since(began: datetime | None, event: Event) -> int:
    at = moment(event)
    return 0 if at is None or began is None else max(0, round((at - began).total_seconds() * 1000))


def _all(events: Iterable[Event], type: str) -> list[Event]:
    return [event for event in events if event["type"] == type]


def _first(events: Iterable[Event], type: str) -> Event:
    return next((event for event in events if event["type"] == type), {})
