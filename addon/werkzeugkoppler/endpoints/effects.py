"""What a turn does to the world: legs and tool calls, each an exchange that is traced."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from anyio import Event, move_on_after, sleep

from werkzeugkoppler import exchange
from werkzeugkoppler.endpoints.approval import Approval
from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.endpoints.leg_trace import LegTrace
from werkzeugkoppler.endpoints.offload import computed
from werkzeugkoppler.endpoints.traced import Outcome, traced
from werkzeugkoppler.errors import UpstreamError
from werkzeugkoppler.flows import Kill
from werkzeugkoppler.labels import DENIED_STATUS, Link, Plain
from werkzeugkoppler.tools.tool import Progress, Tool, ToolResult
from werkzeugkoppler.turn import asking
from werkzeugkoppler.turn.calling import Tell
from werkzeugkoppler.turn.detect import fired
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.retry import is_noted
from werkzeugkoppler.upstreams.refusal import read_refusal
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.completion import repairs_of
from werkzeugkoppler.wire.http import EVENT_STREAM, JSON_HEADERS, HttpAnswer, HttpRequest, media_type
from werkzeugkoppler.wire.jsontext import in_words, no_constants

NO_CONTENT = (204, 205)
"""Successes without a body."""

NEWS_SECONDS = 1.0
"""Between two looks at what running calls say: a line each second is a sign of life, more is a flood."""

FAILED_STATUS = 500
"""Of a tool call that failed."""

logger = logging.getLogger(__name__)


MAX_SAID = 100
"""Of what a tool says while it runs, the lines that its flow keeps."""


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """See `asking.Reply`."""

    is_stream: bool
    pieces: AsyncIterator[bytes]


class Effects:
    """The effects of one turn.

    Args:
        stream: Whether the upstream is asked for a stream.
        approval: Says which tools of ours the turn offers, and what lets a call of them run.
        repairs: What was mended so far in the leg that is coming in.
        made: What of the prompt was put in here, in numbers, for who looks at a leg.
    """

    def __init__(
        self,
        call: Call,
        stream: bool,
        approval: Approval,
        repairs: Callable[[], Sequence[str]],
        made: Mapping[str, int],
    ) -> None:
        self._made = made
        self._repairs = repairs
        self._call = call
        self._stream = stream
        self._approval = approval
        self._legs = LegTrace(call.trace)
        self._denied: list[str] = []  # the names of the calls
        self._retries: Counter[int] = Counter()  # of each leg

    @asynccontextmanager
    async def ask(self, body: bytes, number: int) -> AsyncIterator[asking.Reply]:
        """See `asking.Ask`."""
        self._legs.ask(number, body)
        upstream = self._call.stack.upstream
        accept = EVENT_STREAM if self._stream else "application/json"
        headers = (*JSON_HEADERS, ("accept", accept))
        request = HttpRequest("POST", f"{upstream.base_url}/v1/chat/completions", headers, body)
        link = self._link(number)
        came: exchange.LegAnswer | None = None
        try:
            async with exchange.leg(link, request, upstream.send, repairs_of, **self._made) as answer:
                is_stream = await accepted(answer, is_stream_asked=self._stream)
                self._legs.accepted()
                came = answer
                yield UpstreamReply(is_stream, self._legs.noting(answer.pieces))
                answer.note_repairs(self._repairs())
        except (asyncio.CancelledError, GeneratorExit):  # the client left
            self._legs.broken_off(came.so_far if came is not None else None)
            raise

    async def wait(self, number: int, error: UpstreamError, seconds: float) -> None:
        """See `asking.Wait`."""
        self._retries[number] += 1
        retry = self._retries[number]
        if is_noted(retry):  # retries may have no end
            wait_ms = round(seconds * 1000)
            self._call.trace.add("retry", leg=number, retry=retry, error=error.summary, wait_ms=wait_ms)
        await sleep(seconds)

    async def note_leg(self, number: int, leg: Leg, model: str) -> None:
        """Trace a leg that ended."""
        self._legs.end(number, leg, model)
        content, detectors = leg.message.get("content"), self._call.stack.settings.detectors
        size = len(content) * len(detectors) if isinstance(content, str) else 0
        for name in await computed(size, partial(fired, content, detectors)):
            self._call.trace.add("detector_fired", detector=name, leg=number)

    async def pause(self, ended: Event) -> None:
        """See `calling.Pause`."""
        with move_on_after(NEWS_SECONDS):
            await ended.wait()

    async def call_tool(self, call: ToolCall, number: int, tell: Tell) -> str:
        """See `calling.CallTool`."""
        trace = self._call.trace
        trace.add(
            "tool_call",
            call_id=call.id,
            name=call.name,
            leg=number,
            bytes=len(call.arguments),
            arguments=trace.content(call.arguments),
        )
        is_called = {"call_id": call.id, "name": call.name}
        with traced(trace, "tool_result", if_cancelled="tool_cancelled", **is_called) as outcome:
            done = await self._act(call, number, tell, outcome)
            text = outcome.of(done, partial(self._approval.killed, call.name))
            if outcome.is_denied:
                self._denied.append(call.name)
            return text

    def refusal(self) -> str | None:
        """See `engine.Turn.refusal`."""
        if self._call.stack.settings.denied_call_reply != "refusal":
            return None
        return self._approval.refused(self._denied)

    async def _act(self, call: ToolCall, number: int, tell: Tell, outcome: Outcome) -> tuple[int, str] | Kill:
        """See `exchange.act`."""
        tool = self._approval.tools.get(call.name)
        if tool is None:
            return 404, unknown_tool(call.name)
        said: list[list[str | int]] = []
        tell = _noting(tell, said)
        more: dict[str, Plain] = {"source": tool.source, "tool": tool.name, "call_id": call.id, "said": said}
        if lacks := self._approval.lacking(call.name):
            more["lacks"] = lacks
        shown = self._approval.body(call).encode("utf-8", "replace").decode()  # as a flow has it
        what = exchange.Act("tool", tool.source, tool.name, shown, more)
        if (refusal := self._approval.refusal(call)) is not None:
            done = await exchange.act(self._link(number), what, partial(_refuse, refusal))
            return Kill.BEFORE if isinstance(done, Kill) else done
        question = self._approval.question(call, number, tell)

        async def run(arguments: str) -> tuple[int, str]:
            outcome.edited = arguments if arguments != shown else None
            return await self._perform(call, tool, tell, arguments)

        return await exchange.act(self._link(number), what, run, question)

    async def _perform(self, call: ToolCall, tool: Tool, tell: Tell, arguments: str) -> tuple[int, str]:
        status, text = await perform(tool, tell, arguments)
        if status == FAILED_STATUS:
            self._approval.failed(call)
        return status, text

    def _link(self, number: int) -> Link:
        return replace(self._call.link, leg=number)


async def accepted(answer: HttpAnswer, *, is_stream_asked: bool) -> bool:
    """Whether an upstream's answer is to be read as a stream.

    Raises:
        UpstreamError: It is no completion at all.
    """
    if not 200 <= answer.status < 300:
        raise await read_refusal(answer)
    kind = media_type(answer.headers)
    if answer.status in NO_CONTENT or kind == "text/html":
        raise UpstreamError(f"the upstream answered {answer.status} with {kind or 'nothing'}, no completion")
    return kind == EVENT_STREAM or (is_stream_asked and not kind.endswith("json"))


def unknown_tool(name: str) -> str:
    """What the model is told of a call to a tool that there is none of."""
    return ToolResult(False, f"Unknown tool '{name}'").text()


def _noting(tell: Tell, said: list[list[str | int]]) -> Tell:
    """Hands lines on, and notes when each came, in milliseconds."""
    began = time.monotonic()

    def noting(line: str) -> None:
        if len(said) < MAX_SAID:
            said.append([round((time.monotonic() - began) * 1000), line])
        tell(line)

    return noting


async def _refuse(refusal: str, arguments: str) -> tuple[int, str]:
    return DENIED_STATUS, refusal


async def perform(tool: Tool, tell: Progress, arguments: str) -> tuple[int, str]:
    """Run a tool; a status, and what the model is told."""
    result = await _run(tool, arguments, tell)
    return (200 if result.ok else FAILED_STATUS), result.text()


async def _run(tool: Tool, arguments: str, tell: Progress) -> ToolResult:
    """Run a tool, whatever the model wrote as its arguments (F23)."""
    try:
        values = json.loads(arguments or "{}", parse_constant=no_constants)
    except (ValueError, RecursionError) as error:
        return ToolResult(False, f"arguments are not valid JSON: {in_words(error)}")
    if not isinstance(values, dict):
        return ToolResult(False, f"arguments are not valid JSON: expected an object, got {arguments[:80]}")
    try:
        return await tool.run(values, tell)
    except Exception as error:  # boundary: the model is told, the turn goes on
        logger.exception("The tool %s/%s failed", tool.source, tool.name)
        return ToolResult(False, f"the tool failed: {error}")
