"""Traces as they are written: each new event, of all requests or of one."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from werkzeugkoppler.inspecting.folder import newest, paths
from werkzeugkoppler.inspecting.reading import Event, parse_line
from werkzeugkoppler.traces import SUFFIX

POLL_SECONDS = 0.25
"""As often as the writer writes."""
IDLE_SECONDS = 3600.0
"""Without news after which a trace is no longer looked at."""
DONE_SECONDS = 5.0
"""The same after the response: what was broken off may still be told."""

MAX_RUNNING = 200
"""Of the traces that were there before: so many may still be written to."""


@dataclass(slots=True)
class _Followed:
    offset: int
    """Bytes that have been read, whole lines only."""
    idle_since: float
    is_done: bool = False

    def is_over(self, now: float) -> bool:
        return now - self.idle_since > (DONE_SECONDS if self.is_done else IDLE_SECONDS)


class Follower:
    """Reads what is appended to the traces of a folder.

    Args:
        only: One trace's file, which is then read from its beginning; else all that come from now on.
        clock: In seconds.
    """

    def __init__(
        self, folder: Path, only: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._only = only
        self._clock = clock
        self._known: set[Path] = set()
        self._followed: dict[Path, _Followed] = {}
        if only is not None:
            self._followed[only] = _Followed(0, clock())
            return
        there = newest(folder)
        self._known.update(there)
        for path in there[:MAX_RUNNING]:
            self._followed[path] = _Followed(_size(path), clock())

    @property
    def is_done(self) -> bool:
        """The one trace has told of its response."""
        return self._only is not None and all(followed.is_done for followed in self._followed.values())

    def news(self) -> list[tuple[str, Event]]:
        """The events that have come since the last look, in their order, each with its trace's id."""
        return sorted(self._news(self._clock()), key=lambda item: str(item[1]["at"]))

    def _news(self, now: float) -> Iterator[tuple[str, Event]]:
        if self._only is None:
            there = set(paths(self._folder))
            for path in sorted(there - self._known):
                self._followed[path] = _Followed(0, now)
            self._known = there
        for path, followed in list(self._followed.items()):
            yield from self._read(path, followed, now)
            if followed.is_over(now):
                del self._followed[path]

    def _read(self, path: Path, followed: _Followed, now: float) -> Iterator[tuple[str, Event]]:
        if _size(path) <= followed.offset:
            return
        with path.open("rb") as file:
            file.seek(followed.offset)
            whole, _, _ = file.read().rpartition(b"\n")  # the last line may still be coming
        followed.offset += len(whole) + 1 if whole else 0
        followed.idle_since = now
        for line in whole.splitlines():
            if (event := parse_line(line)) is not None:
                followed.is_done |= event["type"] == "proxy_response"
                yield path.name.removesuffix(SUFFIX), event


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
