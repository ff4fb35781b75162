"""What every measurement is given: the open ways, how much to measure, and the taking of turns."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median

from bench.ways import NAMES, Lab, Name, Way


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure."""

    rounds: int
    """How often each way has its turn; more of them even out what else the machine does."""
    small_rounds: int
    """The same for the measurements that take tens of milliseconds."""
    rate_seconds: float
    """How long 32 connections ask in one turn."""
    stream_events: int
    """Content events of all fast streams of one turn together."""
    slow_rounds: int
    slow_seconds: float
    """How long 100 slow streams are watched in one turn."""
    starts: int
    """Starts of each proxy, after one that only warms the caches."""


FULL = Effort(
    rounds=5,
    small_rounds=20,
    rate_seconds=2.0,
    stream_events=16000,
    slow_rounds=6,
    slow_seconds=3.0,
    starts=5,
)
QUICK = Effort(
    rounds=2,
    small_rounds=6,
    rate_seconds=1.0,
    stream_events=8000,
    slow_rounds=2,
    slow_seconds=2.0,
    starts=1,
)


@dataclass(frozen=True, slots=True)
class Session:
    """One run."""

    lab: Lab
    ways: tuple[Way, ...]
    """All of them, open, in the order of `NAMES`."""
    effort: Effort


async def in_turns[Sample](
    session: Session, rounds: int, sample: Callable[[Way], Awaitable[Sample]], *, warm_up: bool = True
) -> Mapping[Name, list[Sample]]:
    """Take one sample of each way, and again: what disturbs one disturbs its neighbours too.

    Args:
        warm_up: Whether a first round is taken and not kept.
    """
    samples: dict[Name, list[Sample]] = {name: [] for name in NAMES}
    for number in range(-1 if warm_up else 0, rounds):
        for way in session.ways:
            taken = await sample(way)
            if number >= 0:
                samples[way.name].append(taken)
    return samples


async def medians(
    session: Session, rounds: int, sample: Callable[[Way], Awaitable[float]]
) -> Mapping[Name, float]:
    """The median of each way's samples, taken in turns."""
    taken = await in_turns(session, rounds, sample)
    return {name: median(samples) for name, samples in taken.items()}
