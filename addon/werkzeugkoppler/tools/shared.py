"""Servers that several stacks have in common: a new config takes over those whose entry is the same.

A server ends with the last stack that has it, so that a turn under the old config can go on calling it.
"""

from collections.abc import Callable, Hashable

from werkzeugkoppler.tools.registry import SourceStatus, ToolSource
from werkzeugkoppler.tools.tool import Tool


class SharedSource:
    """A server as each of its stacks sees it: opened by the first, closed by the last.

    Args:
        let_go: Called when it is about to close.
    """

    def __init__(self, source: ToolSource, let_go: Callable[[], None]) -> None:
        self._source = source
        self._let_go = let_go
        self._is_open = False
        self.holders = 0

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self._source.tools

    def status(self) -> SourceStatus:
        return self._source.status()

    async def open(self) -> None:
        if not self._is_open:
            self._is_open = True
            await self._source.open()

    async def settled(self) -> None:
        await self._source.settled()

    async def close(self) -> None:
        self.holders -= 1
        if not self.holders:
            self._let_go()
            await self._source.close()


class SharedSources:
    """The servers of all stacks that there are."""

    def __init__(self) -> None:
        self._known: dict[Hashable, SharedSource] = {}

    def take(self, entry: Hashable, make: Callable[[], ToolSource]) -> SharedSource:
        """The server of an entry, made where no stack has it; the taker has to close it once."""
        if entry not in self._known:
            self._known[entry] = SharedSource(make(), lambda: self._forget(entry))
        shared = self._known[entry]
        shared.holders += 1
        return shared

    def _forget(self, entry: Hashable) -> None:
        del self._known[entry]
