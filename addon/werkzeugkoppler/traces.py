"""Traces: the events of each request, and what of its content may be kept with them."""

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from werkzeugkoppler import __version__
from werkzeugkoppler.errors import ApiError, UpstreamError
from werkzeugkoppler.gate.redact import MARGIN, redacted
from werkzeugkoppler.wire.glance import Tally

TRACE_VERSION = 1
SUFFIX = ".trace.ndjson"
REFUSED = "refused"
"""The subfolder for requests refused from their head: a flood of them must not push out the rest."""
MAX_CONTENT_CHARS = 64_000
"""Of one text; of a longer one the middle is left out: its beginning tells what it is, its end the news."""
_END = MAX_CONTENT_CHARS // 2 + MARGIN
"""Characters at an end that are looked at."""
_MAX_DEPTH = 20
"""Of a value: what is said in a message lies less deep."""

MAX_WORD_CHARS = 200
"""Of what stands under one of these:"""
WORDS = frozenset({"model", "model_substituted_from", "finish_reason"})
"""Fields that any trace has, in the words of a client or a model server: a key may be in them, by mistake."""


@dataclass(frozen=True, slots=True)
class Content:
    """Something that a client, a model or a tool has said. It is made a text when it is written."""

    value: Any
    """Text, bytes of text, or anything that JSON knows."""
    missing: int = field(default=0, compare=False)
    """Characters that were left out of it."""
    size: int = field(default=0, compare=False)
    """About so many bytes wait to be written."""

    @classmethod
    def of(cls, value: Any) -> "Content":
        """What is shown of a value and no more: to hold it takes little memory, to write it little time."""
        kept, missing, size = _shortened(value)
        return cls(kept, missing, size)

    def text(self, secrets: Iterable[str]) -> str:
        """The text without keys, cut in the middle."""
        value = self.value if isinstance(self.value, str | bytes) else json.dumps(self.value, default=str)
        return redacted(value, secrets, MAX_CONTENT_CHARS, self.missing)


def _shortened(value: Any, depth: int = _MAX_DEPTH) -> tuple[Any, int, int]:
    """A value whose long texts have lost their middle, and how much is missing and left of them."""
    if isinstance(value, str | bytes):
        text: Any = value
        missing = max(0, len(text) - 2 * _END)
        # The join shows nowhere: it is too far away from both ends of all that is shown.
        return text[:_END] + text[-_END:] if missing else text, missing, len(text) - missing
    if not isinstance(value, dict | list) or not depth:
        return value, 0, 8
    parts = [_shortened(part, depth - 1) for part in (value.values() if isinstance(value, dict) else value)]
    kept = [part for part, _, _ in parts]
    missing, size = sum(part[1] for part in parts), sum(part[2] + 8 for part in parts)
    return dict(zip(value, kept, strict=True)) if isinstance(value, dict) else kept, missing, size


@dataclass(slots=True)
class Trace:
    """The events of one request that have not been written yet.

    It is filled by the event loop and emptied by the writer's thread.
    """

    id: str
    now: Callable[[], datetime]
    keeps_content: bool = False
    events: deque[dict[str, Any]] = field(default_factory=deque)
    closing: dict[str, Any] = field(default_factory=dict)
    """Fields of the last event that are known before it."""
    tally: Tally = field(default_factory=Tally)
    """What happened so far, for who looks at the request."""
    began: str = ""
    """When the request came."""
    is_refused: bool = False
    is_waiting: bool = False
    """The writer has it in its queue."""
    head: dict[str, Any] = field(default_factory=dict)
    """The event that each of its files begins with."""
    place: Path | None = None
    """The folder in which the writer has begun its file."""
    is_torn: bool = False
    """The last line in its file may be without its end."""
    has_room: Callable[[int], bool] = lambda size: True
    """Whether a content of so many bytes may wait too; the writer knows."""
    _types: set[str] = field(default_factory=set)
    _sink: Callable[["Trace"], None] | None = None

    def add(self, type: str, at: str | None = None, **fields: Any) -> None:
        """Note an event; `None` fields are left out.

        Args:
            at: When it was, if not now.
        """
        known = {key: value for key, value in fields.items() if value is not None}
        self._types.add(type)
        self.tally.note(type, known)
        for key in WORDS & known.keys():
            known[key] = Content(str(known[key])[:MAX_WORD_CHARS])
        self.events.append({"type": type, **known, "at": at or stamp(self.now())})
        if self._sink is not None:
            self._sink(self)

    def add_error(self, error: ApiError) -> None:
        """Note an error that the client is told; in its own words nothing of what was said is repeated."""
        reason = error.summary if isinstance(error, UpstreamError) else None
        self.add("error", status_code=error.status, code=error.code, reason=reason)

    def has(self, type: str) -> bool:
        """Whether an event of this type was noted."""
        return type in self._types

    def content(self, value: Any) -> Content | None:
        """A field for what somebody said; `None`, which is left out, unless contents are kept."""
        if not self.keeps_content or value is None:
            return None
        content = Content.of(value)
        return content if self.has_room(content.size) else None

    def send_to(self, sink: Callable[["Trace"], None]) -> None:
        """From now on tell the sink of each event; it is told at once of those there are."""
        self._sink = sink
        sink(self)


def begin(
    id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, keeps_content: bool = False
) -> Trace:
    """A trace whose first event says what format this is."""
    trace = Trace(id, now, keeps_content, began=stamp(now()))
    trace.add(
        "trace_version", version=TRACE_VERSION, werkzeugkoppler_version=__version__, id=id, at=trace.began
    )
    trace.head = trace.events[0]
    return trace


def stamp(moment: datetime) -> str:
    """A time as an event has it: ISO 8601, UTC, milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
