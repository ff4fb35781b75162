"""The streamed answer: what the client may see of each leg's chunks (BX-01).

The client sees one message from one server. So the first chunk's id, model and time stand on every
chunk, the role is told once, the calls that are run here are left out together with the
`finish_reason` that goes with them, and usage is the sum over the legs, told if asked for.
A chunk that none of this touches passes as the bytes it came in (BX-07).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.turn import asides, parts
from werkzeugkoppler.turn.asides import ReasoningField
from werkzeugkoppler.turn.client_calls import ClientCalls
from werkzeugkoppler.turn.identity import Identity
from werkzeugkoppler.turn.leg import ENDED_INCOMPLETE, IsOurs, Leg, conclude
from werkzeugkoppler.turn.preview import Preview
from werkzeugkoppler.turn.shapes import delta_of
from werkzeugkoppler.turn.told_usage import ToldUsage
from werkzeugkoppler.wire.assemble import MessageAssembler
from werkzeugkoppler.wire.completion import (
    Chunk,
    finish_reason_of,
    first_choice,
    parse_chunk,
    parse_completion,
    to_events,
)
from werkzeugkoppler.wire.rewrite import rewritten_event
from werkzeugkoppler.wire.sse import DONE, SseEvent

type Delta = dict[str, Any]


class StreamedAnswer:
    """The chunks of all legs of a turn, made one stream.

    Args:
        is_ours: Which calls are run here.
        wants_usage: The client asked for the usage chunk.
        identity: `id`, `created` and `model` for an upstream that sends none.
        new_id: Makes a tool call id.
        reasoning_field: The delta key for what is said beside the answer; `None` is the upstream's own.
        is_previewed: Hold each leg's text back until the leg is known to be the last (WK-126).
        runs_mixed: Calls of ours are run also where the client's stand beside them; see `leg.to_run`.
    """

    def __init__(
        self,
        *,
        is_ours: IsOurs,
        wants_usage: bool,
        identity: dict[str, Any],
        new_id: Callable[[], str],
        reasoning_field: str | None = None,
        is_previewed: bool = False,
        runs_mixed: bool = False,
    ) -> None:
        self._is_ours = is_ours
        self._runs_mixed = runs_mixed
        self._new_id = new_id
        self._is_previewed = is_previewed
        # Of the whole answer:
        self._field = ReasoningField(reasoning_field)
        self._identity = Identity(identity)
        self._role_told = False
        self._finish_told = False
        self._usage = ToldUsage(wants_usage)
        self._is_first_leg = True
        self._content: Any = None  # of the legs that have ended, as the client saw it
        self._begin_leg()

    def _begin_leg(self) -> None:
        self._assembler = MessageAssembler(self._new_id)
        self._client_calls = ClientCalls(self._assembler, self._is_ours, self._runs_mixed)
        self._finish_reason: str | None = None
        self._usage.leg = None
        self._begun = False  # a choice has come
        self._done = False
        self._has_shown = False
        self._preview = Preview()

    @property
    def is_done(self) -> bool:
        """The leg's end mark has come."""
        return self._done

    @property
    def finish_told(self) -> bool:
        """The client was told why the answer ends."""
        return self._finish_told

    @property
    def has_ended(self) -> bool:
        """The leg has told why it ends."""
        return self._finish_reason is not None

    is_finished = has_ended

    @property
    def has_shown(self) -> bool:
        """The client has seen something of this leg; comments do not count."""
        return self._has_shown

    @property
    def model(self) -> str:
        """The model that answers, as the client is told."""
        return str(self._identity.get("model"))

    @property
    def content(self) -> Any:
        """All that the client was told by the legs that have ended."""
        return self._content

    def take(self, event: SseEvent) -> bytes:
        """Take one event of the upstream, give what the client is to see of it.

        Raises:
            UpstreamError: The upstream says that it failed.
        """
        if self._done:
            return b""
        if not event.data:
            # A comment keeps the client's connection alive too. Anything else is no event.
            return event.raw if event.raw.startswith(b":") else b""
        if event.data.rstrip() == b"[DONE]":
            self._done = True
            return b""
        chunk = parse_chunk(event.data)
        shown = b"" if chunk is None else self._take_chunk(chunk, event)
        self._has_shown |= bool(shown)
        return shown

    def take_completion(self, body: bytes) -> bytes:
        """Take a whole completion, from an upstream that does not stream (WK-138).

        Raises:
            UpstreamError: It is none.
        """
        shown = [self.take(event) for event in to_events(parse_completion(body))]
        self._done = self._has_shown = True
        return b"".join(shown)

    def end_leg(self) -> Leg:
        """What the leg brought, after the upstream's answer ended.

        Raises:
            UpstreamError: The answer broke off.
        """
        if self._finish_reason is None and not (self._done and self._begun):
            raise UpstreamError(ENDED_INCOMPLETE, cause=Cause.INCOMPLETE)
        is_late = self._is_late()
        leg = conclude(
            self._assembler, self._finish_reason, self._usage.leg, self._is_ours, runs_mixed=self._runs_mixed
        )
        leg = replace(leg, calls=()) if is_late else leg
        self._usage.end_leg()
        if not (self._is_previewed and leg.goes_on):
            self._content = parts.joined(self._content, leg.message["content"])
        if leg.goes_on:
            self._is_first_leg = False
            self._begin_leg()
        return leg

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was mended in the leg, whose answer has ended (BX-02)."""
        self._is_late()
        return tuple(self._assembler.repairs)

    def _is_late(self) -> bool:
        """Whether calls of ours came after what the client was told as the end: no leg can follow."""
        is_late = self._client_calls.wait_for_ours(self._finish_reason) and self._finish_told
        if is_late:
            self._assembler.mended("a call came after the end and was not run")
        return is_late

    def drop_leg(self) -> None:
        """Forget a leg of which the client has seen nothing."""
        self._begin_leg()

    def aside(self, text: str) -> bytes:
        """A delta with reasoning of our own."""
        return self._delta({self._field.name: text}) if text else b""

    def give_up(self, cause: Cause) -> bytes:
        """The end of a stream whose upstream failed, in words (WK-135, WK-137)."""
        if self._finish_told:
            return self.close()
        self._finish_told = True
        if self._has_shown:
            return self.aside(asides.interrupted(cause)) + self._delta({}, "stop") + self.close()
        words = asides.exhausted(cause)
        return self.aside(f"{words}\n") + self._delta({"content": words}, "stop") + self.close()

    def refuse(self, refusal: str) -> bytes:
        """The last words of the answer, which are ours: a call was denied (OW-60)."""
        said = parts.last_words(self._content, refusal)
        self._content = parts.joined(self._content, said)
        self._finish_told = True
        return self._delta({"content": said}, "content_filter")

    def close(self) -> bytes:
        """The end of the stream, with what the upstream left out."""
        closing = b""
        if not self._finish_told:
            closing += self._released() + self._delta({}, "tool_calls" if self._client_calls else "stop")
        if (usage := self._usage.still_to_tell()) is not None:
            closing += self._identity.event({"choices": [], "usage": usage})
        return closing + DONE

    # What the client sees of a chunk

    def _take_chunk(self, chunk: Chunk, written: SseEvent) -> bytes:
        self._usage.note(chunk)
        choice = first_choice(chunk)
        if choice is None:
            return self._take_choiceless(chunk, written)
        if (delta := delta_of(choice, self._assembler.mended, begun=self._begun)) is None:
            return b""
        self._begun = True
        self._field.see(delta)
        delta = parts.as_text(delta, self._field.name)
        self._assembler.add(delta)
        seen_delta = shown_delta = self._seen_delta(delta)
        if self._is_previewed:
            seen_delta = self._preview.hold(choice, seen_delta, self._field.name)
        seen_finish = self._seen_finish(choice)
        is_finish_hidden = finish_reason_of(choice) is not None and seen_finish is None
        seen_usage = None if is_finish_hidden else self._usage.seen(chunk)
        released = b""
        if seen_finish is not None:
            self._usage.told_with_finish(seen_usage)
            released = self._released()
        if (
            seen_delta is choice.get("delta")
            and seen_finish == choice.get("finish_reason")
            and seen_usage is chunk.get("usage")
            and len(chunk["choices"]) == 1
            and choice.get("index") == 0
            and "message" not in choice
        ):
            return released + self._identity.told(written, chunk, chunk)
        is_cut = is_finish_hidden or any(key not in shown_delta for key in delta)
        if is_cut and not any(seen_delta.values()) and seen_finish is None:
            return b""  # nothing is left of it
        seen = {**choice, "index": 0, "delta": seen_delta}
        seen.pop("message", None)
        if seen_finish != choice.get("finish_reason"):
            seen["finish_reason"] = seen_finish
        usage = {"usage": seen_usage} if "usage" in chunk else {}
        return released + self._identity.told(written, chunk, {**chunk, "choices": [seen], **usage})

    def _take_choiceless(self, chunk: Chunk, written: SseEvent) -> bytes:
        if chunk.get("choices"):
            return b""  # another choice than the client's
        seen = chunk
        if chunk.get("choices") is None:
            self._assembler.mended("choices was no array")
            seen = {**chunk, "choices": []}
        if not isinstance(chunk.get("usage"), dict):
            # Such as Azure's prompt_filter_results, whose identity is empty.
            return rewritten_event(written, chunk, seen) if self._is_first_leg else b""
        if not self._usage.takes_chunk(finish_told=self._finish_told):
            return b""
        return self._identity.told(written, chunk, {**seen, "usage": self._usage.seen(chunk)})

    def _seen_delta(self, delta: Delta) -> Delta:
        """The delta itself if nothing in it has to change."""
        seen = delta
        if not self._role_told:
            self._role_told = True
            if not delta.get("role"):
                seen = {"role": "assistant", **{k: v for k, v in delta.items() if k != "role"}}
        elif delta.get("role"):
            seen = {k: v for k, v in delta.items() if k != "role"}
        return self._client_calls.seen_delta(delta, seen)

    def _seen_finish(self, choice: dict[str, Any]) -> str | None:
        if (finish_reason := finish_reason_of(choice)) is None:
            return None
        self._finish_reason = finish_reason
        if self._client_calls.wait_for_ours(finish_reason) or self._finish_told:
            return None
        self._finish_told = True
        return self._client_calls.finish(finish_reason)

    # What the client is told that is no chunk of the upstream's

    def _delta(self, delta: Delta, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": self._seen_delta(delta), "finish_reason": finish_reason}
        return self._identity.event({"choices": [choice]})

    def _released(self) -> bytes:
        """The text that was held back, as the deltas it came in."""
        return b"".join(self._identity.event({"choices": [choice]}) for choice in self._preview.release())
