"""Turns as an upstream means them, the many streams that bring them, and what a client is to get."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, cycle
from typing import Any, Final

from hypothesis import strategies as st

from tests.fakes.chunks import CREATED, ID, MODEL, Call
from tests.oracle import Complete
from tests.turn.relaying import OURS
from werkzeugkoppler.wire import usage as usage_of

TEXTS: Final = st.text(max_size=40)
"""Any characters but halves of surrogate pairs, which no server can send as UTF-8."""
LINE_ENDS: Final = st.sampled_from([b"\n", b"\r\n", b"\r"])
NOISE: Final = (b": ping", b":", b"data: oops", b"event: ping\ndata:", b"data: [1]", b"retry: 5")
"""Lines of a stream that say nothing."""


@dataclass(frozen=True)
class Said:
    """A message of the upstream's."""

    text: str
    reasoning: str
    calls: tuple[Call, ...]
    finish: str
    usage: dict[str, int] | None


@dataclass(frozen=True)
class Sent:
    """A message, and the stream that brings it."""

    said: Said
    data: bytes


def _cut(draw: st.DrawFn, text: str) -> list[str]:
    """The text in pieces, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def _calls(draw: st.DrawFn, prefixes: tuple[str, ...], least: int) -> tuple[Call, ...]:
    """Calls of tools whose names begin in one of these ways."""
    arguments = st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=3)
    wanted = draw(st.lists(st.tuples(st.sampled_from(prefixes), arguments), min_size=least, max_size=3))
    plain = draw(st.booleans())
    return tuple(
        Call(f"{prefix}tool_{n}", json.dumps(values, ensure_ascii=plain), f"call_{n}")
        for n, (prefix, values) in enumerate(wanted)
    )


@st.composite
def said(draw: st.DrawFn, *, is_last: bool) -> Said:
    """A message: with calls of ours, or with the client's or none where it is the last."""
    calls = draw(_calls(("edit_",), 0) if is_last else _calls((OURS,), 1))
    if calls:
        finish = draw(st.sampled_from(["tool_calls", "stop"]))
    else:
        finish = draw(st.sampled_from(["stop", "length", "content_filter"]))
    count = st.integers(0, 10**6)
    usage = draw(st.none() | st.fixed_dictionaries({"prompt_tokens": count, "total_tokens": count}))
    return Said(draw(TEXTS), draw(TEXTS), calls, finish, usage)


def _deltas_of_call(draw: st.DrawFn, index: int, call: Call) -> list[dict[str, Any]]:
    first, *rest = _cut(draw, call.arguments)
    begin = call.wire() | {"index": index, "function": {"name": call.name, "arguments": first}}
    return [begin, *({"index": index, "function": {"arguments": piece}} for piece in rest)]


def _deltas(draw: st.DrawFn, message: Said) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant"}] if draw(st.booleans()) else []
    deltas += [{"reasoning_content": piece} for piece in _cut(draw, message.reasoning)]
    deltas += [{"content": piece} for piece in _cut(draw, message.text)]
    waiting = [_deltas_of_call(draw, index, call) for index, call in enumerate(message.calls)]
    is_parallel = draw(st.booleans())
    while waiting:
        # Begun in order, then in parallel: no server begins a later call first.
        at = draw(st.integers(0, len(waiting) - 1)) if is_parallel else 0
        begun = [calls for calls in waiting if "id" not in calls[0]]
        calls = waiting[at] if waiting[at] in begun else next(c for c in waiting if "id" in c[0])
        deltas.append({"tool_calls": [calls.pop(0)]})
        waiting = [calls for calls in waiting if calls]
    return deltas


def _chunks(draw: st.DrawFn, message: Said) -> Iterator[dict[str, Any]]:
    """The chunks of a message; the usage stands in one of its own, or with the finish."""
    head = {"id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": MODEL}
    is_apart = draw(st.booleans())
    for delta in _deltas(draw, message):
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last = head | {"choices": [{"index": 0, "delta": {}, "finish_reason": message.finish}]}
    yield last if is_apart or message.usage is None else last | {"usage": message.usage}
    if is_apart and message.usage is not None:
        yield head | {"choices": [], "usage": message.usage}


@st.composite
def sent(draw: st.DrawFn, message: Said) -> Sent:
    """A stream that brings the message, with noise, in any of the line ends."""
    end = draw(LINE_ENDS)
    is_plain = draw(st.booleans())
    blocks: list[bytes] = []
    for chunk in _chunks(draw, message):
        blocks += draw(st.lists(st.sampled_from(NOISE), max_size=1))
        blocks.append(b"data: " + json.dumps(chunk, ensure_ascii=is_plain).encode())
    blocks += [b"data: [DONE]"] if draw(st.booleans()) else []
    # In JSON no line end stands as it is.
    return Sent(message, b"".join(block.replace(b"\n", end) + end + end for block in blocks))


@st.composite
def legs(draw: st.DrawFn) -> tuple[Sent, ...]:
    """The streams of a turn, in order."""
    number = draw(st.integers(1, 3))
    messages = [draw(said(is_last=n == number)) for n in range(1, number + 1)]
    return tuple(draw(sent(message)) for message in messages)


SIZES: Final = st.lists(st.integers(1, 200), min_size=1, max_size=6)
"""Of the pieces in which a stream comes, again and again."""


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """A stream as a network cuts it."""
    ends = accumulate(cycle(sizes), initial=0)
    found: list[bytes] = []
    start = next(ends)
    while start < len(data):
        end = next(ends)
        found.append(data[start:end])
        start = end
    return found


def whole(turn: tuple[Sent, ...]) -> Complete:
    """What the client is to get of all legs."""
    usage: dict[str, Any] | None = None
    for leg in turn:
        usage = usage_of.add(usage, leg.said.usage)
    last = turn[-1].said
    return Complete(
        "".join(leg.said.text for leg in turn),
        "tool_calls" if last.calls else last.finish,
        tuple((call.name, call.arguments) for call in last.calls),
        "".join(leg.said.reasoning for leg in turn),
        usage,
    )
