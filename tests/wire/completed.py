"""Chunks and completions, turned into each other as values."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from werkzeugkoppler.wire.completion import StreamedCompletion, to_events
from werkzeugkoppler.wire.jsontext import JsonObject


def from_chunks(chunks: Iterable[dict[str, Any]], new_id: Callable[[], str]) -> dict[str, Any]:
    """The completion that a stream brings."""
    streamed = StreamedCompletion(new_id)
    for chunk in chunks:
        streamed.add(JsonObject.parse(json.dumps(chunk)))
    completion: dict[str, Any] = json.loads(streamed.text())
    return completion


def chunks_of(completion: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks that a completion is streamed as."""
    return [json.loads(event.data) for event in to_events(JsonObject.parse(json.dumps(completion)))]
