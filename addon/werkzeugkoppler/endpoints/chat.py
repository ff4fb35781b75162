"""`POST /v1/chat/completions`: a turn, streamed or plain."""

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from werkzeugkoppler.direct.parse import latest_command, without_commands
from werkzeugkoppler.endpoints.call import Call, Outlet, Reply, Streamed
from werkzeugkoppler.endpoints.composing import composed
from werkzeugkoppler.endpoints.direct import direct
from werkzeugkoppler.endpoints.effects import Effects
from werkzeugkoppler.endpoints.explain import explain, not_asked
from werkzeugkoppler.endpoints.offload import computed
from werkzeugkoppler.endpoints.stream import write_stream
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.turn import engine
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.turn.leg import IsOurs, Leg
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.turn.relay import StreamedAnswer
from werkzeugkoppler.turn.retry import Patience
from werkzeugkoppler.wire.chat import ChatRequest, parse_request
from werkzeugkoppler.wire.http import JSON_HEADERS


async def chat(call: Call) -> Reply | Streamed:
    """Answer a chat request.

    Raises:
        ApiError: The request cannot be used, or a plain turn failed.
    """
    request = await computed(len(call.body), partial(parse_request, call.body))
    wanted = call.stack.settings.upstream_model
    call.trace.add(
        "proxy_request",
        request_id=call.trace.id,
        client_addr=call.link.client_addr,
        model=wanted or request.model,
        model_substituted_from=request.model if wanted and request.model != wanted else None,
        stream=request.stream,
        tool_count=len(request.tools),
        bytes=len(call.body),
        body=call.trace.content(call.body),
    )
    if call.stack.settings.allowed_direct_commands:
        code = latest_command(request.messages)
        if code is not None:
            if call.wants_explanation:
                raise not_asked()
            return await direct(call, request, code)
        request = without_commands(request)
    if call.wants_explanation:
        return await explain(call, request)
    if not request.stream:
        async with aclosing(_turn(call, request)) as turn:
            return Reply(200, JSON_HEADERS, b"".join([data async for data in turn]))

    async def write(outlet: Outlet, headers: Headers) -> None:
        seconds = call.stack.settings.stream_keepalive_seconds
        turn = _turn(call, request)
        await write_stream(outlet, turn, keepalive_seconds=seconds, headers=headers, trace=call.trace)

    return Streamed(write)


async def _turn(call: Call, asked: ChatRequest) -> AsyncGenerator[bytes]:
    stack, settings = call.stack, call.stack.settings
    model = await stack.model_for(asked.model, call.link)
    prompt = await composed(call, asked, model)
    conversation, request, draft = prompt.conversation, prompt.request, prompt.draft
    approval, ours = prompt.approval, prompt.ours

    def is_ours(name: str) -> bool:
        # A name that nobody offered: a client with tools may know it, one without cannot answer it.
        return name in ours or bool(ours and not request.tools)

    conversation.begin(draft, request)
    answer = _answer(call, request, model, is_ours, runs_mixed=conversation.is_kept)
    made = {**conversation.made, "our_tools": len(ours)}
    effects = Effects(call, request.stream, approval, lambda: answer.repairs, made)

    async def note_leg(number: int, leg: Leg) -> None:
        stack.last_model = answer.model
        await effects.note_leg(number, leg, answer.model)

    def note_end(last: Draft, leg: Leg) -> None:
        conversation.end(last, leg, answer.content)

    turn = engine.Turn(
        draft=draft,
        answer=answer,
        max_tool_loops=settings.max_tool_loops,
        max_tool_concurrency=settings.max_tool_concurrency,
        note_leg=note_leg,
        note_end=note_end,
        patience=Patience(
            settings.upstream_connect_retries, settings.upstream_retry_interval_ms / 1000, time.time
        ),
        refusal=effects.refusal,
        shows_calls=request.stream and settings.tool_trace != "off",
        fails_in_words=settings.upstream_failure_reply == "text",
    )
    run = engine.run(
        turn, ask=effects.ask, wait=effects.wait, call_tool=effects.call_tool, pause=effects.pause
    )
    try:
        async with aclosing(run) as events:
            async for data in events:
                yield data
    finally:
        approval.end()


def _answer(
    call: Call, request: ChatRequest, model: str, is_ours: IsOurs, *, runs_mixed: bool
) -> StreamedAnswer | PlainAnswer:
    settings = call.stack.settings
    identity = {"id": f"chatcmpl-{call.trace.id}", "created": int(time.time()), "model": model}
    if not request.stream:
        return PlainAnswer(is_ours=is_ours, identity=identity, new_id=_new_call_id, runs_mixed=runs_mixed)
    return StreamedAnswer(
        is_ours=is_ours,
        wants_usage=request.include_usage,
        identity=identity,
        new_id=_new_call_id,
        runs_mixed=runs_mixed,
        reasoning_field=settings.tool_trace if settings.tool_trace.startswith("reasoning") else None,
        is_previewed=settings.stream_answer_mode == "safe_preview",
    )


def _new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"
