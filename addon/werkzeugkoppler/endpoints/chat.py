"""`POST /v1/chat/completions`: a turn, streamed or plain."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from werkzeugkoppler.direct.parse import latest_command, without_commands
from werkzeugkoppler.endpoints import turning
from werkzeugkoppler.endpoints.call import Call, Outlet, Reply, Streamed
from werkzeugkoppler.endpoints.composing import composed
from werkzeugkoppler.endpoints.direct import direct
from werkzeugkoppler.endpoints.explain import explain, not_asked
from werkzeugkoppler.endpoints.offload import computed
from werkzeugkoppler.endpoints.stream import write_stream
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.wire.chat import ChatRequest, parse_request
from werkzeugkoppler.wire.http import JSON_HEADERS


async def chat(call: Call) -> Reply | Streamed:
    """Answer a chat request.

    Raises:
        ApiError: The request cannot be used, or a plain turn failed.
    """
    request = await computed(len(call.body), partial(parse_request, call.body))
    wanted = call.stack.settings.upstream_model
    named = request.model if wanted and request.model != wanted else None
    turning.note_request(call, request, model=wanted or request.model, model_substituted_from=named)
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
    model = await call.stack.model_for(asked.model, call.link)
    prompt = await composed(call, asked, model)
    conversation, request = prompt.conversation, prompt.request
    conversation.begin(prompt.draft, request)
    run = turning.run(
        call,
        request,
        prompt.draft,
        model=model,
        ours=prompt.ours,
        approval=prompt.approval,
        made={**conversation.made, "our_tools": len(prompt.ours)},
        note_end=conversation.end,
    )
    try:
        async with aclosing(run) as events:
            async for data in events:
                yield data
    finally:
        prompt.approval.end()
