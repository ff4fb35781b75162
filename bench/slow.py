"""A hundred slow streams: how late their events are, and what each costs the proxy."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median, quantiles

from bench import canned
from bench.connection import Connection, MeasurementError
from bench.figure import Aim, Figure
from bench.session import Session, in_turns
from bench.ways import Way

_STREAMS = 100
_EVENTS_A_SECOND = 50
_SETTLE_SECONDS = 1.0
"""From the first request to the watched window: opening a hundred streams is not what is measured."""
_LOST = 0.02
"""Part of the stamps that may be missing: an event cut in two within its stamp is not seen."""
_STAMP = re.compile(rb"@(\d{8,20})@")


@dataclass(frozen=True, slots=True)
class _Sample:
    middle_ms: float
    p99_ms: float
    cpu_us: float
    """Of the proxy, for each event that arrived in the window."""


@dataclass(slots=True)
class _Window:
    """Notes the events that were sent within a stretch of time; ns of the monotonic clock."""

    start_ns: int
    end_ns: int
    arrived: int = 0
    """Events that arrived within the window, whenever sent."""
    delays_ns: list[int] = field(default_factory=list)

    def note(self, data: bytes) -> None:
        now = time.monotonic_ns()
        for stamp in _STAMP.findall(data):
            sent = int(stamp)
            if self.start_ns <= sent < self.end_ns:
                self.delays_ns.append(now - sent)
            if self.start_ns <= now < self.end_ns:
                self.arrived += 1


async def slow_streams(session: Session) -> list[Figure]:
    """The delay that a way adds to an event (middle and 99th of 100), and the proxy's CPU time for it."""

    async def sample(way: Way) -> _Sample:
        return await _watch(way, session.effort.slow_seconds)

    taken = await in_turns(session, session.effort.slow_rounds, sample, warm_up=False)
    middle, p99, cpu = (
        {name: median(pick(sample) for sample in samples) for name, samples in taken.items()}
        for pick in (attrgetter("middle_ms"), attrgetter("p99_ms"), attrgetter("cpu_us"))
    )
    of = f"of an event, {_STREAMS} slow streams"
    return [
        Figure.beyond_direct(f"delay {of}, median", "ms", middle),
        Figure.beyond_direct(f"delay {of}, p99", "ms", p99, Aim("ratio", 1.5)),
        Figure(f"CPU {of}", "µs", cpu["mitmdump"], cpu["werkzeugkoppler"], aim=Aim("ratio", 1.2)),
    ]


async def _watch(way: Way, seconds: float) -> _Sample:
    now = time.monotonic_ns()
    start = now + int(_SETTLE_SECONDS * 1e9)
    window = _Window(start, start + int(seconds * 1e9))
    events = int((_SETTLE_SECONDS + seconds + 0.5) * _EVENTS_A_SECOND)
    question = canned.question(f"bench-slow-{_EVENTS_A_SECOND}-{events}", stream=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(_STREAMS):
            group.create_task(_read_one(way, question, window))
        await _until(window.start_ns)
        cpu_before = way.proxy.cpu_seconds() if way.proxy else 0.0
        await _until(window.end_ns)
        cpu = way.proxy.cpu_seconds() - cpu_before if way.proxy else 0.0

    expected = _STREAMS * _EVENTS_A_SECOND * seconds
    if len(window.delays_ns) < expected * (1 - _LOST):
        raise MeasurementError(f"{way.name}: {len(window.delays_ns)} of {expected:.0f} events arrived")
    return _Sample(
        middle_ms=median(window.delays_ns) / 1e6,
        p99_ms=quantiles(window.delays_ns, n=100)[98] / 1e6,
        cpu_us=cpu / window.arrived * 1e6,
    )


async def _read_one(way: Way, question: bytes, window: _Window) -> None:
    connection = await Connection.open(way.port, window.note)
    (await connection.ask(question)).body()
    connection.close()


async def _until(time_ns: int) -> None:
    await asyncio.sleep(max(0.0, (time_ns - time.monotonic_ns()) / 1e9))
