"""What a client was told then and now, without what is chance: keepalives, and the grouping of progress."""

from collections.abc import Iterator
from typing import Any

from werkzeugkoppler.playing.words import first_difference
from werkzeugkoppler.turn.asides import FIELDS, is_news
from werkzeugkoppler.wire.jsontext import json_object
from werkzeugkoppler.wire.sse import KEEPALIVE, SseEvent, SseReader


def difference(now: bytes, then: bytes, *, is_stream: bool, is_command: bool, is_whole: bool) -> str | None:
    """What differs first between two answers; `None` where they are the same.

    Args:
        is_command: The answer of a direct command: in which pieces its output came is chance.
        is_whole: Both came to their end; otherwise they only have to begin alike.
    """
    if is_stream:
        now, then = _settled(now), _settled(then)
        if is_command and now != then:
            now, then = _told(now), _told(then)
    if not is_whole:
        length = min(len(now), len(then))
        now, then = now[:length], then[:length]
    return first_difference(now, then, "now", "in the file")


def identity_of(answer: bytes) -> dict[str, Any]:
    """`created` and `model` of an answer, as far as it has them."""
    for event in _events(answer) if not answer.lstrip().startswith(b"{") else [SseEvent(answer, answer)]:
        value = json_object(event.data) or {}
        if "choices" in value:
            return {key: value[key] for key in ("created", "model") if key in value}
    return {}


def _events(stream: bytes) -> list[SseEvent]:
    reader = SseReader()
    return [*reader.feed(stream), *reader.close()]


def _settled(stream: bytes) -> bytes:
    kept = (event.raw for event in _events(stream) if event.raw != KEEPALIVE and not _is_progress(event))
    return b"".join(kept)


def _is_progress(event: SseEvent) -> bool:
    if b"==> " not in event.data:
        return False
    return any(
        list(delta) == [key] and isinstance(delta[key], str) and is_news(delta[key])
        for delta in _deltas(event)
        for key in FIELDS
    )


def _told(stream: bytes) -> bytes:
    """The text of a stream, however it was cut into chunks."""
    events = _events(stream)
    return "".join(str(delta.get("content") or "") for event in events for delta in _deltas(event)).encode(
        "utf-8", "replace"
    )


def _deltas(event: SseEvent) -> Iterator[dict[str, Any]]:
    choices = (json_object(event.data) or {}).get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict) and isinstance(choice.get("delta"), dict):
            yield choice["delta"]
