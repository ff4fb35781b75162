"""The files of the traces, written by a thread of their own as events come, and pruned."""

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.traces import REFUSED, SUFFIX, Content, Trace

MAX_WAITING = 10_000
"""Traces that may wait for a slow disk: a few MB. Over it they are dropped, with a warning."""
MAX_WAITING_CONTENT = 64 * 1024 * 1024
"""Bytes of contents, about. Over it they are left out, with a warning."""
PRUNE_SECONDS = 600.0
"""Between two looks for old files, at the most."""
PRUNE_FILES = 1000
"""New files after which there is a look, however soon: a flood of requests must not fill the disk."""
PRUNE_BYTES = 16 * 1024 * 1024
"""The same for what was written."""
MAX_REFUSED = 1000
"""Files of refused requests."""
GATHER_SECONDS = 0.2
"""Events are written in batches: to wake for each would cost a busy proxy a tenth of its time."""
CLOSE_SECONDS = 2.0
"""How long the last traces may take at the end."""
WARN_SECONDS = 60.0
"""Between two equal warnings, at the least."""

LOST = "Traces are lost from now on, requests are served"
NOT_DELETED = "Old traces are not deleted"
WITHOUT_CONTENTS = "Traces are without contents for a while"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept; 0 is no limit."""

    seconds: float = 0
    """Age over which files go."""
    bytes: int = 0
    """Of all files together."""
    files: int = 0


class TraceWriter:
    """Writes the events of traces, and deletes old files.

    Args:
        directory: Made if it is not there.
        keeps_content: Whether traces are to have contents; see `Trace.content`.
        secrets: What is taken out of contents.
    """

    def __init__(
        self, directory: Path, keep: Keep, *, keeps_content: bool = False, secrets: Iterable[str] = ()
    ) -> None:
        self._directory = directory
        self._keep = keep
        self._keeps_content = keeps_content
        self._secrets = frozenset(secrets)
        self._encode = json.JSONEncoder(ensure_ascii=False, default=self._plain).encode
        self._waiting: queue.SimpleQueue[Trace | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="trace writer", daemon=True)
        self._closing = threading.Event()
        self._warned: dict[str, float] = {}
        self._content_bytes = 0  # that wait
        self._content_lock = threading.Lock()
        # Since the last look for old files:
        self._new_files = self._new_bytes = 0
        self._next_prune = 0.0

    @property
    def keeps_content(self) -> bool:
        """Contents are wanted."""
        return self._keeps_content

    def hide(self, secrets: Iterable[str]) -> None:
        """Take more out of contents, after a config has changed."""
        self._secrets |= frozenset(secrets)

    def open(self) -> None:
        self._thread.start()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write what waits.

        Args:
            seconds: How long that may take.
        """
        self._closing.set()
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(seconds)

    def write(self, trace: Trace) -> None:
        """Have the events of a trace written; never blocks."""
        trace.has_room = self._has_room
        if trace.is_waiting:
            return
        if self._waiting.qsize() >= MAX_WAITING:
            for _ in self._taken(trace):
                pass
            self._warn(LOST, "the disk is too slow")
            return
        trace.is_waiting = True
        self._waiting.put(trace)

    def _has_room(self, size: int) -> bool:
        with self._content_lock:
            has_room = self._content_bytes + size <= MAX_WAITING_CONTENT
            self._content_bytes += size if has_room else 0
        if has_room:
            self._went_well(WITHOUT_CONTENTS)
        else:
            self._warn(WITHOUT_CONTENTS, "the disk is too slow")
        return has_room

    # In the thread

    def _run(self) -> None:
        trace = self._waiting.get()
        while trace is not None:
            self._closing.wait(GATHER_SECONDS)
            while trace is not None:
                self._guarded(LOST, self._append, trace)
                if self._is_prune_due():  # here: a flood may leave no pause between two batches
                    self._guarded(NOT_DELETED, self._prune)
                trace = None if self._waiting.empty() else self._waiting.get()
            trace = None if self._closing.is_set() else self._waiting.get()

    def _guarded(self, warning: str, work: Callable[..., None], *arguments: Any) -> None:
        try:
            work(*arguments)
            self._went_well(warning)
        except OSError as error:
            self._warn(warning, str(error))
        except Exception:  # boundary: the thread must outlive an event that cannot be written
            logger.exception("A trace could not be written")

    def _append(self, trace: Trace) -> None:
        trace.is_waiting = False  # first: what is added from now on makes it wait again
        events = list(self._taken(trace))
        if not events:
            return
        place = self._directory / REFUSED if trace.is_refused else self._directory
        if trace.place not in (None, place):
            events.insert(0, trace.head)  # the config has changed: it goes on in another file
        lines = "".join(map(self._line, events)).encode("utf-8", "replace")
        try:
            append(place, trace.id, b"\n" + lines if trace.is_torn else lines)
        except OSError:
            trace.is_torn = True
            raise
        trace.is_torn = False
        self._new_files += trace.place != place
        self._new_bytes += len(lines)
        trace.place = place

    def _taken(self, trace: Trace) -> Iterator[Mapping[str, Any]]:
        """The events that wait, which do so no longer."""
        with suppress(IndexError):  # no more
            while True:
                event = trace.events.popleft()
                with self._content_lock:
                    size = sum(value.size for value in event.values() if isinstance(value, Content))
                    # Another writer may have counted it, before the config has changed.
                    self._content_bytes = max(0, self._content_bytes - size)
                yield event

    def _line(self, event: Mapping[str, Any]) -> str:
        return self._encode(event) + "\n"

    def _plain(self, value: Any) -> str:
        return value.text(self._secrets) if isinstance(value, Content) else str(value)

    def _is_prune_due(self) -> bool:
        is_much = self._new_files >= PRUNE_FILES or self._new_bytes >= PRUNE_BYTES
        return is_much or time.monotonic() >= self._next_prune

    def _prune(self) -> None:
        self._new_files = self._new_bytes = 0
        self._next_prune = time.monotonic() + PRUNE_SECONDS
        prune(self._directory, time.time(), self._keep)
        prune(self._directory / REFUSED, time.time(), Keep(seconds=self._keep.seconds, files=MAX_REFUSED))

    def _warn(self, warning: str, why: str) -> None:
        if warning not in self._warned:
            self._warned[warning] = time.monotonic()
            logger.warning("%s: %s", warning, why)

    def _went_well(self, warning: str) -> None:
        """From now on it may be warned again, unless that was done just now: it may come and go."""
        if self._warned and time.monotonic() - self._warned.get(warning, 0) >= WARN_SECONDS:
            self._warned.pop(warning, None)


