"""`./run.sh bench`: measure the three ways side by side and print one table."""

import argparse
import asyncio
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench.action import action_turn
from bench.child import pin
from bench.connection import MeasurementError
from bench.figure import Failure, Figure
from bench.page import page
from bench.plain import latency, rate
from bench.session import FULL, QUICK, Effort, Session
from bench.slow import slow_streams
from bench.soak import soak
from bench.start import starts
from bench.streams import fast_streams, first_event
from bench.table import columns
from bench.ways import NAMES, Lab, upstream, whole_stack_is_on

_PAGE = Path(__file__).parent.parent / "docs" / "performance.md"

_MEASUREMENT_SECONDS = 180.0
"""How long one measurement may take: far more than it needs, far less than for ever."""

_BUSY = 0.5
"""The load average from which other work disturbs the times: it wants the same cores."""

_INTERRUPTED = 130
"""The exit status of a run that was told to end, as a shell has it for an interrupt."""

MEASUREMENTS: Mapping[str, Callable[[Session], Awaitable[list[Figure]]]] = {
    "latency": latency,
    "rate": rate,
    "first-event": first_event,
    "fast-streams": fast_streams,
    "slow-streams": slow_streams,
    "action": action_turn,
    "start": starts,
}


def main() -> int:
    """Run what the command line names; 1 where a measurement got a wrong answer, however fast it was."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about 40 seconds; rougher figures")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--only", metavar="NAME", choices=MEASUREMENTS, help=", ".join(MEASUREMENTS))
    parser.add_argument(
        "--soak",
        metavar="SECONDS",
        type=float,
        nargs="?",
        const=300.0,
        help="instead: 500 slow streams with tools, clients leaving at random; 300 seconds unless told",
    )
    arguments = parser.parse_args()
    if arguments.soak:
        return 0 if asyncio.run(_soak(arguments.soak)) else 1
    names = [arguments.only] if arguments.only else list(MEASUREMENTS)

    if (load := _other_work()) > _BUSY:
        print(f"the machine is busy (load average {load:.1f}): expect rough figures", file=sys.stderr)
    gc.disable()  # a collection in the load generator would show as the measured way's delay
    try:
        results = asyncio.run(_run(names, QUICK if arguments.quick else FULL))
    except MeasurementError as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _INTERRUPTED
    print(columns(results))
    failures = [result for result in results if isinstance(result, Failure)]
    for failure in failures:
        print(f"{failure.title}: {failure.reason}", file=sys.stderr)
    if arguments.write:
        _PAGE.write_text(page(results, datetime.now(UTC).date()), encoding="utf-8")
    return 1 if failures else 0


async def _run(names: Sequence[str], effort: Effort) -> list[Figure | Failure]:
    """Open the upstream and the ways, measure, close them."""
    task = asyncio.current_task()
    assert task is not None
    # An interrupt cancels this task of itself; being told to end has to, or the children stay behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    load_cores, proxy_cores = _cores()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lab = Lab(folder, await stack.enter_async_context(upstream(folder, load_cores)), proxy_cores)
        ways = [await stack.enter_async_context(lab.way(name)) for name in NAMES]
        await whole_stack_is_on(lab, ways[-1])
        pin(0, load_cores)
        session = Session(lab, tuple(ways), effort)
        results: list[Figure | Failure] = []
        for name in names:
            print(f"measuring {name}", file=sys.stderr)
            results += await _measure(name, session)
        return results


async def _soak(seconds: float) -> bool:
    load_cores, proxy_cores = _cores()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lab = Lab(folder, await stack.enter_async_context(upstream(folder, load_cores)), proxy_cores)
        pin(0, load_cores)
        return await soak(lab, seconds)


async def _measure(name: str, session: Session) -> Sequence[Figure | Failure]:
    results: Sequence[Figure | Failure] = []
    try:
        async with asyncio.timeout(_MEASUREMENT_SECONDS):
            results = await MEASUREMENTS[name](session)
    except* (MeasurementError, OSError) as problems:
        results = [Failure(name, repr(problem)) for problem in problems.exceptions[:1]]
    return results


def _other_work() -> float:
    """How many processes have wanted a core in the last minute, on average."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _cores() -> tuple[frozenset[int], frozenset[int]]:
    """Cores for the load generator and the upstream, and one for the proxy; empty where there is only one."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (frozenset(usable[1:]), frozenset(usable[:1])) if len(usable) > 1 else (frozenset(), frozenset())


if __name__ == "__main__":
    sys.exit(main())
