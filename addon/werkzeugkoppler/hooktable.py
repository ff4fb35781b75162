"""mitmproxy's addon manager with a table of the hooks that exist.

For each event the original asks each of some 40 addons whether it has a hook of that name: about 40%
of the time that mitmdump spends on a small request. This one remembers who has. Order, sub-addons and
error handling are the original's.
"""

from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, safecall


class HookTable(AddonManager):
    """An addon manager that asks only the addons which have a hook."""

    def __init__(self, master: Any) -> None:
        self._table: dict[str, list[Any]] = {}
        super().__init__(master)

    def register(self, addon: Any) -> Any:
        try:
            return super().register(addon)
        finally:
            self._table.clear()

    def add(self, *addons: Any) -> None:
        super().add(*addons)
        self._table.clear()

    def remove(self, addon: Any) -> None:
        super().remove(addon)
        self._table.clear()

    def clear(self) -> None:
        super().clear()
        self._table.clear()

    async def trigger_event(self, event: hooks.Hook) -> None:
        for addon in self._with_hook(event.name):
            try:
                with safecall():
                    await self.invoke_addon(addon, event)
            except exceptions.AddonHalt:
                return

    def trigger(self, event: hooks.Hook) -> None:
        for addon in self._with_hook(event.name):
            try:
                with safecall():
                    self.invoke_addon_sync(addon, event)
            except exceptions.AddonHalt:
                return

    def _with_hook(self, name: str) -> list[Any]:
        known = self._table.get(name)
        if known is None:
            # An addon with sub-addons, such as the script loader, may get others at any time.
            known = [a for a in self.chain if hasattr(a, name) or hasattr(a, "addons")]
            self._table[name] = known
        return known