def opened(settings: Settings, environ: Mapping[str, str]) -> TraceWriter | None:
    """A writer at work; `None` where no traces are wanted.

    Args:
        environ: Says where the user's folders are.
    """
    wanted = settings.traces
    if not wanted.enabled:
        return None
    writer = TraceWriter(
        wanted.folder(environ),
        Keep(wanted.keep_days * 86400, wanted.keep_bytes, wanted.keep_files),
        keeps_content=wanted.content,
        secrets=known_secrets(settings),
    )
    writer.open()
    return writer


def prune(directory: Path, now: float, keep: Keep) -> None:
    """Delete the traces that are too old, then the oldest that are too many or too large together.

    Args:
        now: Seconds since the epoch.
    """
    files = sorted(_files(directory), reverse=True)
    total = 0
    for count, (modified, size, path) in enumerate(files, 1):
        total += size
        is_old = keep.seconds and now - modified > keep.seconds
        if is_old or (keep.bytes and total > keep.bytes) or (keep.files and count > keep.files):
            with suppress(FileNotFoundError):
                os.unlink(path)


def _files(directory: Path) -> Iterator[tuple[float, int, str]]:
    """When each trace was written to last, its bytes, its path; another proxy may delete them meanwhile."""
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                stat = entry.stat(follow_symlinks=False)
                yield stat.st_mtime, stat.st_size, entry.path


def append(directory: Path, id: str, lines: bytes) -> None:
    """Put lines at the end of a trace's file, in one write where the disk has room.

    Raises:
        OSError: They are not all written; a line may be torn.
    """
    path = f"{directory}/{id}{SUFFIX}"
    # By the system calls alone: a request's trace is one small write.
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except FileNotFoundError:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while lines:
            lines = lines[os.write(file, lines) :]
    finally:
        os.close(file)
