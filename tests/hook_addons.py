"""Addons that note how they are called, for comparing addon managers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio.lowlevel
from mitmproxy import command, hooks, options
from mitmproxy.addonmanager import AddonManager


@dataclass
class PokeHook(hooks.Hook):
    """An event with two arguments."""

    who: str
    number: int


class Master:
    """As much of a master as an addon manager asks for."""

    def __init__(self, manager: Callable[[Any], AddonManager]) -> None:
        self.options = options.Options()
        self.commands = command.CommandManager(self)
        self.addons = manager(self)


@dataclass
class Seen:
    """All that an addon manager did."""

    calls: list[Any] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)


class Silent:
    def __init__(self, name: str, seen: Seen) -> None:
        self.name = name
        self.seen = seen

    def __repr__(self) -> str:
        return self.name

    def note(self, *what: Any) -> None:
        self.seen.calls.append((self.name, *what))

    def done(self) -> None:
        self.note("done")


class Noting(Silent):
    def poke(self, who: str, number: int) -> None:
        self.note(who, number)


class Slow(Silent):
    async def poke(self, who: str, number: int) -> None:
        self.note(who, number, "begins")
        await anyio.lowlevel.checkpoint()
        self.note(who, number, "ends")


class Awaited(Silent):
    def poke(self, who: str, number: int) -> Any:
        return Slow(self.name, self.seen).poke(who, number)


class Raising(Silent):
    def __init__(self, name: str, seen: Seen, error: Exception) -> None:
        super().__init__(name, seen)
        self.error = error

    def poke(self, who: str, number: int) -> None:
        self.note(who, number)
        raise self.error


class Parent(Silent):
    def __init__(self, name: str, seen: Seen, *addons: Any) -> None:
        super().__init__(name, seen)
        self.addons = list(addons)


class NotingParent(Parent, Noting):
    pass


class Odd(Silent):
    poke = 7


class NamedAlike(Silent):
    poke = json  # as with `from mitmproxy import log` in a script


class Acting(Silent):
    """Does something the first time it is called."""

    def __init__(self, name: str, seen: Seen, act: Callable[[], object]) -> None:
        super().__init__(name, seen)
        self.act: Callable[[], object] | None = act

    def poke(self, who: str, number: int) -> None:
        self.note(who, number)
        if self.act is not None:
            act, self.act = self.act, None
            act()
