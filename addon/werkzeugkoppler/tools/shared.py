"""Servers that several stacks have in common: a new config takes over those whose entry is the same.

A server ends with the last stack that has it, so that a turn under the old config can go on calling it. One
that comes back while the process before is still ending waits for that: two of one kind may want the same
lock file or port.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from werkzeugkoppler.tools.registry import SourceStatus, ToolSource
from werkzeugkoppler.tools.tool import Tool


class SharedSource:
    """A server as each of its stacks sees it: opened by the first, closed by the last.

    Args:
        place: Held from before it is opened until it has ended.
        let_go: Called when it is about to close.
    """

    def __init__(self, source: ToolSource, place: asyncio.Lock, let_go: Callable[[], None]) -> None:
        self._source = source
        self._place = place
        self._let_go = let_go
        self._opening: asyncio.Task[None] | None = None
        self._has_place = False
        self.holders = 0

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self._source.tools

    def status(self) -> SourceStatus:
        return self._source.status()

    async def open(self) -> None:
        if self._opening is not None:
            return
        is_free = not self._place.locked()
        name = f"opening of {self.status().server_id}"
        self._opening = asyncio.get_running_loop().create_task(self._open(), name=name)
        if is_free:
            await self._opening

    async def settled(self) -> None:
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._has_place:
            await self._source.settled()

    async def close(self) -> None:
        self.give_back()
        if self.holders:
            return
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        try:
            await self._source.close()
        finally:
            if self._has_place:
                self._place.release()

    def give_back(self) -> None:
        """Give up what `SharedSources.take` gave; enough where it was not opened by the taker."""
        self.holders -= 1
        if not self.holders:
            self._let_go()

    async def _open(self) -> None:
        await self._place.acquire()
        self._has_place = True
        await self._source.open()


class SharedSources:
    """The servers of all stacks that there are."""

    def __init__(self) -> None:
        self._known: dict[Hashable, SharedSource] = {}
        self._places: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._taken: list[SharedSource] = []

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Give back what is taken in here, if it ends with an error."""
        self._taken.clear()
        try:
            yield
        except BaseException:
            for shared in self._taken:
                shared.give_back()
            raise

    def take(self, entry: Hashable, make: Callable[[], ToolSource]) -> SharedSource:
        """The server of an entry, made where no stack has it; the taker has to close it once."""
        if entry not in self._known:
            place = self._places.setdefault(entry, asyncio.Lock())
            self._known[entry] = SharedSource(make(), place, lambda: self._forget(entry))
        shared = self._known[entry]
        shared.holders += 1
        self._taken.append(shared)
        return shared

    def _forget(self, entry: Hashable) -> None:
        del self._known[entry]
