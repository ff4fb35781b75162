"""mitmproxy's master as the launcher runs it: with the addon, a hook table, and a graceful end."""

import asyncio
import gc
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mitmproxy.addonmanager import AddonManager
from mitmproxy.eventsequence import iterate
from mitmproxy.flow import Flow
from mitmproxy.utils.asyncio_utils import create_task

from werkzeugkoppler.ending import exit_at_once
from werkzeugkoppler.hooktable import HookTable
from werkzeugkoppler.proxy import Werkzeugkoppler
from werkzeugkoppler.tools.process import kill_all

EXIT_FORCED = 130
"""As a shell has it for what Ctrl-C has ended (OW-69)."""
GARBAGE_OBJECTS = 10_000
"""New objects between two collections. A turn leaves some 200: at Python's 2000 a tenth of the time goes into
looking at what the turns under way still need."""
DRAINING = "draining in-flight requests (5s max)..."


def settle_memory() -> None:
    """Once everything has started: what was made by now stays, the collector need not look at it again."""
    gc.freeze()


def with_addon(
    master_class: type[Any], addon: Werkzeugkoppler, say: Callable[[str], None] | None = None
) -> type[Any]:
    """A master with the addon after all others: what they change, it sees.

    Args:
        say: Is told that the end has begun.
    """

    class Launched(master_class):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            gc.set_threshold(GARBAGE_OBJECTS)
            super().__init__(*args, **kwargs)
            self.addons.add(addon)
            self._ending: asyncio.Task[None] | None = None

        @property
        def addons(self) -> AddonManager:
            return self._addons

        @addons.setter
        def addons(self, original: AddonManager) -> None:
            self._addons = HookTable(self)

        async def load_flow(self, flow: Flow) -> None:
            # mitmproxy would have every flow of a file go to the dead end, and show it so.
            for event in iterate(flow):
                await self.addons.handle_lifecycle(event)

        def shutdown(self) -> None:
            """Begin the end; from then on a signal forces it (OW-69). May be called in any thread."""
            self.event_loop.call_soon_threadsafe(self._begin_to_end)

        def _begin_to_end(self) -> None:
            if self._ending is None:
                for number in (signal.SIGINT, signal.SIGTERM):
                    self.event_loop.add_signal_handler(number, self._exit_at_once)
                self._ending = create_task(self._end(super().shutdown), name="drain", keep_ref=True)

        async def _end(self, shutdown: Callable[[], None]) -> None:
            if say is not None:
                say(DRAINING)
            await addon.drain.run()
            shutdown()

        def _exit_at_once(self) -> None:
            kill_all()
            with suppress(Exception):  # whatever happens, the process ends
                addon.drain.give_up()
            with suppress(Exception):  # the console gives the terminal back
                self.loop.stop()
            exit_at_once(EXIT_FORCED)

    return Launched
