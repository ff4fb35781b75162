"""The exchanges with our tools that clients never saw, put back into their next requests (BX-03, BX-04).

A client's history holds one assistant message where the upstream was sent several: calls of ours, their
results, and at last the answer. What stood there is kept under the digest of the history that led to it,
the client's answer included. So it comes back only where a client sends the very same conversation on; one
that was trimmed or edited has another digest, and nothing is put back. The same holds where two turns
with the same history did different things, one of them perhaps nothing at all: whose history this is cannot
be known any more. And equal words of two owners are two conversations.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from werkzeugkoppler.turn import history
from werkzeugkoppler.turn.asides import FIELDS
from werkzeugkoppler.turn.history import Digest, History
from werkzeugkoppler.turn.store import Bounds, Store
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.jsontext import JsonObject, array_items, dumps

_OWNER_KEYS = ("user", "safety_identifier", "prompt_cache_key", "metadata")
"""What clients that speak for many people tell them, or their conversations, apart by."""

SPOKEN = ("content", *FIELDS)
"""The keys of a message whose texts a client adds up over the legs."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What stands in an assistant message's place."""

    messages: tuple[str, ...]
    """Each as the JSON text that the upstream was sent."""
    last: Mapping[str, str] | None
    """The texts that the client's own message has after them, by their keys: its content and reasoning;
    `None`: the whole message is among `messages`."""

    @property
    def size(self) -> int:
        return sum(map(len, (*self.messages, *(self.last or {}).values())))

    def says_the_same_as(self, other: "Hidden") -> bool:
        """Whether only the calls' ids are different."""
        return self.last == other.last and _without_ids(self) == _without_ids(other)


NOTHING = Hidden((), {})
"""Kept for a turn that called no tool of ours: another one with the same words may have called some."""

_DOUBT = "more than one, and it is not known which"


class ToolMemory:
    """The hidden exchanges that a store holds of conversations.

    The histories begin with their owner, see `owner_of`.
    """

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self._store = store
        self._bounds = bounds

    def remember(self, asked: History, answer: dict[str, Any], hidden: Hidden) -> None:
        """Keep what the client's message with an answer has to get back.

        Args:
            asked: Of the client's request.
            answer: What its history will have after it.
        """
        key = _key(asked.after(answer))
        known = self._store.get(key)
        if known == _DOUBT or (known is not None and not known.says_the_same_as(hidden)):
            self._store.put(key, _DOUBT, 0, self._bounds)
        else:
            self._store.put(key, hidden, hidden.size, self._bounds)

    def restore(self, request: ChatRequest, asked: History) -> ChatRequest:
        """The request with everything put back that is known of its history."""
        self._store.trim(self._bounds)
        found = {
            index: hidden
            for index, digest in asked.answers.items()
            if isinstance(hidden := self._store.get(_key(digest)), Hidden) and hidden.messages
        }
        return _with_hidden(request, found) if found else request


def owner_of(request: ChatRequest, host: str) -> Digest:
    """Whose conversation it is, as far as that can be known.

    Args:
        host: Where the client is.
    """
    return json.dumps([host, *(request.body.values.get(key) for key in _OWNER_KEYS)], sort_keys=True).encode()


def _key(digest: Digest) -> bytes:
    return b"hidden " + digest


def _with_hidden(request: ChatRequest, found: dict[int, Hidden]) -> ChatRequest:
    texts: list[str] = []
    for index, written in enumerate(array_items(request.body.raw("messages") or "[]")):
        hidden = found.get(index)
        if hidden is None:
            texts.append(written)
            continue
        texts += hidden.messages
        if hidden.last is not None:
            texts.append(_with_texts(written, request.messages[index], hidden.last))
    messages = f"[{','.join(texts)}]"
    return replace(request, body=JsonObject.parse(request.body.edited({"messages": messages})))


def _with_texts(written: str, message: dict[str, Any], texts: Mapping[str, str]) -> str:
    """The message with no more than these texts; as it was written where it has no more."""
    changes: dict[str, str | None] = {}
    for key in (key for key in SPOKEN if message.get(key)):
        text = texts.get(key, "")
        if history.text_of(message[key]) != text.strip():
            changes[key] = dumps(text) if text or key == "content" else None
    return JsonObject.parse(written).edited(changes) if changes else written


def _without_ids(hidden: Hidden) -> Sequence[dict[str, Any]]:
    messages = [json.loads(text) for text in hidden.messages]
    return [
        {
            **message,
            "tool_call_id": None,
            "tool_calls": [{**call, "id": None} for call in message.get("tool_calls") or []],
        }
        for message in messages
    ]
