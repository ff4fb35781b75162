"""Tells when the config file has changed and nobody is writing it any more.

The folder is watched, not the file: editors put a new file in the place of the old one. What the library
tells of is only a cause to look; what counts is whether the file is another one than at the last look.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from anyio import create_task_group, move_on_after, sleep, to_thread
from watchfiles import Change, awatch

QUIET_SECONDS = 0.2
"""A file that has not changed for so long is not being written any more."""
RESTLESS_SECONDS = 10.0
"""A file that never comes to rest is looked at all the same."""
LOOK_SECONDS = 2.0
"""Looked at so often also when nothing was told: a network's file system tells nothing, and no file system
tells of what happens while the watching begins."""

type Signature = tuple[int, int, int] | None
"""What changes whenever a file does: its inode, size in bytes and time in ns; `None`: there is no file."""

logger = logging.getLogger(__name__)


async def follow(path: Path, look: Callable[[Signature], Awaitable[None]]) -> None:
    """Call `look` at once, and after each change of the file once it has settled; never returns.

    Args:
        path: Absolute.
        look: Gets the file's signature. A change that comes meanwhile is told after it.
    """
    told = asyncio.Event()
    stop = threading.Event()
    seen: list[Signature] = []
    async with create_task_group() as tasks:
        tasks.start_soon(_listen, path, told, stop)
        try:
            while True:
                now = await settled(path)
                if seen != [now]:
                    seen = [now]
                    await look(now)
                await told.wait()
                told.clear()
        finally:
            stop.set()  # the library's thread cannot be cancelled: it looks at this


async def settled(path: Path) -> Signature:
    """Wait until the file is left alone, for `RESTLESS_SECONDS` at the most, and give its signature."""
    now = await signature(path)
    with move_on_after(RESTLESS_SECONDS):
        before: list[Signature] = []
        while before != [now]:
            before = [now]
            await sleep(QUIET_SECONDS)
            now = await signature(path)
    return now


async def signature(path: Path) -> Signature:
    """The signature of the file at the moment; links are followed."""
    try:
        stat = await to_thread.run_sync(os.stat, path)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


async def _listen(path: Path, told: asyncio.Event, stop: threading.Event) -> None:
    target = await to_thread.run_sync(path.resolve)
    is_link = target != path

    def is_ours(change: Change, changed: str) -> bool:
        # On the way of a link it may be another link that is turned, as Kubernetes does.
        return is_link or os.path.basename(changed) == path.name

    look_ms = int(LOOK_SECONDS * 1000)
    try:
        async for _ in awatch(
            *{path.parent, target.parent},
            watch_filter=is_ours,
            recursive=False,
            stop_event=stop,
            rust_timeout=look_ms,
            yield_on_timeout=True,
        ):
            told.set()
    except OSError as error:
        logger.warning("The folder of %s is not watched (%s); a change is noticed later", path, error)
        while True:
            await sleep(LOOK_SECONDS)
            told.set()
