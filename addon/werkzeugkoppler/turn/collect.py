"""The plain answer: the completions of all legs made one."""

import json
from collections.abc import Callable
from typing import Any

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn import parts
from werkzeugkoppler.turn.asides import exhausted
from werkzeugkoppler.turn.leg import ENDED_EARLY, ENDED_INCOMPLETE, IsOurs, Leg, conclude
from werkzeugkoppler.wire import usage as usage_of
from werkzeugkoppler.wire.assemble import MessageAssembler
from werkzeugkoppler.wire.completion import (
    calls_of,
    finish_reason_of,
    first_choice,
    from_chunks,
    parse_completion,
)
from werkzeugkoppler.wire.jsontext import JsonObject, dumps
from werkzeugkoppler.wire.sse import SseEvent
from werkzeugkoppler.wire.usage import Usage

_JOINED = ("content", "reasoning_content", "reasoning")
"""What every leg adds to: a streamed answer would have shown it too."""


class PlainAnswer:
    """One completion for the client.

    A turn with one leg and one choice passes the upstream's body byte for byte (WK-03). Over several
    legs the first gives the id, the time and the model, the last all else, and text and usage are those
    of all legs together.

    Args:
        is_ours: Which calls are run here.
        identity: `id`, `created` and `model` for an answer that no upstream has a part in.
        new_id: Makes a tool call id.
        runs_mixed: Calls of ours are run also where the client's stand beside them; see `leg.to_run`.
    """

    has_shown = False
    finish_told = False
    """Nothing is shown before the end."""

    def __init__(
        self,
        *,
        is_ours: IsOurs,
        identity: dict[str, Any],
        new_id: Callable[[], str],
        runs_mixed: bool = False,
    ) -> None:
        self._is_ours = is_ours
        self._runs_mixed = runs_mixed
        self._default_identity = identity
        self._new_id = new_id
        self._identity: dict[str, Any] = {}
        self._texts: dict[str, Any] = {}  # of the legs that have ended
        self._content: Any = None  # of the legs that have ended
        self._usage: Usage | None = None  # of all legs so far
        self._legs = 0
        self._events: list[SseEvent] = []
        self._body = b""
        self._completion = JsonObject("{}", {}, ())  # of the last leg

    @property
    def is_done(self) -> bool:
        """The end mark of a stream has come."""
        return bool(self._events) and self._events[-1].data.rstrip() == b"[DONE]"

    @property
    def has_ended(self) -> bool:
        """A stream has told why it ends."""
        choices = [first_choice(chunk) for event in self._events if (chunk := _chunk_of(event))]
        return any(finish_reason_of(choice) for choice in choices if choice)

    def take(self, event: SseEvent) -> bytes:
        """Take an event, from an upstream that streams though it was not asked to."""
        self._events.append(event)
        return b""

    def take_completion(self, body: bytes) -> bytes:
        self._body = body
        return b""

    def aside(self, text: str) -> bytes:
        """There is no place for it in a plain answer."""
        return b""

    @property
    def model(self) -> str:
        """The model that answers, as the client is told."""
        return str((self._default_identity | self._identity)["model"])

    @property
    def content(self) -> Any:
        """All that the client is told by the legs that have ended."""
        return self._content

    def drop_leg(self) -> None:
        """Forget what the leg has brought."""
        self._events, self._body = [], b""

    def end_leg(self) -> Leg:
        """What the leg brought.

        Raises:
            UpstreamError: The upstream's answer is not a completion, or broke off.
        """
        if self._events:
            self._body = dumps(_from_events(self._events, self.is_done, self._new_id)).encode()
            self._events = []
        self._completion = parse_completion(self._body)
        values = self._completion.values
        choice = first_choice(values)
        assert choice is not None  # parse_completion saw it
        message = choice["message"]
        assembler = MessageAssembler(self._new_id)
        assembler.add(message)
        for index, call in enumerate(calls_of(message)):
            assembler.add_call({**call, "index": index})
        told = values.get("usage")
        leg = conclude(
            assembler,
            finish_reason_of(choice),
            told if isinstance(told, dict) else None,
            self._is_ours,
            runs_mixed=self._runs_mixed,
        )
        self._legs += 1
        self._usage = usage_of.add(self._usage, leg.usage)
        self._identity = self._identity or {k: values[k] for k in ("id", "created", "model") if k in values}
        self._content = parts.joined(self._content, leg.message["content"])
        if leg.goes_on:
            self._body = b""
            for key in _JOINED:
                self._texts[key] = parts.joined(self._texts.get(key), leg.message.get(key))
        return leg

    def close(self) -> bytes:
        """The response body."""
        choices = self._completion.values["choices"]
        choice = first_choice(self._completion.values)
        assert choice is not None  # end_leg saw it
        seen = self._seen_choice(choice)
        changes: dict[str, Any] = {}
        if seen is not choice or len(choices) > 1:
            changes["choices"] = [seen]
        if self._legs > 1:
            changes |= self._identity
            if self._usage is not None:
                changes["usage"] = self._usage
        if not changes:
            return self._body
        return self._completion.edited({key: dumps(value) for key, value in changes.items()}).encode()

    def give_up(self, cause: Cause) -> bytes:
        """The response body where the upstream failed: the earlier text, and words about it (WK-136)."""
        content = parts.joined(self._texts.get("content"), exhausted(cause))
        message = {"role": "assistant", **self._texts, "content": content}
        message = {key: value for key, value in message.items() if value}
        completion = {
            **self._default_identity,
            **self._identity,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        usage = {"usage": self._usage} if self._usage is not None else {}
        return dumps(completion | usage).encode()

    def _seen_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """The choice without calls that are not the client's, and with the earlier legs' text."""
        message = choice["message"]
        earlier = {key: parts.joined(text, message.get(key)) for key, text in self._texts.items() if text}
        calls = calls_of(message)
        seen_calls = [call for call in calls if not self._is_ours(_name(call))]
        finish = finish_reason_of(choice)
        seen_finish = "tool_calls" if seen_calls and finish not in ENDED_EARLY else finish
        if not earlier and len(seen_calls) == len(calls) and seen_finish == finish:
            return choice
        seen = {key: value for key, value in {**message, **earlier}.items() if key != "tool_calls"}
        if seen_calls:
            seen["tool_calls"] = seen_calls
        return {**choice, "message": seen, "finish_reason": seen_finish}


def _name(call: dict[str, Any]) -> str:
    function = call.get("function")
    return str(function.get("name") or "") if isinstance(function, dict) else ""


def _from_events(events: list[SseEvent], is_done: bool, new_id: Callable[[], str]) -> dict[str, Any]:
    chunks: list[dict[str, Any]] = []
    for event in events:
        if (chunk := _chunk_of(event)) is not None:
            if chunk.get("error"):
                raise UpstreamError.told("the upstream broke off its answer", event.data)
            chunks.append(chunk)
    completion = from_chunks(chunks, new_id)
    if completion["choices"][0]["finish_reason"] is None:
        if not (is_done and any(first_choice(chunk) for chunk in chunks)):
            raise UpstreamError(ENDED_INCOMPLETE, cause=Cause.INCOMPLETE)
        completion["choices"][0]["finish_reason"] = "stop"
    return completion


def _chunk_of(event: SseEvent) -> dict[str, Any] | None:
    """The event's chunk; `None` for the end mark, comments, garbage (WK-143)."""
    try:
        chunk = json.loads(event.data)
    except (ValueError, RecursionError):
        return None
    return chunk if isinstance(chunk, dict) else None
