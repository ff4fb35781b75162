"""A conversation as digests: the same for the same words, however a client writes them down again.

Clients strip texts, write them as lists of parts, and parse and print the arguments of calls anew. None of
that makes another conversation. Anything else does: a message left out, edited or put before the others.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from typing import Any

from werkzeugkoppler.wire.assemble import ToolCall

type Digest = bytes

_encode = json.JSONEncoder(sort_keys=True).encode

START: Digest = b""
"""The digest of no message at all."""


@dataclass(frozen=True, slots=True)
class History:
    """The messages of a request, digested: once, as that takes its time where they are long or many."""

    whole: Digest
    """After all of them."""
    answers: dict[int, Digest]
    """After each message of the assistant's, by its index."""
    question: Digest
    """Of the last question by itself."""
    exchange: Digest | None
    """Of the last answer and the question before it; `None` where there is no answer."""

    def after(self, answer: dict[str, Any]) -> Digest:
        """After all messages and this one."""
        return after(self.whole, answer)


def digested(messages: Sequence[dict[str, Any]], begin: Digest = START) -> History:
    """The digests of a request's messages.

    Args:
        begin: What tells the owner from others; it is not in what only tells exchanges apart.
    """
    _, *digests = accumulate(messages, after, initial=begin)
    answers = {index: digests[index] for index, message in enumerate(messages) if _is(message, "assistant")}
    last = next(reversed(answers), None)
    exchange = None if last is None else after(_last_question(messages[:last]), messages[last])
    return History(digests[-1] if digests else begin, answers, _last_question(messages), exchange)


def after(digest: Digest, message: dict[str, Any]) -> Digest:
    """The digest of a history that one message more has been added to."""
    hashed = blake2b(digest, digest_size=32)
    text = text_of(message.get("content")).encode("utf-8", "surrogatepass")
    hashed.update(f"{_sameness(message)}{len(text)}:".encode())
    hashed.update(text)  # by itself: it may be long, and is not to be written as JSON for this
    return hashed.digest()


def shown(content: Any, calls: Sequence[ToolCall]) -> dict[str, Any]:
    """The assistant's message that a client writes into its history, after it was shown these."""
    written = [
        {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in calls
    ]
    return {"role": "assistant", "content": content, "tool_calls": written}


def text_of(content: Any) -> str:
    """A message's text as it is compared; of parts that are not text, their JSON."""
    if isinstance(content, list):
        return "\n".join(_part(part) for part in content).strip()
    return content.strip() if isinstance(content, str) else ""


def _last_question(messages: Sequence[dict[str, Any]]) -> Digest:
    found = next((message for message in reversed(messages) if _is(message, "user")), None)
    return START if found is None else after(START, found)


def _is(message: dict[str, Any], role: str) -> bool:
    return bool(message.get("role") == role)


def _sameness(message: dict[str, Any]) -> str:
    """What beside its text a message is told apart by; its reasoning is not, not all clients keep that."""
    calls = message.get("tool_calls")
    same = [
        message.get("role"),
        message.get("name"),
        message.get("tool_call_id"),
        [_call(call) for call in calls] if isinstance(calls, list) else [],
    ]
    return _encode(same)


def _part(part: Any) -> str:
    is_text = isinstance(part, dict) and isinstance(part.get("text"), str)
    return str(part["text"]) if is_text else json.dumps(part, sort_keys=True)


def _call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    return [call.get("id"), function.get("name"), _arguments(function.get("arguments"))]


def _arguments(written: Any) -> Any:
    try:
        return json.loads(written) if isinstance(written, str) else written
    except (ValueError, RecursionError):
        return written
