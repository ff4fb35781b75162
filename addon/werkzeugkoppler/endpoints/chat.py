"""`POST /v1/chat/completions`: a turn, streamed or plain."""

import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from anyio import sleep

from werkzeugkoppler import exchange
from werkzeugkoppler.direct.parse import latest_command, without_commands
from werkzeugkoppler.endpoints.call import Call, Outlet, Reply, Streamed
from werkzeugkoppler.endpoints.direct import direct
from werkzeugkoppler.endpoints.retrieval import our_messages
from werkzeugkoppler.endpoints.stream import write_stream
from werkzeugkoppler.errors import Headers, UpstreamError
from werkzeugkoppler.tools.tool import Tool, ToolResult
from werkzeugkoppler.turn import asking, engine
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.turn.leg import IsOurs, Leg
from werkzeugkoppler.turn.prompt import compose
from werkzeugkoppler.turn.relay import StreamedAnswer
from werkzeugkoppler.turn.retry import Patience
from werkzeugkoppler.upstreams.refusal import read_refusal
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.chat import ChatRequest, parse_request
from werkzeugkoppler.wire.http import EVENT_STREAM, JSON_HEADERS, HttpRequest, media_type

DENIED = ToolResult(False, "The call was denied by the operator")

NO_CONTENT = (204, 205)
"""Successes without a body."""

logger = logging.getLogger(__name__)


async def chat(call: Call) -> Reply | Streamed:
    """Answer a chat request.

    Raises:
        ApiError: The request cannot be used, or a plain turn failed.
    """
    request = parse_request(call.body)
    call.trace.add(
        "proxy_request",
        request_id=call.trace.id,
        client_addr=":".join(map(str, call.link.client_conn.peername[:2])),
        model=request.model,
        stream=request.stream,
        tool_count=len(request.tools),
    )
    if call.stack.settings.allowed_direct_commands:
        code = latest_command(request.messages)
        if code is not None:
            return await direct(call, request, code)
        request = without_commands(request)
    if not request.stream:
        async with aclosing(_turn(call, request)) as turn:
            return Reply(200, JSON_HEADERS, b"".join([data async for data in turn]))

    async def write(outlet: Outlet, headers: Headers) -> None:
        seconds = call.stack.settings.stream_keepalive_seconds
        await write_stream(outlet, _turn(call, request), keepalive_seconds=seconds, headers=headers)

    return Streamed(write)


async def _turn(call: Call, request: ChatRequest) -> AsyncGenerator[bytes]:
    stack, settings = call.stack, call.stack.settings
    model = request.model or await stack.default_model(call.link)
    offered = await stack.offered_tools()
    ours = {name: tool for name, tool in offered.items() if name not in request.tool_names}

    def is_ours(name: str) -> bool:
        # A name that nobody offered: a client with tools may know it, one without cannot answer it.
        return name in ours or bool(ours and not request.tools)

    draft = compose(
        request,
        init_messages=await our_messages(call, request),
        merge_system=settings.system_messages == "merge",
        tools=[stack.definition(name, tool) for name, tool in ours.items()],
        model=model,
    )
    answer = _answer(call, request, model, is_ours)
    effects = _Effects(call, request.stream, ours)

    def note_leg(number: int, leg: Leg) -> None:
        stack.last_model = answer.model
        effects.note_leg(number, leg)

    turn = engine.Turn(
        draft=draft,
        answer=answer,
        max_tool_loops=settings.max_tool_loops,
        max_tool_concurrency=settings.max_tool_concurrency,
        note_leg=note_leg,
        patience=Patience(
            settings.upstream_connect_retries, settings.upstream_retry_interval_ms / 1000, time.time
        ),
        shows_calls=settings.tool_trace != "off",
        fails_in_words=settings.upstream_failure_reply == "text",
    )
    run = engine.run(turn, ask=effects.ask, wait=effects.wait, call_tool=effects.call_tool)
    async with aclosing(run) as events:
        async for data in events:
            yield data


def _answer(call: Call, request: ChatRequest, model: str, is_ours: IsOurs) -> StreamedAnswer | PlainAnswer:
    settings = call.stack.settings
    identity = {"id": f"chatcmpl-{call.trace.id}", "created": int(time.time()), "model": model}
    if not request.stream:
        return PlainAnswer(is_ours=is_ours, identity=identity, new_id=_new_call_id)
    return StreamedAnswer(
        is_ours=is_ours,
        wants_usage=request.include_usage,
        identity=identity,
        new_id=_new_call_id,
        reasoning_field=settings.tool_trace if settings.tool_trace.startswith("reasoning") else None,
        is_previewed=settings.stream_answer_mode == "safe_preview",
    )


