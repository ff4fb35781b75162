"""Many turns with faults in them, side by side through one proxy, each judged by the oracle."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import aiohttp
import anyio

from tests.e2e.client import TIMEOUT, Client
from tests.e2e.declared import CALL_HELLO, HELLO, WITH_USAGE
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import Proxy
from tests.fakes.answers import Answer, calls, says
from tests.fakes.chunks import USAGE
from tests.fakes.faults import Fault, Faulty
from tests.fakes.upstream import Upstream
from tests.oracle import Complete, Failed, Verdict, judge

TEXT: Final = "Grüß dich, 世界 😀."
"""What the faulty answer says, with characters of one to four bytes."""
EARLIER: Final = "Let me see. "
"""What the leg before it says."""

SETTINGS: Final[dict[str, Any]] = {
    "actions": [HELLO],
    "tool_trace": "off",
    "upstream_read_timeout_seconds": 3.0,
    "max_concurrent_requests": 100,
}
"""Of a proxy for such turns."""

AT_A_TIME: Final = 24
"""More make a busy machine's upstream so slow that it seems to be stalled."""

TURN_SECONDS: Final = 15.0
"""Within which each turn ends."""


@dataclass(frozen=True)
class Turn:
    """A turn with a fault in one of its legs."""

    name: str
    answer: Answer
    stream: bool
    leg: int

    def __str__(self) -> str:
        return f"{self.name}, {'streamed' if self.stream else 'plain'}, leg {self.leg}"

    @property
    def earlier(self) -> str:
        return EARLIER if self.leg == 2 else ""

    @property
    def whole(self) -> Complete:
        """What the turn comes to where the fault does no harm."""
        factor = self.leg if self.stream or self.leg == 2 else 1
        return Complete(self.earlier + TEXT, "stop", usage={key: n * factor for key, n in USAGE.items()})


def turns(answers: Mapping[str, Answer]) -> list[Turn]:
    """Each answer in a plain turn and in a streamed one, in the first leg and in the one after a tool."""
    return [
        Turn(name, answer, stream, leg)
        for (name, answer), stream, leg in product(answers.items(), (False, True), (1, 2))
    ]


def hit_by(faults: Mapping[str, Fault]) -> list[Turn]:
    """Turns in which each fault hits an answer."""
    return turns({name: Faulty(says(TEXT), fault) for name, fault in faults.items()})


type Outcome = Verdict | Exception


@asynccontextmanager
async def judged(
    proxy: Proxy, upstream: Upstream, turns: Sequence[Turn]
) -> AsyncIterator[dict[str, Outcome]]:
    """Run the turns, and give what each came to: a verdict, or what is wrong with it."""
    upstream.reset()
    outcomes: dict[str, Outcome] = {}
    limiter = anyio.CapacityLimiter(AT_A_TIME)
    async with aiohttp.ClientSession(proxy.url, timeout=TIMEOUT) as session:
        client = Client(session, SERVICE_KEY)

        async def run(turn: Turn) -> None:
            async with limiter:
                try:
                    with anyio.fail_after(TURN_SECONDS):
                        outcomes[str(turn)] = await _outcome(client, upstream, turn)
                except Exception as error:  # boundary: the test of this turn is told
                    outcomes[str(turn)] = error

        async with anyio.create_task_group() as tasks:
            for turn in turns:
                tasks.start_soon(run, turn)
    yield outcomes
    upstream.reset()


async def _outcome(client: Client, upstream: Upstream, turn: Turn) -> Verdict:
    before = [calls(CALL_HELLO, text=EARLIER)] if turn.leg == 2 else []
    # More than once: on a connection that was kept alive, an end at once is not the server's last word.
    upstream.script_for(str(turn), *before, *[turn.answer] * 3)
    usage = WITH_USAGE if turn.stream else {}
    answer = await client.chat(model=str(turn), stream=turn.stream, **usage)
    return judge(answer.status, answer.headers["content-type"], answer.body)


def verdict_of(outcomes: Mapping[str, Outcome], turn: Turn) -> Verdict:
    """The verdict on a turn; fails where there is none."""
    outcome = outcomes[str(turn)]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def assert_whole_or_failed(turn: Turn, verdict: Verdict) -> None:
    """Nothing is told that was not meant, whether the answer came to its end or not."""
    whole = turn.whole
    if isinstance(verdict, Failed):
        assert whole.text.startswith(verdict.text)
    else:
        # The usage comes last: it may be lost.
        assert (verdict.text, verdict.finish, verdict.calls) == (whole.text, "stop", ())
