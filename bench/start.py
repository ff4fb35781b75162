"""Starts: the time to the first answer, and the memory that an idle proxy then holds."""

import asyncio
from dataclasses import dataclass
from statistics import median

from bench.figure import Aim, Figure
from bench.session import Session
from bench.ways import Name

_IDLE_SECONDS = 1.0
"""From the first answer to looking at the memory: what starts in the background is there by then."""


@dataclass(frozen=True, slots=True)
class _Start:
    seconds: float
    memory_mb: float


async def starts(session: Session) -> list[Figure]:
    """Starts of each proxy in turns, unpinned, once the caches are warm."""
    taken: dict[Name, list[_Start]] = {"mitmdump": [], "werkzeugkoppler": []}
    for number in range(session.effort.starts + 1):
        for name, kept in taken.items():
            start = await _start(session, name)
            if number > 0:
                kept.append(start)
    seconds = {name: median(start.seconds for start in kept) for name, kept in taken.items()}
    memory = {name: median(start.memory_mb for start in kept) for name, kept in taken.items()}
    return [
        Figure(
            "first answer after a start, caches warm",
            "s",
            seconds["mitmdump"],
            seconds["werkzeugkoppler"],
            aim=Aim("value", 2.0),
        ),
        Figure(
            "memory when idle",
            "MB",
            memory["mitmdump"],
            memory["werkzeugkoppler"],
            aim=Aim("difference", 40.0),
        ),
    ]


async def _start(session: Session, name: Name) -> _Start:
    async with session.lab.way(name, pinned=False) as way:
        await asyncio.sleep(_IDLE_SECONDS)
        return _Start(way.start_seconds, way.proxy.memory_bytes() / 1e6 if way.proxy else 0.0)
