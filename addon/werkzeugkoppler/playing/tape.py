"""What a turn asks of the world, answered from the flows of a saved one (BX-12)."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from anyio import Event, current_time, lowlevel, move_on_after, sleep
from mitmproxy import http

from werkzeugkoppler.endpoints.approval import SOURCE, killed, refused
from werkzeugkoppler.endpoints.effects import NEWS_SECONDS, UpstreamReply, accepted, unknown_tool
from werkzeugkoppler.errors import UpstreamError
from werkzeugkoppler.flows import Kill, is_cancelled, is_killed
from werkzeugkoppler.labels import DENIED_STATUS
from werkzeugkoppler.playing.saved import (
    SavedTurn,
    asked_body,
    duration_of,
    failure_of,
    kill_of,
    lacking_of,
    link_of,
    pieces_of,
    said_in,
)
from werkzeugkoppler.playing.words import first_difference
from werkzeugkoppler.turn import asking
from werkzeugkoppler.turn.calling import Tell
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.http import EVENT_STREAM, MadeAnswer, media_type, whole


class Stopped(Exception):
    """The tape cannot go on; it says why."""


class Tape:
    """The legs and tool calls of a saved turn.

    Args:
        ours: The names of the tools that were offered here.
        is_stream: Whether the upstream was asked for streams.
        pace: How many times as fast as then; `None`: as fast as can be.
    """

    def __init__(
        self, turn: SavedTurn, *, ours: Collection[str], is_stream: bool, pace: float | None
    ) -> None:
        self.problem: str | None = None
        """What was asked that the file does not hold."""
        self.broken_off: str | None = None
        """Where the saved turn was broken off, so that nothing can follow."""
        self.legs: Counter[int] = Counter()
        """How often each leg was asked."""
        self.tool_calls = 0
        self._turn = turn
        self._ours = ours
        self._is_stream = is_stream
        self._pace = pace
        self._tools = list(turn.tools)
        self._denied: list[tuple[http.HTTPFlow, str]] = []

    @property
    def left_over(self) -> str | None:
        """What the file has and nobody asked for."""
        legs = [number for number, flows in self._turn.legs.items() if self.legs[number] < len(flows)]
        if legs:
            return f"the file has leg {legs[0]}, which was not asked" + (" again" * (self.legs[legs[0]] > 0))
        if self._tools:
            link = link_of(self._tools[0])
            return f"the file has a call of {link.get('source')}/{link.get('tool')}, which was not made"
        return None

    @asynccontextmanager
    async def ask(self, body: bytes, number: int) -> AsyncIterator[asking.Reply]:
        """See `asking.Ask`."""
        flow = self._next_leg(number)
        found = first_difference(body, asked_body(flow), "now", "in the file")
        if found is not None:
            raise self._stop(f"leg {number} was asked otherwise than the file has it: {found}")
        since = current_time()
        response = flow.response
        if response is None:
            await self._wait(since, duration_of(flow))
            raise self._end_of(flow, f"leg {number}")
        headers = tuple(response.headers.items(multi=True))
        pieces = self._pieces(flow, number, since)
        if media_type(headers) != EVENT_STREAM:
            pieces = whole(b"".join([piece async for piece in pieces]))
        answer = MadeAnswer(response.status_code, headers, pieces)
        is_stream = await accepted(answer, is_stream_asked=self._is_stream)
        yield UpstreamReply(is_stream, answer.pieces)

    async def wait(self, number: int, error: UpstreamError, seconds: float) -> None:
        """See `asking.Wait`."""
        await self._wait(current_time(), seconds * 1000)

    async def pause(self, ended: Event) -> None:
        """See `calling.Pause`."""
        if self._pace is None:
            await lowlevel.checkpoint()
        else:
            with move_on_after(NEWS_SECONDS / self._pace):
                await ended.wait()

    async def call_tool(self, call: ToolCall, number: int, tell: Tell) -> str:
        """See `calling.CallTool`."""
        if call.name not in self._ours:
            return unknown_tool(call.name)
        flow = self._next_tool(call, number)
        since = current_time()
        self.tool_calls += 1
        for ms, line in said_in(flow):
            await self._wait(since, ms)
            tell(line)
        await self._wait(since, duration_of(flow))
        is_request = link_of(flow).get("source") == SOURCE
        if not is_request and _is_denied(flow):
            self._denied.append((flow, call.name))
        if is_killed(flow):
            return killed(kill_of(flow), is_request=is_request)
        if flow.response is None:
            raise self._end_of(flow, f"the call of {call.name}")
        return flow.response.get_text(strict=False) or ""

    def refusal(self) -> str | None:
        """See `engine.Turn.refusal`."""
        self._denied.sort(key=lambda item: (item[0].request.timestamp_end or 0) + duration_of(item[0]) / 1000)
        return refused([(name, lacking_of(flow)) for flow, name in self._denied])

    async def command(self, on_end: Callable[[], None]) -> AsyncIterator[str]:
        """The output of the direct command; `on_end` is told before its last piece."""
        flow = self._turn.commands[0]
        since, pieces = current_time(), pieces_of(flow)
        for at, (ms, piece) in enumerate(pieces, 1):
            await self._wait(since, ms)
            if at == len(pieces) and link_of(flow).get("arrivals") and flow.error is None:
                on_end()  # an answer that another addon made has no arrivals, and had no end of ours
            yield piece.decode("utf-8", "replace")
        if flow.error is not None and not is_killed(flow):
            raise self._end_of(flow, "the command")

    # Where things are in the file

    def _next_leg(self, number: int) -> http.HTTPFlow:
        flows = self._turn.legs.get(number, [])
        asked = self.legs[number]
        if asked == len(flows):
            if self._turn.client is not None and self._turn.client.error is not None:
                self.broken_off = f"the client left before leg {number} was asked"
                raise Stopped(self.broken_off)
            if flows:
                times = "once" if asked == 1 else f"{asked} times"
                raise self._stop(f"leg {number} is asked again, the file has it {times}")
            last = max(self._turn.legs)
            end = f"the file ends after leg {last}" if number > last else "the file does not have it"
            raise self._stop(f"leg {number} is asked, {end}")
        self.legs[number] += 1
        return flows[asked]

    def _next_tool(self, call: ToolCall, number: int) -> http.HTTPFlow:
        flows = [flow for flow in self._tools if link_of(flow)["leg"] == number]
        named = next((flow for flow in flows if link_of(flow).get("call_id") == call.id), None)
        if named is None:
            raise self._stop(f"the file has no call {call.id} of {call.name} in leg {number}")
        if link_of(named).get("source") != SOURCE:  # a request for permission is shown spelled out
            arguments = call.arguments.encode("utf-8", "replace")
            found = first_difference(arguments, asked_body(named), "now", "in the file")
            if found is not None:
                raise self._stop(f"the file has no tool call {call.name} with these arguments: {found}")
        self._tools.remove(named)
        return named

    async def _pieces(self, flow: http.HTTPFlow, number: int, since: float) -> AsyncIterator[bytes]:
        for ms, piece in pieces_of(flow):
            await self._wait(since, ms)
            yield piece
        if is_cancelled(flow) or failure_of(flow) is not None:
            raise self._end_of(flow, f"leg {number}")

    def _end_of(self, flow: http.HTTPFlow, what: str) -> Exception:
        if is_cancelled(flow):
            self.broken_off = self.broken_off or f"{what} was broken off"
            return Stopped(self.broken_off)
        failure = failure_of(flow)
        return failure if failure is not None else self._stop(f"{what} has no end in the file")

    def _stop(self, problem: str) -> Stopped:
        self.problem = self.problem or problem
        return Stopped(self.problem)

    async def _wait(self, since: float, ms: float) -> None:
        if self._pace is not None:
            await sleep(max(0.0, since + ms / 1000 / self._pace - current_time()))


def _is_denied(flow: http.HTTPFlow) -> bool:
    if is_killed(flow):
        return kill_of(flow) is Kill.BEFORE
    return flow.response is not None and flow.response.status_code == DENIED_STATUS
