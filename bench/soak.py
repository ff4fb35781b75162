"""`./run.sh bench --soak`: hundreds of slow streams with tools for minutes, and clients that leave at random.

What counts is that everyone is served or refused with 429, and that nothing is left behind: after the load
the process holds what it held before it.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import canned
from bench.connection import Connection, MeasurementError
from bench.ways import Lab, Way

CLIENTS = 500
ROOM = 400
"""`max_concurrent_requests`: some clients have to be refused."""
_EVENTS_A_SECOND, _EVENTS = 3, 30
_LEAVING = 0.3
"""The part of the requests whose client leaves before their end."""
_LOOK_SECONDS = 5.0
_QUIET_SECONDS = 15.0
"""After the last client left: what was cancelled ends, connections that are kept alive are closed."""
_ANSWER_SECONDS = 120.0
"""An answer that has not come by then is counted as lost; it takes 10 seconds on an idle machine."""
_SPARE = 1.25
"""How much more memory than after the first minute there may be at the end."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the proxy's process holds at a moment."""

    memory: int
    """Resident, in bytes."""
    sockets: int
    children: int
    tasks: int

    @classmethod
    def at(cls, way: Way, census: Path) -> "Look":
        assert way.proxy is not None
        process = psutil.Process(way.proxy.process.pid)
        counted = json.loads(census.read_text().splitlines()[-1])
        children = len(process.children(recursive=True))
        return cls(process.memory_info().rss, len(process.net_connections()), children, counted["tasks"])

    def __str__(self) -> str:
        counts = f"{self.sockets} sockets, {self.children} children, {self.tasks} tasks"
        return f"{self.memory / 1e6:.0f} MB, {counts}"


@dataclass(slots=True)
class Soak:
    """A load, and what became of each request."""

    way: Way
    ends_at: float
    outcomes: Counter[str] = field(default_factory=Counter)
    delays: list[float] = field(default_factory=list)
    """Seconds from a request to the end of its whole answer."""

    async def client(self, number: int) -> None:
        """Ask again and again, as a client of its own."""
        chance = random.Random(number)
        await asyncio.sleep(chance.random() * 5)
        while time.monotonic() < self.ends_at:
            outcome = await self._ask(chance)
            self.outcomes[outcome] += 1
            await asyncio.sleep(1.0 if outcome == "refused" else 0.0)

    async def _ask(self, chance: random.Random) -> str:
        stay = chance.random() * 10 if chance.random() < _LEAVING else _ANSWER_SECONDS
        began = time.monotonic()
        connection = await Connection.open(self.way.port)
        try:
            async with asyncio.timeout(stay):
                answer = await connection.ask(_QUESTION)
        except TimeoutError:
            return "lost" if stay == _ANSWER_SECONDS else "left"
        except ConnectionError:
            return "broken"
        finally:
            connection.leave(abruptly=chance.random() < 0.5)
        if answer.raw.startswith(b"HTTP/1.1 429"):
            return "refused"
        try:
            is_whole = answer.text().count("@") == 2 * _EVENTS
        except (MeasurementError, ValueError):
            return "broken"
        self.delays.append(time.monotonic() - began)
        return "served" if is_whole else "broken"


async def soak(lab: Lab, seconds: float) -> bool:
    """Run the load, print what was seen; whether all was as it should be."""
    census = lab.folder / "census"
    more = {"max_concurrent_requests": ROOM}
    async with lab.way("werkzeugkoppler", settings=more, script="bench/census.py", census=census) as way:
        before = await _settled(way, census)
        print(f"before: {before}", file=sys.stderr)
        load = Soak(way, time.monotonic() + seconds)
        warm = before
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(load.client(number))
            began = time.monotonic()
            while (now := time.monotonic()) < load.ends_at:
                look = Look.at(way, census)
                warm = look if now - began < min(60.0, seconds / 3) else warm
                print(f"{now - began:4.0f} s: {look}; {dict(load.outcomes)}", file=sys.stderr)
                await asyncio.sleep(_LOOK_SECONDS)
            peak = Look.at(way, census)
        after = await _settled(way, census)
    return _told(load, before, warm, peak, after, seconds)


async def _settled(way: Way, census: Path) -> Look:
    await asyncio.sleep(_QUIET_SECONDS)
    return Look.at(way, census)


def _told(load: Soak, before: Look, warm: Look, peak: Look, after: Look, seconds: float) -> bool:
    outcomes = load.outcomes
    faults = outcomes["broken"] + outcomes["lost"]
    print(f"{CLIENTS} clients for {seconds:.0f} s, room for {ROOM}")
    print(f"served {outcomes['served']}, refused {outcomes['refused']} (429), left {outcomes['left']}")
    print(f"broken {outcomes['broken']}, lost {outcomes['lost']}")
    for name, look in (("before", before), ("warm", warm), ("at the end", peak), ("after", after)):
        print(f"{name}: {look}")
    kept = {
        "sockets": after.sockets <= before.sockets,
        "children": after.children <= before.children,
        "tasks": after.tasks <= before.tasks,
        "memory": peak.memory <= warm.memory * _SPARE,
    }
    for name in (name for name, is_kept in kept.items() if not is_kept):
        print(f"LEFT BEHIND: {name}")
    return not faults and bool(outcomes["served"]) and all(kept.values())


_QUESTION = canned.question(f"bench-soak-{_EVENTS_A_SECOND}-{_EVENTS}", stream=True)
