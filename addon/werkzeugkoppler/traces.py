"""Traces: one NDJSON file for each turn, written by a thread of its own."""

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from werkzeugkoppler import __version__
from werkzeugkoppler.config.schema import Traces

TRACE_VERSION = 1
SUFFIX = ".trace.ndjson"
MAX_WAITING = 10_000
"""Traces that may wait for a slow disk: a few MB. Over it they are dropped, with a warning."""
PRUNE_SECONDS = 600.0
"""Between two looks for old files."""
GATHER_SECONDS = 0.2
"""Traces are written in batches: to wake for each would cost a busy proxy a tenth of its time."""
CLOSE_SECONDS = 2.0
"""How long the last traces may take at the end."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Trace:
    """The events of one turn, kept until it ends."""

    id: str
    events: list[dict[str, Any]]
    now: Callable[[], datetime]

    def add(self, type: str, **fields: Any) -> None:
        """Note an event; `None` fields are left out."""
        known = {key: value for key, value in fields.items() if value is not None}
        self.events.append({"type": type, **known, "at": _stamp(self.now())})


def begin(id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Trace:
    """A trace whose first event says what format this is."""
    trace = Trace(id, [], now)
    trace.add("trace_version", version=TRACE_VERSION, werkzeugkoppler_version=__version__, id=id)
    return trace


class TraceWriter:
    """Writes finished traces, and deletes old ones.

    Args:
        directory: Made if it is not there.
        keep_seconds: Age over which files go; 0 keeps them.
        keep_bytes: Size of all files together over which the oldest go; 0 keeps them.
    """

    def __init__(self, directory: Path, *, keep_seconds: float, keep_bytes: int) -> None:
        self._directory = directory
        self._keep_seconds = keep_seconds
        self._keep_bytes = keep_bytes
        self._waiting: queue.Queue[Trace | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="trace writer", daemon=True)
        self._closing = threading.Event()
        self._warned = False

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Write what waits, for `CLOSE_SECONDS` at the most."""
        self._closing.set()
        try:
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            return
        self._thread.join(CLOSE_SECONDS)

    def write(self, trace: Trace) -> None:
        """Hand over a finished trace; never blocks."""
        try:
            self._waiting.put_nowait(trace)
        except queue.Full:
            self._warn("the disk is too slow")

    def _run(self) -> None:
        next_prune = 0.0
        trace = self._waiting.get()
        while trace is not None:
            self._closing.wait(GATHER_SECONDS)
            while trace is not None:
                self._append(trace)
                trace = None if self._waiting.empty() else self._waiting.get()
            if time.monotonic() >= next_prune:
                next_prune = time.monotonic() + PRUNE_SECONDS
                self._prune()
            trace = None if self._closing.is_set() else self._waiting.get()

    def _append(self, trace: Trace) -> None:
        try:
            _append(self._directory, trace)
        except OSError as error:
            self._warn(str(error))

    def _prune(self) -> None:
        try:
            prune(self._directory, time.time(), keep_seconds=self._keep_seconds, keep_bytes=self._keep_bytes)
        except OSError as error:
            self._warn(str(error))

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("Traces are lost from now on, requests are served: %s", why)


def opened(settings: Traces, environ: Mapping[str, str]) -> TraceWriter | None:
    """A writer at work; `None` where no traces are wanted.

    Args:
        environ: Says where the user's folders are.
    """
    if not settings.enabled:
        return None
    writer = TraceWriter(
        settings.folder(environ), keep_seconds=settings.keep_days * 86400, keep_bytes=settings.keep_bytes
    )
    writer.open()
    return writer


def prune(directory: Path, now: float, *, keep_seconds: float, keep_bytes: int) -> None:
    """Delete the traces that are older than `keep_seconds`, then the oldest over `keep_bytes`.

    Args:
        now: Seconds since the epoch.
    """
    files = sorted(
        (
            (entry.stat().st_mtime, entry.stat().st_size, entry.path)
            for entry in os.scandir(directory)
            if entry.name.endswith(SUFFIX)
        ),
        reverse=True,
    )
    total = 0
    for modified, size, path in files:
        total += size
        if (keep_seconds and now - modified > keep_seconds) or (keep_bytes and total > keep_bytes):
            os.unlink(path)


def _append(directory: Path, trace: Trace) -> None:
    lines = "".join(json.dumps(event, ensure_ascii=False, default=str) + "\n" for event in trace.events)
    path = f"{directory}/{trace.id}{SUFFIX}"
    # By the system calls alone: a request's trace is one small write.
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except FileNotFoundError:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, lines.encode("utf-8", "replace"))
    finally:
        os.close(file)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
