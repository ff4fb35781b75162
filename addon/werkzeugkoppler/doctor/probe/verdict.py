"""An experiment on a gateway, the checks that judge what came of it, and how they say no."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from werkzeugkoppler.doctor.probe.lab import Lab


class Fault(Exception):
    """The gateway did something wrong; the text says what was seen."""


class Skip(Exception):
    """The check cannot be made here; the text says why."""


@dataclass(frozen=True, slots=True)
class Check[T]:
    """One property of what an experiment brought.

    Args:
        judge: Gives what was seen. Raises `Fault` or `Skip`.
        row: The contract row.
    """

    name: str
    row: str
    judge: Callable[[T], str]


@dataclass(frozen=True, slots=True)
class Experiment[T]:
    """Something done to a gateway, with the checks on what came of it.

    Args:
        observe: Does it. Raises `Fault` or `Skip` for all checks, `OSError`, `TimeoutError` or a client's
            error where the gateway breaks off.
    """

    observe: Callable[[Lab], Awaitable[T]]
    checks: tuple[Check[T], ...]


type AnyExperiment = Experiment[Any]


def single[T](
    name: str, row: str, observe: Callable[[Lab], Awaitable[T]], judge: Callable[[T], str]
) -> Experiment[T]:
    """An experiment with one check."""
    return Experiment(observe, (Check(name, row, judge),))
