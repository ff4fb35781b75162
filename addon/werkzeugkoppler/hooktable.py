"""mitmproxy's addon manager with a table of the hooks that exist.

For each event the original asks each of some 40 addons whether it has a hook of that name: about 40%
of the time that mitmdump spends on a small request. This one remembers who has. Order, sub-addons and
error handling are the original's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from enum import Enum, auto
from inspect import isawaitable
from itertools import islice
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, safecall


class Way(Enum):
    """How an addon is told of an event."""

    AT_ONCE = auto()
    """By calling its hook."""
    AS_THE_ORIGINAL = auto()
    """It has sub-addons, which may change at any time, or something that is no hook under that name."""


type _Told = tuple[tuple[Any, Way], ...]
"""Who is told of the events of one name."""


class HookTable(AddonManager):
    """An addon manager that asks only the addons which have a hook."""

    def __init__(self, master: Any) -> None:
        # By the hook's name; what holds as long as the chain is that long, and nobody was taken out of it.
        self._table: dict[str, tuple[int, _Told]] = {}
        super().__init__(master)

    def register(self, addon: Any) -> Any:
        self._table.clear()
        return super().register(addon)

    def remove(self, addon: Any) -> None:
        super().remove(addon)
        self._table.clear()

    def clear(self) -> None:
        super().clear()
        self._table.clear()

    def trigger(self, event: hooks.Hook) -> None:
        for addon, _ in self._told(event.name):
            try:
                with safecall():
                    self.invoke_addon_sync(addon, event)
            except exceptions.AddonHalt:
                return

    async def trigger_event(self, event: hooks.Hook) -> None:
        name = event.name
        arguments = [getattr(event, field) for field in _fields(event.__class__)]
        for addon, way in self._told(name):
            try:
                if way is Way.AT_ONCE:
                    result = getattr(addon, name)(*arguments)
                    if result is not None and isawaitable(result):
                        await result
                else:
                    await self.invoke_addon(addon, event)
            except exceptions.AddonHalt:
                return
            except Exception:
                with safecall():  # tells it, or lets it through, as the original would
                    raise

    def _told(self, name: str) -> Iterator[tuple[Any, Way]]:
        """Who is told of an event, one after the other."""
        chain = self.chain
        length, told = self._table.get(name, (-1, ()))
        if length != len(chain):
            length, told = self._table[name] = len(chain), tuple(_tellable(chain, name))
        yield from told
        # Who was added meanwhile. As in the original, who was taken out is told this time still.
        yield from _tellable(islice(chain, length, None), name)


def _tellable(addons: Iterable[Any], name: str) -> Iterator[tuple[Any, Way]]:
    for addon in addons:
        if (way := _way(addon, name)) is not None:
            yield addon, way


def _fields(hook: Any) -> tuple[str, ...]:
    """The names of a hook class's fields, which `Hook.args` looks up anew at each event."""
    names = _FIELDS.get(hook)
    if names is None:
        names = _FIELDS[hook] = tuple(field.name for field in fields(hook))
    return names


_FIELDS: dict[Any, tuple[str, ...]] = {}


def _way(addon: Any, name: str) -> Way | None:
    """How it is told of the events of that name; `None`: not at all."""
    if hasattr(addon, "addons"):
        return Way.AS_THE_ORIGINAL
    hook = getattr(addon, name, None)
    if not hook:
        return None
    return Way.AT_ONCE if callable(hook) else Way.AS_THE_ORIGINAL
