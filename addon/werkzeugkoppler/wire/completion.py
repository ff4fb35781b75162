"""Completions and chunks turned into each other, for upstreams that answer in the other form."""

from collections.abc import Callable, Iterator
from typing import Any

from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.wire.assemble import CallDraft, MessageAssembler
from werkzeugkoppler.wire.jsontext import JsonObject, array_items, dumps, loads
from werkzeugkoppler.wire.rewrite import rewritten
from werkzeugkoppler.wire.sse import SseEvent, event

COMPLETION_PREFIX = "chatcmpl-"
"""Before a turn's id in the id of a completion that was made here (OW-25)."""

type Chunk = dict[str, Any]


def first_choice(answer: dict[str, Any]) -> dict[str, Any] | None:
    """The choice that the client sees (WK-123): the one with index 0; no index counts as 0."""
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return None
    return next((c for c in choices if isinstance(c, dict) and (c.get("index") or 0) == 0), None)


def finish_reason_of(choice: dict[str, Any]) -> str | None:
    """Why the choice ended; anything but a word is none."""
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason else None


def calls_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of a message or a delta, none where there is nothing that looks like some.

    One that stands alone, where an array should be, is one.
    """
    calls = message.get("tool_calls")
    calls = [calls] if isinstance(calls, dict) else calls
    return [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def assemble(choice: dict[str, Any], new_id: Callable[[], str]) -> tuple[MessageAssembler, list[CallDraft]]:
    """The message of a completion's choice.

    Returns:
        The message as it was meant, and a draft for each of `calls_of` the message as it was told.
    """
    message = choice["message"]
    assembler = MessageAssembler(new_id)
    assembler.add(message)
    drafts = [assembler.add_whole_call(call) for call in calls_of(message)]
    if isinstance(message.get("tool_calls"), dict):
        assembler.mended("tool_calls was no array")
    assembler.settle()
    reason = finish_reason_of(choice)
    if reason == "stop" and assembler.calls:
        assembler.mended("finish_reason was stop after calls")
    if reason == "tool_calls" and not assembler.calls:
        assembler.mended("finish_reason was tool_calls without a call")
    return assembler, drafts


def repairs_of(body: bytes) -> tuple[str, ...]:
    """What has to be mended in an upstream's plain answer, for a look at it beforehand."""
    if b"tool_calls" not in body:
        return ()
    try:
        choice = first_choice(parse_completion(body).values)
    except UpstreamError:
        return ()
    return tuple(assemble(choice or {}, str)[0].repairs)


def parse_completion(body: bytes) -> JsonObject:
    """Read an upstream's answer, which has a first choice with a message.

    Raises:
        UpstreamError: It is not a completion. Where it is an error object, the error holds it.
    """
    try:
        completion = JsonObject.parse(body.decode(), lenient=True)
    except (ValueError, TypeError) as error:
        # The beginning of an object, or nothing: it broke off. Any other text will be the same next time.
        cause = Cause.INCOMPLETE if body.strip()[:1] in (b"", b"{") else None
        raise UpstreamError(f"the upstream's answer is not a JSON object: {error}", cause=cause) from error
    choice = first_choice(completion.values)
    if choice is None or not isinstance(choice.get("message"), dict):
        problem = "the upstream's answer is not a chat completion"
        raise UpstreamError.told(problem, body) if completion.values.get("error") else UpstreamError(problem)
    return completion


def parse_chunk(data: bytes) -> Chunk | None:
    """Read the data of an event of an upstream's stream; `None` where it is no chunk (WK-143).

    Raises:
        UpstreamError: It says that the upstream failed.
    """
    try:
        chunk = loads(data.decode())
    except (ValueError, RecursionError):
        return None
    if isinstance(chunk, dict) and chunk.get("error"):
        raise UpstreamError.told("the upstream broke off its answer", data)
    return chunk if isinstance(chunk, dict) else None


def to_events(completion: JsonObject) -> Iterator[SseEvent]:
    """The stream that would have brought this completion, without its end mark (WK-138).

    Args:
        completion: As `parse_completion` gives it.
    """

    def chunk(choices: str, usage: str | None = None) -> SseEvent:
        changes = {"object": dumps("chat.completion.chunk"), "choices": f"[{choices}]", "usage": usage}
        text = completion.edited(changes)
        return SseEvent(text.encode(), event(text))

    written, message = _written_choice(completion)
    delta: Any = message.values
    if calls := calls_of(delta):
        delta = {**delta, "tool_calls": [{**call, "index": i} for i, call in enumerate(calls)]}
    members = {"index": "0", "delta": rewritten(message.text, message.values, delta)}
    rest = [key for key in written.values if key not in ("index", "message", "delta", "finish_reason")]
    members |= {key: written.raw(key) or "null" for key in rest}
    opening = ",".join(f"{dumps(key)}:{value}" for key, value in members.items())
    yield chunk(f'{{{opening},"finish_reason":null}}')
    reason = dumps(finish_reason_of(written.values) or "stop")
    yield chunk(f'{{"index":0,"delta":{{}},"finish_reason":{reason}}}')
    if completion.values.get("usage"):
        yield chunk("", completion.raw("usage"))


def _written_choice(completion: JsonObject) -> tuple[JsonObject, JsonObject]:
    """The client's choice and its message, as they were written."""
    choices = completion.values["choices"]
    place = choices.index(first_choice(completion.values))
    written = JsonObject.parse(array_items(completion.raw("choices") or "")[place], lenient=True)
    return written, JsonObject.parse(written.raw("message") or "", lenient=True)


class StreamedCompletion:
    """The completion that a stream brings, for a client that does not want a stream.

    Members of the chunks stay as they were written; only the message is put together anew.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.message = MessageAssembler(new_id)
        self.finish_reason: str | None = None
        self.has_begun = False
        """A choice has come."""
        self._members: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}

    def add(self, chunk: JsonObject) -> None:
        """Take the next chunk."""
        for key, value in chunk.values.items():
            if key != "choices" and (not self._values.get(key) or key == "usage" and value is not None):
                self._values[key] = value
                self._members[key] = chunk.raw(key) or "null"
        if (choice := first_choice(chunk.values)) is not None:
            self._add_choice(choice)

    def _add_choice(self, choice: dict[str, Any]) -> None:
        self.has_begun = True
        self.finish_reason = finish_reason_of(choice) or self.finish_reason
        for key, value in choice.items():
            if key == "logprobs":
                self._choice[key] = join_logprobs(self._choice.get(key), value)
            elif key not in ("index", "delta", "message", "finish_reason") and value is not None:
                self._choice[key] = value
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            self.message.add(delta)
            for call in calls_of(delta):
                self.message.add_call(call)

    def text(self) -> str:
        """The completion, as JSON."""
        self.message.settle()
        choice = {
            "index": 0,
            "message": self.message.message(),
            **self._choice,
            "finish_reason": self.finish_reason,
        }
        members = self._members | {"object": dumps("chat.completion"), "choices": dumps([choice])}
        return "{" + ",".join(f"{dumps(key)}:{value}" for key, value in members.items()) + "}"


def join_logprobs(first: Any, second: Any) -> Any:
    """The log probabilities of two texts that follow each other: of each kind, the tokens in order."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        return second or first
    lists = {
        key: [*(first.get(key) or []), *(second.get(key) or [])]
        for key in [*first, *(key for key in second if key not in first)]
        if isinstance(first.get(key) or second.get(key), list)
    }
    return {**first, **second, **lists}
