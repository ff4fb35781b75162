"""The stack of the moment, and those before it that still have a turn to finish (BX-15)."""

import asyncio
import time
from collections.abc import Callable

from anyio import create_task_group, move_on_after, to_thread

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.stack import Stack
from werkzeugkoppler.tools.shared import SharedSources
from werkzeugkoppler.turn.store import Store

LINGER_SECONDS = 1.0
"""Between the end of a stack's last turn and its own: what was cancelled with the turn may still have a
server to tell."""


class Hold:
    """A turn's claim on the stack that it works with."""

    def __init__(self, stack: Stack, let_go: Callable[[], None]) -> None:
        self.stack = stack
        self._let_go: Callable[[], None] | None = let_go

    def free(self) -> None:
        """Give the claim up; more than once does no harm."""
        if self._let_go is not None:
            self._let_go()
            self._let_go = None


class Stacks:
    """One stack at work, and the replaced ones until their turns have ended."""

    def __init__(self) -> None:
        self.current: Stack | None = None
        self._servers = SharedSources()
        self._store = Store(time.monotonic)
        self._turns: dict[Stack, int] = {}
        self._ending: dict[Stack, asyncio.Task[None]] = {}
        self._is_over = asyncio.Event()

    async def replace(self, settings: Settings) -> Stack:
        """Start a stack and put it to work; the one before ends with its last turn."""
        if settings.mcp_servers:
            await to_thread.run_sync(_import_sdk)
        with self._servers.all_or_none():
            stack = Stack(settings, self._servers, self._store)
        try:
            await stack.open()
        except BaseException:
            await stack.close()
            raise
        old, self.current = self.current, stack
        if old is not None and old.settings.upstream_base_url == settings.upstream_base_url:
            stack.last_model = old.last_model
        self._turns[stack] = 0
        if old is not None:
            self._close_if_done(old)
        return stack

    def hold(self) -> Hold:
        """The stack of the moment, kept open until the hold is freed."""
        stack = self.current
        assert stack is not None, "replace() comes first"
        self._turns[stack] += 1
        return Hold(stack, lambda: self._free(stack))

    async def close(self) -> None:
        """End all stacks, whatever turns they have, and wait for those that are ending already."""
        self.current = None
        self._is_over.set()
        async with create_task_group() as group:
            for stack in self._turns.keys() - self._ending.keys():
                group.start_soon(stack.close)
            if self._ending:
                await asyncio.wait(self._ending.values())

    def _free(self, stack: Stack) -> None:
        self._turns[stack] -= 1
        self._close_if_done(stack)

    def _close_if_done(self, stack: Stack) -> None:
        if stack is self.current or self._turns[stack] or self._is_over.is_set():
            return
        task = asyncio.get_running_loop().create_task(self._end(stack), name="old stack's end")
        self._ending[stack] = task
        task.add_done_callback(lambda _: self._ending.pop(stack))

    async def _end(self, stack: Stack) -> None:
        with move_on_after(LINGER_SECONDS):
            await self._is_over.wait()
        del self._turns[stack]
        await stack.close()


def _import_sdk() -> None:
    """A third of a second that the event loop is not to wait."""
    import werkzeugkoppler.tools.mcp_servers.server  # noqa: F401
