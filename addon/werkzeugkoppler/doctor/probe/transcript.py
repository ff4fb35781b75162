"""A streamed answer as it came over the wire, with nothing hidden."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from werkzeugkoppler.wire.sse import SseEvent, SseReader


@dataclass
class Transcript:
    """What has come so far; `take` adds to it until `close`."""

    status: int
    headers: Mapping[str, str]
    raw: bytearray = field(default_factory=bytearray)
    events: list[SseEvent] = field(default_factory=list)
    broken: str = ""
    """How the body broke off; empty where it ended as it should."""
    _reader: SseReader = field(default_factory=SseReader)

    def take(self, piece: bytes) -> None:
        self.raw += piece
        self.events += self._reader.feed(piece)

    def close(self, broken: str = "") -> None:
        """The body has ended."""
        self.events += self._reader.close()
        self.broken = broken

    @property
    def datas(self) -> list[bytes]:
        """The data of each event that has some, `[DONE]` among them."""
        return [event.data for event in self.events if event.data.strip()]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The JSON objects in order, errors and usage among them; what is no JSON is left out."""
        return [value for data in self.datas if isinstance(value := _json(data), dict)]

    @property
    def garbage(self) -> list[bytes]:
        """Data that is neither a JSON object nor the end mark."""
        return [
            data for data in self.datas if data.strip() != b"[DONE]" and not isinstance(_json(data), dict)
        ]

    @property
    def done(self) -> int:
        """How many end marks came."""
        return sum(data.strip() == b"[DONE]" for data in self.datas)

    @property
    def choices(self) -> list[dict[str, Any]]:
        found = [choice for chunk in self.chunks for choice in chunk.get("choices") or ()]
        return [choice for choice in found if isinstance(choice, dict)]

    @property
    def deltas(self) -> list[dict[str, Any]]:
        found = [choice.get("delta") for choice in self.choices]
        return [delta for delta in found if isinstance(delta, dict)]

    def joined(self, key: str) -> str:
        """The text of one key of the deltas, put together."""
        return "".join(text for delta in self.deltas if isinstance(text := delta.get(key), str))

    @property
    def text(self) -> str:
        return self.joined("content")

    @property
    def roles(self) -> list[str]:
        """Each role that was told; some servers repeat an empty one, which says nothing."""
        return [str(delta["role"]) for delta in self.deltas if delta.get("role")]

    @property
    def finishes(self) -> list[str]:
        return [str(choice["finish_reason"]) for choice in self.choices if choice.get("finish_reason")]

    @property
    def usages(self) -> list[dict[str, Any]]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [chunk for chunk in self.chunks if chunk.get("error")]

    @property
    def call_deltas(self) -> list[dict[str, Any]]:
        """The items of `tool_calls` as they came."""
        found = [call for delta in self.deltas for call in delta.get("tool_calls") or ()]
        return [call for call in found if isinstance(call, dict)]

    @property
    def calls(self) -> "list[SeenCall]":
        """The tool calls as a client puts them together: by the index of each delta."""
        calls: dict[Any, SeenCall] = {}
        for delta in self.call_deltas:
            calls.setdefault(delta.get("index"), SeenCall(delta.get("index"))).add(delta)
        return list(calls.values())

    def heads(self, key: str) -> list[Any]:
        """The different values of a top-level key over all chunks that are no errors, in their order."""
        found = (chunk.get(key) for chunk in self.chunks if not chunk.get("error"))
        return list(dict.fromkeys(str(value) for value in found))


@dataclass
class SeenCall:
    """A tool call as a client sees it."""

    index: Any
    ids: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    arguments: str = ""
    odd: str = ""
    """A piece of arguments that is no text, as JSON."""

    def add(self, delta: dict[str, Any]) -> None:
        function = delta.get("function") or {}
        if delta.get("id"):
            self.ids.append(str(delta["id"]))
        if function.get("name"):
            self.names.append(str(function["name"]))
        piece = function.get("arguments")
        if isinstance(piece, str):
            self.arguments += piece
        elif piece is not None:
            self.odd = json.dumps(piece)


@dataclass(frozen=True)
class Whole:
    """A response, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        return _json(self.body)

    @property
    def text(self) -> str:
        """The body for a message to people."""
        return self.body.decode("utf-8", "replace")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
