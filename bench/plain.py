"""Plain chats: the latency of one after the other, and the rate of many at once."""

import asyncio
import time
from statistics import median

from bench import canned
from bench.connection import Connection
from bench.figure import Aim, Figure
from bench.session import Session, medians
from bench.ways import Way

_CHATS_A_TURN = 25
_CONNECTIONS = 32
_QUESTION = canned.question("bench-plain")


async def latency(session: Session) -> list[Figure]:
    """What a way adds to one small chat on a warm connection."""

    async def sample(way: Way) -> float:
        connection = await Connection.open(way.port)
        (await connection.ask(_QUESTION)).body()
        seconds = [(await connection.ask(_QUESTION)).seconds for _ in range(_CHATS_A_TURN)]
        connection.close()
        return median(seconds) * 1e3

    times = await medians(session, session.effort.small_rounds, sample)
    return [Figure.beyond_direct("latency of a plain chat, 1 connection", "ms", times, Aim("ratio", 1.0))]


async def rate(session: Session) -> list[Figure]:
    """Plain chats a second while 32 connections ask one after the other."""

    async def sample(way: Way) -> float:
        return await _chats_a_second(way, session.effort.rate_seconds)

    rates = await medians(session, session.effort.rounds, sample)
    aim = Aim("ratio", 1.1, at_least=True)
    return [Figure.each(f"plain chats, {_CONNECTIONS} connections", "/s", rates, aim)]


async def _chats_a_second(way: Way, seconds: float) -> float:
    connections = [await Connection.open(way.port) for _ in range(_CONNECTIONS)]
    answered = 0
    start = time.monotonic()
    end = start + seconds

    async def ask_until_the_end(connection: Connection) -> None:
        nonlocal answered
        while time.monotonic() < end:
            answer = await connection.ask(_QUESTION)
            answered += 1
        answer.body()
        connection.close()

    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(ask_until_the_end(connection))
    return answered / (time.monotonic() - start)
