"""A direct command's answer: run without the model, shown as a chat completion (A3.7)."""

import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread

from werkzeugkoppler import exchange
from werkzeugkoppler.direct import policy
from werkzeugkoppler.direct.output import Limits
from werkzeugkoppler.direct.run import Ended, answering
from werkzeugkoppler.endpoints.call import Call, Outlet, Reply, Streamed
from werkzeugkoppler.endpoints.stream import write_stream
from werkzeugkoppler.errors import ApiError, Headers
from werkzeugkoppler.flows import Kill, Killed
from werkzeugkoppler.recording import MAX_ANSWER_BYTES
from werkzeugkoppler.tools.process import child_environment
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.completion import COMPLETION_PREFIX
from werkzeugkoppler.wire.http import JSON_HEADERS, TEXT_HEADERS
from werkzeugkoppler.wire.jsontext import dumps
from werkzeugkoppler.wire.sse import DONE, event


async def direct(call: Call, request: ChatRequest, code: str) -> Reply | Streamed:
    """Run shell code that stood in the latest user message.

    Raises:
        ApiError: It may not run, or a plain one could not.
    """
    settings = call.stack.settings
    refused: ApiError | None = None
    try:
        await _check(call, code)
    except ApiError as error:
        if not request.stream:
            raise
        refused = error
    model = call.stack.configured_model_for(request.model) or call.stack.shown_model
    head = {"id": f"{COMPLETION_PREFIX}{call.trace.id}", "created": int(time.time()), "model": model}
    run = _Run(call)
    if not request.stream:
        return Reply(200, JSON_HEADERS, completion(head, await run.whole(code)))

    async def write(outlet: Outlet, headers: Headers) -> None:
        answer = _refused(head, refused) if refused else streamed(head, run.pieces(code), run.ended)
        seconds = settings.stream_keepalive_seconds
        await write_stream(outlet, answer, keepalive_seconds=seconds, headers=headers, trace=call.trace)

    return Streamed(write)


async def command_again(call: Call, code: str) -> str:
    """Run shell code that an operator replays; its answer.

    Raises:
        ApiError: It may not run, or could not.
    """
    await _check(call, code)
    return await _Run(call).traced_whole(code)


async def _check(call: Call, code: str) -> None:
    """Let code pass, or refuse it, and trace that."""
    settings = call.stack.settings
    patterns, which = settings.allowed_direct_commands, settings.direct_command_policy
    decided = {"action": "direct_command", "by": "direct_command_policy"}
    try:
        # A line may be as long as 128 KiB, and nobody else waits while it is read.
        await anyio.to_thread.run_sync(policy.check, code, patterns, which)
    except ApiError:
        call.trace.add("permission_denied", **decided)
        raise
    call.trace.add("permission_granted", **decided)


@dataclass(slots=True)
class _Run:
    """One command as an exchange that is traced."""

    call: Call
    ended: Ended = field(default_factory=Ended)
    said: list[str] = field(default_factory=list)
    """The answer, where the trace is to have it."""

    async def whole(self, code: str) -> str:
        """The whole answer, as it may have been edited."""
        with self._traced(code):
            done = await exchange.act(self.call.link, _act(code), self._perform)
            self._note("" if isinstance(done, Kill) else done[1])
        if isinstance(done, Kill):
            raise denied()
        return done[1]

    async def traced_whole(self, code: str) -> str:
        """The whole answer, of a command that has a flow already."""
        with self._traced(code):
            _, text = await self._perform(code)
            self._note(text)
        return text

    async def pieces(self, code: str) -> AsyncGenerator[str]:
        """The answer as it comes."""
        with self._traced(code):
            try:
                async with exchange.live_act(self.call.link, _act(code), self._answering) as pieces:
                    async for piece in pieces:
                        text = piece.decode("utf-8", "replace")
                        self._note(text)
                        yield text
            except Killed as error:
                raise denied() from error

    async def _perform(self, code: str) -> tuple[int, str]:
        async with self._answering(code) as pieces:
            return 200, await _joined(pieces)

    def _answering(self, code: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        settings = self.call.stack.settings
        limits = Limits(
            settings.allowed_direct_commands_max_output_lines,
            settings.allowed_direct_commands_max_output_bytes,
            settings.direct_command_timeout_seconds,
        )
        environ = child_environment(os.environ, settings.secrets)
        return answering(
            code, cwd=self.call.stack.settings.root, environ=environ, limits=limits, ended=self.ended
        )

    @contextmanager
    def _traced(self, code: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            trace = self.call.trace
            trace.add(
                "direct_command",
                return_code=self.ended.return_code,
                bytes=self.ended.output_bytes,
                duration_ms=round((time.monotonic() - began) * 1000),
                code=trace.content(code),
                output=trace.content("".join(self.said)),
            )

    def _note(self, text: str) -> None:
        if self.call.trace.keeps_content:
            self.said.append(text)


async def _joined(pieces: AsyncIterator[bytes]) -> str:
    whole = bytearray()
    async for piece in pieces:
        whole += piece
        if len(whole) > MAX_ANSWER_BYTES:
            raise ApiError(
                500, f"the answer is larger than {MAX_ANSWER_BYTES} bytes", code="direct_command_failed"
            )
    return whole.decode()


def _act(code: str) -> exchange.Act:
    return exchange.Act("command", "direct", "", code, headers=TEXT_HEADERS)


def denied() -> ApiError:
    """What the client is told where an operator killed the command's flow."""
    return ApiError(403, "the direct command was denied by the operator", code="direct_command_denied")


# The answer's forms


def completion(head: dict[str, Any], text: str) -> bytes:
    """The plain answer."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return dumps({**head, "object": "chat.completion", "choices": [choice]}).encode()


async def streamed(head: dict[str, Any], pieces: AsyncGenerator[str], ended: Ended) -> AsyncGenerator[bytes]:
    """The role with the first chunk, the finish with the last (WK-63).

    Args:
        head: The identity of the chunks.
        ended: Has a return code from the last piece on.
    """
    role: dict[str, str] = {"role": "assistant"}
    finish: str | None = None
    async with aclosing(pieces) as texts:
        async for text in texts:
            finish = "stop" if ended.return_code is not None else None
            yield _chunk(head, role | {"content": text}, finish)
            role = {}
    # An answer that was made by another addon does not pass here: it has no last piece of ours.
    yield DONE if finish else _chunk(head, role, "stop") + DONE


async def _refused(head: dict[str, Any], error: ApiError) -> AsyncGenerator[bytes]:
    """A stream's refusal is an answer to be read (WK-59)."""
    yield _chunk(head, {"role": "assistant", "content": f"Error: {error.message}"}, "stop") + DONE


def _chunk(head: dict[str, Any], delta: dict[str, str], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event(dumps({**head, "object": "chat.completion.chunk", "choices": [choice]}))
