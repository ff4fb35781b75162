"""A streamed turn with one action, beside the two legs it consists of asked directly."""

from statistics import median

from bench import canned
from bench.connection import Answer, Connection, MeasurementError
from bench.figure import Aim, Figure
from bench.session import Session, in_turns
from bench.ways import Way

_TURNS_A_ROUND = 8
_FIRST_LEG = canned.question("bench-tool", stream=True)
_SECOND_LEG = canned.question("bench-tool", stream=True, messages=canned.TOOL_ANSWERED)


async def action_turn(session: Session) -> list[Figure]:
    """What the proxy adds to both legs by running `echo` between them, spawning it included.

    Plain mitmdump cannot run a turn: it has no value here.
    """

    async def sample(way: Way) -> float | None:
        if way.name == "mitmdump":
            return None
        connection = await Connection.open(way.port)
        requests = [_FIRST_LEG] if way.proxy else [_FIRST_LEG, _SECOND_LEG]
        seconds = []
        for _ in range(_TURNS_A_ROUND):
            answers = [await connection.ask(request) for request in requests]
            _check(answers[-1])
            seconds.append(sum(answer.seconds for answer in answers))
        connection.close()
        return median(seconds) * 1e3

    taken = await in_turns(session, session.effort.small_rounds, sample)
    direct, turn = (
        median(time for time in taken[name] if time is not None) for name in ("direct", "werkzeugkoppler")
    )
    title = "streamed turn with one action (echo)"
    return [Figure(title, "ms", None, turn - direct, direct, added=True, aim=Aim("value", 8.0))]


def _check(answer: Answer) -> None:
    """Raise where the turn did not end with the answer that follows a tool's result."""
    if answer.text() != canned.text_of(3):
        raise MeasurementError(f"not the end of a turn with a tool: {answer.raw[:600]!r}")