def _new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class _UpstreamReply:
    is_stream: bool
    pieces: AsyncIterator[bytes]


class _Effects:
    """What the engine does to the world: legs and tool calls, each an exchange that is traced."""

    def __init__(self, call: Call, stream: bool, tools: Mapping[str, Tool]) -> None:
        self._call = call
        self._stream = stream
        self._tools = tools
        self._leg_began = 0.0

    @asynccontextmanager
    async def ask(self, body: bytes, number: int) -> AsyncIterator[asking.Reply]:
        """See `asking.Ask`."""
        self._leg_began = time.monotonic()
        upstream = self._call.stack.upstream
        accept = EVENT_STREAM if self._stream else "application/json"
        headers = (*JSON_HEADERS, ("accept", accept))
        request = HttpRequest("POST", f"{upstream.base_url}/v1/chat/completions", headers, body)
        async with exchange.leg(self._link(number), request, upstream.send) as answer:
            if not 200 <= answer.status < 300:
                raise await read_refusal(answer)
            kind = media_type(answer.headers)
            if answer.status in NO_CONTENT or kind == "text/html":
                raise UpstreamError(
                    f"the upstream answered {answer.status} with {kind or 'nothing'}, no completion"
                )
            is_stream = kind == EVENT_STREAM or (self._stream and not kind.endswith("json"))
            yield _UpstreamReply(is_stream, answer.pieces)

    async def wait(self, number: int, error: UpstreamError, seconds: float) -> None:
        """See `asking.Wait`."""
        self._call.trace.add("retry", leg=number, error=error.message, wait_ms=round(seconds * 1000))
        await sleep(seconds)

    def note_leg(self, number: int, leg: Leg) -> None:
        """Trace a leg that ended."""
        self._call.trace.add(
            "leg",
            leg=number,
            finish_reason=leg.finish_reason,
            usage=leg.usage,
            tool_calls=len(leg.calls) or None,
            repairs=list(leg.repairs) or None,
            duration_ms=_ms_since(self._leg_began),
        )

    async def call_tool(self, call: ToolCall, number: int) -> str:
        """See `engine.CallTool`."""
        trace = self._call.trace
        trace.add("tool_call", call_id=call.id, name=call.name, leg=number, bytes=len(call.arguments))
        began = time.monotonic()
        tool = self._tools.get(call.name)
        outcome: dict[str, Any] = {"success": False}
        try:
            content = None
            if tool is None:
                content = ToolResult(False, f"Unknown tool '{call.name}'").text()
            else:
                more = {"source": tool.source, "tool": tool.name, "call_id": call.id}
                what = exchange.Act("tool", tool.source, tool.name, call.arguments, more)
                content = await exchange.act(self._link(number), what, _performer(tool, outcome))
            if content is None:
                outcome = {"success": False, "denied": True}
                content = DENIED.text()
            outcome["bytes"] = len(content)
            return content
        except BaseException:
            outcome["cancelled"] = True
            raise
        finally:
            trace.add("tool_result", call_id=call.id, **outcome, duration_ms=_ms_since(began))

    def _link(self, number: int) -> exchange.Link:
        return replace(self._call.link, leg=number)


def _performer(tool: Tool, outcome: dict[str, Any]) -> Callable[[str], Awaitable[tuple[int, str]]]:
    async def perform(arguments: str) -> tuple[int, str]:
        result = await _run(tool, arguments)
        outcome["success"] = result.ok
        return (200 if result.ok else 500), result.text()

    return perform


async def _run(tool: Tool, arguments: str) -> ToolResult:
    """Run a tool, whatever the model wrote as its arguments (F23)."""
    try:
        values = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        return ToolResult(False, f"arguments are not valid JSON: {error}")
    if not isinstance(values, dict):
        return ToolResult(False, f"arguments are not valid JSON: expected an object, got {arguments[:80]}")
    try:
        return await tool.run(values, _no_progress)
    except Exception as error:  # boundary: the model is told, the turn goes on
        logger.exception("The tool %s/%s failed", tool.source, tool.name)
        return ToolResult(False, f"the tool failed: {error}")


def _no_progress(news: str) -> None:
    """Progress is not shown to the client yet."""


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
