"""A turn from its first draft on: what its legs become, and how it goes by the settings."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from hashlib import blake2b
from itertools import count
from typing import Any

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.approval import Approval
from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.endpoints.effects import Effects
from werkzeugkoppler.turn import engine
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.turn.relay import StreamedAnswer
from werkzeugkoppler.turn.retry import Patience
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.completion import COMPLETION_PREFIX

type ClientAnswer = StreamedAnswer | PlainAnswer

type NoteLeg = Callable[[int, Leg], Awaitable[None]]
type NoteEnd = Callable[[Draft, Leg, Any], None]
"""Told of the last leg before the answer is closed, and of what the client was told by all."""


def note_request(call: Call, request: ChatRequest, *, model: str | None, **more: Any) -> None:
    """Trace what a client asks for.

    Args:
        model: That is asked.
    """
    call.trace.add(
        "proxy_request",
        request_id=call.trace.id,
        client_addr=call.link.client_addr,
        model=model,
        stream=request.stream,
        tool_count=len(request.tools),
        bytes=len(call.body),
        body=call.trace.content(call.body),
        **more,
    )


def run(
    call: Call,
    request: ChatRequest,
    draft: Draft,
    *,
    model: str,
    ours: Collection[str],
    approval: Approval,
    made: Mapping[str, int],
    note_end: NoteEnd,
    first_leg: int = 1,
) -> AsyncGenerator[bytes]:
    """Answer a request, from its first leg's draft on.

    Args:
        request: The client's.
        model: What the answer names where no upstream has a part in it.
        ours: The names of our tools that the model is offered.
        approval: Says what lets a call of them run.
        made: See `Effects`.
    """
    stack, settings = call.stack, call.stack.settings
    identity = {"id": f"{COMPLETION_PREFIX}{call.trace.id}", "created": int(time.time()), "model": model}
    answer = answer_for(request, settings, ours, identity, call_ids(call.trace.id))
    effects = Effects(call, request.stream, approval, lambda: answer.repairs, made)

    async def note_leg(number: int, leg: Leg) -> None:
        stack.last_model = answer.model
        await effects.note_leg(number, leg, answer.model)

    turn = turn_of(
        request,
        settings,
        draft,
        answer,
        note_leg=note_leg,
        note_end=lambda last, leg: note_end(last, leg, answer.content),
        refusal=effects.refusal,
        first_leg=first_leg,
    )
    return engine.run(
        turn, ask=effects.ask, wait=effects.wait, call_tool=effects.call_tool, pause=effects.pause
    )


def answer_for(
    request: ChatRequest,
    settings: Settings,
    ours: Collection[str],
    identity: dict[str, Any],
    new_id: Callable[[], str],
) -> ClientAnswer:
    """What the legs are made for the client: a stream, or one body.

    Args:
        identity: `id`, `created` and `model` for an answer that no upstream has a part in.
        new_id: Makes a tool call id.
    """
    has_client_tools = bool(request.tools)

    def is_ours(name: str) -> bool:
        # A name that nobody offered: a client with tools may know it, one without cannot answer it.
        return name in ours or bool(ours and not has_client_tools)

    runs_mixed = settings.tool_memory.enabled
    if not request.stream:
        return PlainAnswer(is_ours=is_ours, identity=identity, new_id=new_id, runs_mixed=runs_mixed)
    return StreamedAnswer(
        is_ours=is_ours,
        wants_usage=request.include_usage,
        identity=identity,
        new_id=new_id,
        runs_mixed=runs_mixed,
        reasoning_field=settings.tool_trace if settings.tool_trace.startswith("reasoning") else None,
        is_previewed=settings.stream_answer_mode == "safe_preview",
    )


def turn_of(
    request: ChatRequest,
    settings: Settings,
    draft: Draft,
    answer: ClientAnswer,
    *,
    note_leg: NoteLeg,
    note_end: Callable[[Draft, Leg], None],
    refusal: Callable[[], str | None],
    first_leg: int = 1,
) -> engine.Turn:
    """The turn as the settings want it."""
    return engine.Turn(
        draft=draft,
        answer=answer,
        max_tool_loops=settings.max_tool_loops,
        max_tool_concurrency=settings.max_tool_concurrency,
        note_leg=note_leg,
        note_end=note_end,
        patience=Patience(
            settings.upstream_connect_retries, settings.upstream_retry_interval_ms / 1000, time.time
        ),
        refusal=refusal,
        shows_calls=request.stream and settings.tool_trace != "off",
        fails_in_words=settings.upstream_failure_reply == "text",
        first_leg=first_leg,
    )


def call_ids(turn: str) -> Callable[[], str]:
    """Makes the ids of calls that have none: the same ones again where the same turn is played again."""
    numbers = count(1)
    return lambda: f"call_{blake2b(f'{turn} {next(numbers)}'.encode(), digest_size=12).hexdigest()}"
