"""The views of one trace: summary, tools, permissions."""

from collections.abc import Sequence
from typing import Any

from werkzeugkoppler.inspecting.blocks import Block, Cell, Lines, Table
from werkzeugkoppler.inspecting.facts import Facts, Span, number
from werkzeugkoppler.inspecting.reading import Event
from werkzeugkoppler.inspecting.words import MAX_VALUE_CHARS, duration, event_line, size, state
from werkzeugkoppler.wire.glance import MAX_FINISH_CHARS, count
from werkzeugkoppler.wire.printable import cut

EDITED = "edited by the operator"
REFUSALS = (401, 403)
"""Status codes by which somebody is told that he may not."""


def summary(facts: Facts) -> list[Block]:
    """What was asked, what came of it, and how long each step took."""
    rows: list[tuple[str, str | Cell]] = [
        ("trace", facts.id),
        ("status", state(facts.status)),
        ("asked", _asked(facts)),
        ("model", _model(facts)),
        ("answer", _answer(facts)),
        ("tokens", tokens(facts.usage)),
        ("time", duration(facts.ms)),
    ]
    rows += [("error", Cell(_error(error), "bad")) for error in facts.errors]
    if facts.retries:
        rows.append(("retries", str(max(number(event, "retry") for event in facts.retries))))
    steps = [_step(span) for span in facts.spans]
    table = Table(("step", "state", "time", "what"), steps, frozenset({"time"}), "(no steps in this trace)")
    return [Table(("", ""), [row for row in rows if row[1]]), table]


def tools(facts: Facts) -> list[Block]:
    """Every call of a tool of ours, with its result; its contents below, where the trace has them."""
    calls = facts.of("tool")
    rows = [
        (
            span.name,
            str(span.call.get("leg", "")),
            state(span.state),
            duration(span.ms),
            size(number(span.call, "bytes")),
            size(number(span.event, "bytes")) if span.state != "running" else "",
            str(span.event.get("call_id", "")),
        )
        for span in calls
    ]
    headings = ("tool", "leg", "state", "time", "arguments", "result", "call id")
    right = frozenset({"leg", "time", "arguments", "result"})
    said = [Lines(lines) for span in calls if (lines := _said(span))]
    return [Table(headings, rows, right, "(no tool events in this trace)"), *said]


def permissions(decisions: Sequence[Event]) -> list[Block]:
    """What somebody was allowed, or not.

    Args:
        decisions: The events about it; see `is_decision`.
    """
    lines = [event_line(event) + (f"  {EDITED}" if event.get("edited") else "") for event in decisions]
    return [Lines(lines or ["(no permission events in this trace)"])]


def is_decision(event: Event) -> bool:
    """Whether an event tells of a permission: asked for, given, denied, given for something else."""
    is_refusal = event["type"] == "error" and event.get("status_code") in REFUSALS
    is_operators = bool(event.get("denied") or event.get("edited"))
    return event["type"].startswith(("permission_", "auth_check_")) or is_operators or is_refusal


def tokens(usage: Any) -> str:
    """A usage in words, empty where there is none."""
    if not isinstance(usage, dict):
        return ""
    more = [
        f"{count} {word}"
        for group, key, word in (
            ("prompt_tokens_details", "cached_tokens", "cached"),
            ("completion_tokens_details", "reasoning_tokens", "reasoning"),
        )
        if (count := number(detail(usage, group), key))
    ]
    told = f"{number(usage, 'prompt_tokens')} in, {number(usage, 'completion_tokens')} out"
    return f"{told} ({', '.join(more)})" if more else told


def detail(usage: Any, group: str) -> dict[str, Any]:
    """An object within a usage, empty where there is none."""
    value = usage.get(group) if isinstance(usage, dict) else None
    return value if isinstance(value, dict) else {}


def _asked(facts: Facts) -> str:
    request = facts.request
    what = " ".join(str(request[key]) for key in ("method", "path") if key in request)
    if not what and request:
        what = f"{'streamed' if request.get('stream') else 'plain'} chat"
        if offered := number(request, "tool_count"):
            what += f", {count(offered, 'tool')} of the client's"
    at = str(request.get("at", ""))
    who = str(request.get("client_addr", ""))
    if "forked_from" in request:
        who = f"a fork of {request['forked_from']} at leg {request.get('forked_leg')}"
    return ", ".join(part for part in (at, who, what) if part)


def _model(facts: Facts) -> str:
    request = facts.request
    asked = request.get("model_substituted_from") or request.get("model")
    answered = ", ".join(facts.models)
    if not facts.is_chat or not (asked or answered):
        return ""
    if asked == answered or not answered:
        return str(asked)
    return f"{answered} answered, {asked or 'none'} was asked for"


def _answer(facts: Facts) -> str:
    if not facts.response:
        return ""
    legs = facts.of("leg")
    finish = cut(legs[-1].event.get("finish_reason", ""), MAX_FINISH_CHARS) if legs else ""
    written, keepalives = number(facts.response, "bytes_written"), number(facts.response, "keepalives")
    by = str(facts.response.get("cancelled_by", "")).replace("_", " ")
    parts = [finish, size(written), count(keepalives, "keepalive") if keepalives else "", by]
    return ", ".join(part for part in parts if part)


def _error(error: Event) -> str:
    parts = (error.get("status_code"), error.get("code"), error.get("reason"))
    return " ".join(str(part) for part in parts if part is not None)


def _step(span: Span) -> tuple[str | Cell, ...]:
    event = span.event
    more: list[str] = []
    if span.kind == "leg":
        repairs = event.get("repairs")
        more = [tokens(event.get("usage")), *map(str, repairs if isinstance(repairs, list) else ())]
        if "first_delta_ms" in event:
            more.insert(0, f"first delta after {duration(number(event, 'first_delta_ms'))}")
        if event["type"] == "leg" and "bytes" in event:
            more.append(f"{size(number(event, 'bytes'))} had come")
    elif "bytes" in event and span.state != "running":
        more = [size(number(event, "bytes"))]
    name = span.name if span.kind == "command" else f"{span.kind} {span.name}"
    return name, state(span.state), duration(span.ms), ", ".join(part for part in more if part)


def _said(span: Span) -> list[str | Cell]:
    ended = span.event if span.event is not span.call else {}
    texts = [f"arguments: {span.call['arguments']}"] if "arguments" in span.call else []
    if ended.get("edited"):
        texts.append(f"{EDITED}: {ended['arguments']}" if "arguments" in ended else EDITED)
    texts += [f"content: {ended['content']}"] if "content" in ended else []
    cut = [
        text if len(text) <= 10 * MAX_VALUE_CHARS else f"{text[: 10 * MAX_VALUE_CHARS]}..." for text in texts
    ]
    return [Cell(f"{span.name} {span.event.get('call_id', '')}", "faint"), *cut] if cut else []
