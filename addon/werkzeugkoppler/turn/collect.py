"""The plain answer: the completions of all legs made one."""

from collections.abc import Callable
from operator import is_
from typing import Any

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn import parts
from werkzeugkoppler.turn.asides import FIELDS, exhausted
from werkzeugkoppler.turn.client_calls import finish_of
from werkzeugkoppler.turn.leg import ENDED_INCOMPLETE, IsOurs, Leg, conclude
from werkzeugkoppler.wire import usage as usage_of
from werkzeugkoppler.wire.assemble import CallDraft, MessageAssembler
from werkzeugkoppler.wire.completion import (
    StreamedCompletion,
    assemble,
    calls_of,
    finish_reason_of,
    first_choice,
    join_logprobs,
    parse_chunk,
    parse_completion,
)
from werkzeugkoppler.wire.jsontext import JsonObject, dumps
from werkzeugkoppler.wire.rewrite import rewritten
from werkzeugkoppler.wire.sse import SseEvent
from werkzeugkoppler.wire.usage import Usage

_JOINED = ("content", *FIELDS)
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

    has_shown = finish_told = is_finished = False
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
        self._refused = b""
        self._completion = JsonObject("{}", {}, ())  # of the last leg
        self._calls: list[CallDraft] = []  # its calls as they were meant
        self._logprobs: Any = None  # of the texts of the legs that have ended

    @property
    def is_done(self) -> bool:
        """The end mark of a stream has come."""
        return bool(self._events) and self._events[-1].data.rstrip() == b"[DONE]"

    @property
    def has_ended(self) -> bool:
        """A stream has told why it ends."""
        try:
            return bool(self._events) and self._streamed().finish_reason is not None
        except UpstreamError:
            return False

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
        assembler = self._read_leg()
        values = self._completion.values
        choice = _choice(self._completion)
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
            if leg.message.get("content"):
                self._logprobs = join_logprobs(self._logprobs, choice.get("logprobs"))
        return leg

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was mended in a stream that nobody asked for (BX-02).

        Of a completion its exchange told already: its flow is closed before it is looked at here.
        """
        try:
            return tuple(self._streamed().message.repairs) if self._events else ()
        except UpstreamError:
            return ()

    def _read_leg(self) -> MessageAssembler:
        """Read the completion that has come, with its calls as they were meant."""
        streamed = self._streamed() if self._events else None
        if streamed is not None:
            self._body, self._events = streamed.text().encode(), []
        self._completion = parse_completion(self._body)
        assembler, self._calls = assemble(_choice(self._completion), self._new_id)
        if streamed is not None:
            assembler.repairs = [*streamed.message.repairs, *assembler.repairs]
        return assembler

    def _streamed(self) -> StreamedCompletion:
        streamed = StreamedCompletion(self._new_id)
        for event in self._events:
            if parse_chunk(event.data) is not None:  # nor [DONE], nor a comment
                streamed.add(JsonObject.parse(event.data.decode(), lenient=True))
        if streamed.finish_reason is None and not (self.is_done and streamed.has_begun):
            raise UpstreamError(ENDED_INCOMPLETE, cause=Cause.INCOMPLETE)
        streamed.finish_reason = streamed.finish_reason or "stop"
        streamed.message.settle()
        return streamed

    def close(self) -> bytes:
        """The response body."""
        if self._refused:
            return self._refused
        values = self._completion.values
        choice = _choice(self._completion)
        seen = self._seen_choice(choice)
        told: dict[str, Any] = {}
        if seen is not choice or len(values["choices"]) > 1:
            told["choices"] = [seen]
        if self._legs > 1:
            told |= self._identity
            if self._usage is not None:
                told["usage"] = self._usage
        if not told:
            return self._body
        return rewritten(self._completion.text, values, values | told).encode()

    def give_up(self, cause: Cause) -> bytes:
        """The response body where the upstream failed: the earlier text, and words about it (WK-136)."""
        return self._in_words(parts.joined(self._texts.get("content"), exhausted(cause)), "stop")

    def refuse(self, refusal: str) -> bytes:
        """The last words of the answer, which are ours: a call was denied (OW-60)."""
        said = parts.last_words(self._texts.get("content"), refusal)
        self._content = parts.joined(self._texts.get("content"), said)
        self._refused = self._in_words(self._content, "content_filter")
        return b""

    def _in_words(self, content: Any, finish_reason: str) -> bytes:
        """A response body whose last words are ours."""
        message = {"role": "assistant", **self._texts, "content": content}
        message = {key: value for key, value in message.items() if value}
        completion = {
            **self._default_identity,
            **self._identity,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        }
        usage = {"usage": self._usage} if self._usage is not None else {}
        return dumps(completion | usage).encode()

    def _seen_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """The choice without calls that are not the client's, and with the earlier legs' text.

        It is the choice itself where nothing changes.
        """
        message = choice["message"]
        seen = {
            **message,
            **{key: parts.joined(text, message.get(key)) for key, text in self._texts.items() if text},
        }
        calls = self._seen_calls(message)
        if calls:
            seen["tool_calls"] = calls
        elif message.get("tool_calls"):
            del seen["tool_calls"]
        changes: dict[str, Any] = {"message": _unless_same(message, seen)}
        finish = finish_reason_of(choice)
        if (seen_finish := finish_of(finish or "stop", bool(calls))) != (finish or "stop"):
            changes["finish_reason"] = seen_finish
        if self._logprobs:
            changes["logprobs"] = join_logprobs(self._logprobs, choice.get("logprobs"))
        return _unless_same(choice, {**choice, **changes})

    def _seen_calls(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        told = calls_of(message)
        items = [
            _as_told(item, call)
            for item, call in zip(told, self._calls, strict=True)
            if call.custom is not None or (call.name and not self._is_ours(call.name))
        ]
        is_same = len(items) == len(told) and all(map(is_, items, told))
        return message["tool_calls"] if is_same and message.get("tool_calls") == told else items


def _as_told(item: dict[str, Any], call: CallDraft) -> dict[str, Any]:
    """A call as OpenAI writes one, the item itself where it is one."""
    whole = call.to_message()
    function = item.get("function")
    if isinstance(function, dict) and "function" in whole:
        whole["function"] = function | whole["function"]
    return item if item | whole == item else item | whole


def _unless_same(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old object where the new one has the very same members."""
    is_same = len(old) == len(new) and all(key in old and old[key] is value for key, value in new.items())
    return old if is_same else new


def _choice(completion: JsonObject) -> dict[str, Any]:
    choice = first_choice(completion.values)
    assert choice is not None  # parse_completion saw it
    return choice
