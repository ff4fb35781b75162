"""Deltas put together to the message and the tool calls that they meant.

Servers differ in how they cut a tool call into deltas (BX-02): Ollama gives all calls of a message the
index 0, others leave the index out, or send an id or a name late or again, or arguments as an object.
`MessageAssembler.add_call` decides for each delta which call it belongs to.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from werkzeugkoppler.wire.jsontext import dumps


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model meant it; `arguments` is its text, not yet checked."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True, eq=False)
class CallDraft:
    """A call whose deltas are still coming."""

    id: str | None = None
    """The upstream's id for it, which may come late."""
    made_id: str | None = None
    """Ours, where the upstream's cannot be used."""
    name: str = ""
    arguments: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """Members beside id, type, index and function, such as Gemini's `extra_content`: the upstream wants
    them back with the call."""

    def to_message(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.made_id or self.id, "type": "function", "function": function, **self.extra}


class MessageAssembler:
    """One assistant message in the making.

    Args:
        new_id: Makes an id for a call that has none, or one that stands twice (BX-24).
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.calls: list[CallDraft] = []
        self.repairs: list[str] = []
        """What was mended, in words for the leg's flow."""
        self._new_id = new_id
        self._by_index: dict[int, CallDraft] = {}
        self._texts: dict[str, list[str]] = {}
        self._others: dict[str, Any] = {}

    def add(self, delta: dict[str, Any]) -> None:
        """Take everything of a delta but its tool calls."""
        for key, value in delta.items():
            if key in ("tool_calls", "role") or value is None:
                continue
            if isinstance(value, str):
                self._texts.setdefault(key, []).append(value)
            elif isinstance(value, list) and isinstance(self._others.get(key), list):
                self._others[key] = [*self._others[key], *value]
            else:
                self._others[key] = value

    def add_call(self, delta: dict[str, Any]) -> tuple[CallDraft, str]:
        """Take one item of a delta's `tool_calls`.

        Returns:
            The call it belongs to, and the piece of arguments that it brought.
        """
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        piece = function.get("arguments")
        if isinstance(piece, dict | list):
            self.repairs.append("arguments came as an object")
            piece = dumps(piece)
        piece = piece if isinstance(piece, str) else ""
        name = function.get("name")
        name = name if isinstance(name, str) else ""
        call = self._call_of(delta, name, piece)
        call.name = call.name or name
        call.arguments += piece
        call.extra |= {k: v for k, v in delta.items() if k not in ("index", "id", "type", "function")}
        return call, piece

    def ensure_id(self, call: CallDraft) -> str:
        """The call's id, made here if the upstream has sent none, or one that an earlier call has."""
        if call.made_id is None:
            earlier = [other.id for other in self.calls[: self.calls.index(call)]]
            if call.id and call.id not in earlier:
                return call.id
            self.repairs.append(f"tool call id {call.id!r} replaced")
            call.made_id = self._new_id()
        return call.made_id

    def text(self, key: str = "content") -> str | None:
        """What has come under a key, `None` where there was nothing."""
        return "".join(self._texts[key]) if key in self._texts else None

    def message(self) -> dict[str, Any]:
        """The assistant message, as it goes back to the upstream in the next leg."""
        texts = {key: "".join(pieces) for key, pieces in self._texts.items() if key != "content"}
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.text() or None,
            **texts,
            **self._others,
        }
        if self.calls:
            message["tool_calls"] = [call.to_message() for call in self.calls]
        return message

    def _call_of(self, delta: dict[str, Any], name: str, piece: str) -> CallDraft:
        index, id_ = delta.get("index"), delta.get("id") or None
        known = self._by_index.get(index) if isinstance(index, int) else self._without_index(id_, name)
        if known is None or _starts_another(known, id_, name, piece):
            if known is not None:
                self.repairs.append("calls shared an index")
            known = CallDraft(id=id_)
            self.calls.append(known)
        if isinstance(index, int):
            self._by_index[index] = known
        known.id = known.id or id_
        return known

    def _without_index(self, id_: str | None, name: str) -> CallDraft | None:
        self.repairs.append("tool call without an index")
        if id_ is not None:
            return next((call for call in self.calls if call.id == id_), None)
        return self.calls[-1] if self.calls else None


def _starts_another(call: CallDraft, id_: str | None, name: str, piece: str) -> bool:
    """Whether a delta with this id, name and arguments cannot belong to `call`, though its index says so."""
    if id_ is not None and call.id is not None and id_ != call.id:
        return True
    if not name or not call.name or (id_ is not None and id_ == call.id):
        return False
    return name != call.name or bool(piece and _is_complete(call.arguments))


def _is_complete(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True
