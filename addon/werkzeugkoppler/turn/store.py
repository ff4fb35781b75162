"""What is remembered of conversations from one request to the next, within bounds."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept, and for how long."""

    entries: int
    size: int
    """Characters of all entries together."""
    seconds: float
    """Since an entry was made or last used."""


@dataclass(slots=True)
class _Entry:
    value: Any
    size: int
    used_at: float


class Store:
    """Values by their keys; where there are too many, the ones that were not used for longest go.

    Args:
        now: A clock that never goes back, in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()  # the longest unused first
        self.size = 0
        """Characters of all entries together."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Any:
        """The value, which counts as used now; `None` where there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.used_at = self._now()
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: bytes, value: Any, size: int, bounds: Bounds) -> None:
        """Keep a value in place of the one before; one that is larger than all may be is not kept."""
        self.drop(key)
        if size <= bounds.size:
            self._entries[key] = _Entry(value, size, self._now())
            self.size += size
        self.trim(bounds)

    def drop(self, key: bytes) -> None:
        """Forget a value, if there is one."""
        entry = self._entries.pop(key, None)
        self.size -= entry.size if entry is not None else 0

    def trim(self, bounds: Bounds) -> None:
        """Forget what is over the bounds."""
        oldest = self._now() - bounds.seconds
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            is_over = len(self._entries) > bounds.entries or self.size > bounds.size
            if not is_over and entry.used_at >= oldest:
                return
            self.drop(key)
