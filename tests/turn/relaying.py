"""Streams put through the relay in every split, and what came out."""

import json
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from tests.fakes.chunks import DONE, event
from tests.wire.splits import splits
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.relay import StreamedAnswer
from werkzeugkoppler.wire.sse import SseReader

IDENTITY: Final = {"id": "chatcmpl-made", "created": 1, "model": "asked-for"}
"""Given to a stream whose upstream names none."""
OURS: Final = "server__"
"""Calls whose name begins so are run here."""
CUT_EVERY: Final = 97
"""Bytes between the positions where a leg is cut in two: all of them take too long for every test."""


@dataclass(frozen=True)
class Relayed:
    """What the client saw, and what the legs brought."""

    shown: bytes
    legs: tuple[Leg, ...]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The events in order, without the end mark."""
        data = [event.data for event in SseReader().feed(self.shown) if event.data]
        assert data.count(b"[DONE]") == 1
        assert data[-1] == b"[DONE]"
        return [json.loads(item) for item in data[:-1]]

    @property
    def choices(self) -> list[dict[str, Any]]:
        return [choice for chunk in self.chunks for choice in chunk["choices"]]

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [choice["delta"] for choice in self.choices]

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The items of all `tool_calls` in order."""
        return [call for delta in self.deltas for call in delta.get("tool_calls") or ()]

    @property
    def finishes(self) -> list[str]:
        return [choice["finish_reason"] for choice in self.choices if choice["finish_reason"]]

    @property
    def usages(self) -> list[dict[str, Any]]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]


def is_ours(name: str) -> bool:
    return name.startswith(OURS)


def new_answer(**overrides: Any) -> StreamedAnswer:
    numbers = count(1)
    settings: dict[str, Any] = {
        "is_ours": is_ours,
        "wants_usage": True,
        "identity": IDENTITY,
        "new_id": lambda: f"call_made{next(numbers)}",
    }
    return StreamedAnswer(**settings | overrides)


def stream(*events: dict[str, Any] | bytes, done: bool = True) -> bytes:
    """The bytes of a leg: chunks as events, bytes as they are."""
    return b"".join(e if isinstance(e, bytes) else event(e) for e in events) + (DONE if done else b"")


def feed(answer: StreamedAnswer, pieces: list[bytes]) -> bytes:
    """One leg's pieces, up to its end; gives what the client sees of them."""
    reader = SseReader()
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.close()
    return b"".join([answer.take(event) for event in events])


def relay(*legs: bytes, **overrides: Any) -> Relayed:
    """Put a turn's legs through the relay, each in every split: all must come out alike."""
    outcomes = [_relay(list(pieces), overrides) for pieces in _split_together(legs)]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    return outcomes[0]


def _relay(legs: list[list[bytes]], overrides: dict[str, Any]) -> Relayed:
    answer = new_answer(**overrides)
    shown = b""
    ended: list[Leg] = []
    for pieces in legs:
        shown += feed(answer, pieces)
        ended.append(answer.end_leg())
    return Relayed(shown + answer.close(), tuple(ended))


def _split_together(legs: tuple[bytes, ...]) -> list[list[list[bytes]]]:
    """The splits of one leg while the others come whole."""
    whole = [[leg] for leg in legs]
    return [
        [*whole[:position], pieces, *whole[position + 1 :]]
        for position, leg in enumerate(legs)
        for pieces in splits(leg, CUT_EVERY)
    ]
