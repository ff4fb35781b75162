"""Fast streams: the time to the first event, and events a second of one stream and of sixteen."""

import asyncio
import time
from statistics import median

from bench import canned
from bench.connection import Answer, Connection, MeasurementError
from bench.figure import Aim, Figure
from bench.session import Session, medians
from bench.ways import Way

_STREAMS_A_TURN = 15
_SHORT_EVENTS = 3
_AT_ONCE = 16


async def first_event(session: Session) -> list[Figure]:
    """What a way adds to the time until the first event of a stream."""
    question = _question(_SHORT_EVENTS)

    async def sample(way: Way) -> float:
        connection = await Connection.open(way.port)
        answers = [await connection.ask(question) for _ in range(_STREAMS_A_TURN)]
        connection.close()
        for answer in answers:
            _check(answer, _SHORT_EVENTS)
        return median(answer.seconds_to_first_event for answer in answers) * 1e3

    times = await medians(session, session.effort.small_rounds, sample)
    return [Figure.beyond_direct("time to the first event of a stream", "ms", times, Aim("ratio", 1.1))]


async def fast_streams(session: Session) -> list[Figure]:
    """Events a second where the upstream sends as fast as it can."""
    return [await _events_a_second(session, 1), await _events_a_second(session, _AT_ONCE)]


async def _events_a_second(session: Session, at_once: int) -> Figure:
    events = session.effort.stream_events // at_once

    question = _question(events)

    async def sample(way: Way) -> float:
        connections = [await Connection.open(way.port) for _ in range(at_once)]
        start = time.monotonic_ns()
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(connection.ask(question)) for connection in connections]
        answers = [task.result() for task in asked]
        for connection, answer in zip(connections, answers, strict=True):
            connection.close()
            _check(answer, events)
        return at_once * events / (max(answer.done_ns for answer in answers) - start) * 1e9

    rates = await medians(session, session.effort.rounds, sample)
    title = f"events of {at_once} fast stream{'s' if at_once > 1 else ''}"
    return Figure.each(title, "/s", rates, Aim("ratio", 1.0, at_least=True))


def _question(events: int) -> bytes:
    return canned.question(f"bench-fast-{events}-1", stream=True)


def _check(answer: Answer, events: int) -> None:
    """Raise where anything of the stream is missing."""
    if answer.text() != canned.text_of(events):
        raise MeasurementError(f"not the stream that was sent: {answer.raw[:300]!r}")
