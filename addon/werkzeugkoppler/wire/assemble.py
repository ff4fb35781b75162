"""Deltas put together to the message and the tool calls that they meant.

Servers differ in how they cut a tool call into deltas (BX-02): Ollama gave all calls of a message the
index 0, Gemini leaves the index out, others send an id or a name late or again, or arguments as an object.
`MessageAssembler.add_call` decides for each delta which call it belongs to.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from werkzeugkoppler.wire.jsontext import dumps

NO_ID = frozenset({"", "null"})
"""Ids that are none: Mistral's own client writes the word where it has no id."""

_OWN_KEYS = frozenset({"index", "id", "type", "function", "custom"})


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
    custom: dict[str, Any] | None = None
    """In place of a function: a tool that takes text, with its `name` and its `input`."""

    def to_message(self) -> dict[str, Any]:
        kind, value = "function", {"name": self.name, "arguments": self.arguments}
        if self.custom is not None:
            kind, value = "custom", self.custom
        return {"id": self.made_id or self.id, "type": kind, kind: value, **self.extra}


class MessageAssembler:
    """One assistant message in the making.

    Args:
        new_id: Makes an id for a call that has none, or one that stands twice (BX-24).
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.calls: list[CallDraft] = []
        self.repairs: list[str] = []
        """What was mended, in words for the leg's flow, each once."""
        self._new_id = new_id
        self._by_index: dict[int, CallDraft] = {}
        self._texts: dict[str, list[str]] = {}
        self._others: dict[str, Any] = {}

    def mended(self, what: str) -> None:
        """Note a repair; one that is done at every delta is told once."""
        if what not in self.repairs:
            self.repairs.append(what)

    def add(self, delta: dict[str, Any]) -> None:
        """Take everything of a delta but its tool calls."""
        for key, value in delta.items():
            if key in ("tool_calls", "role") or value is None:
                continue
            if isinstance(value, str):
                self._texts.setdefault(key, []).append(value)
            elif isinstance(value, list) and isinstance(self._others.get(key), list):
                self._others[key] = [*self._others[key], *value]
            elif key == "function_call" and isinstance(value, dict):
                self._others[key] = _joined(self._others.get(key), value)
            else:
                self._others[key] = value

    def add_call(self, delta: dict[str, Any]) -> tuple[CallDraft, str]:
        """Take one item of a delta's `tool_calls`.

        Returns:
            The call it belongs to, and the piece of arguments that it brought.
        """
        id_, name, piece = self._parts(delta)
        call = self._call_of(delta.get("index"), id_, name, piece)
        if piece and piece == call.arguments and _is_object(piece):
            self.mended("arguments came twice")
            piece = ""
        self._extend(call, delta, id_, name, piece)
        return call, piece

    def add_whole_call(self, item: dict[str, Any]) -> CallDraft:
        """Take one item of a message's `tool_calls`: a call of its own, whatever its index and id."""
        id_, name, piece = self._parts(item)
        call = CallDraft()
        self.calls.append(call)
        self._extend(call, item, id_, name, piece)
        return call

    def ensure_id(self, call: CallDraft) -> str:
        """The call's id, made here if the upstream has sent none, or one that an earlier call has."""
        if call.made_id is None:
            earlier = [other.id for other in self.calls[: self.calls.index(call)]]
            if call.id and call.id not in earlier:
                return call.id
            self.mended("two calls had one id" if call.id else "a call had no id")
            call.made_id = self._new_id()
        return call.made_id

    def settle(self) -> None:
        """Take the message as complete: every call has an id, and one that names no tool is left out."""
        for call in [call for call in self.calls if not call.name and call.custom is None]:
            self.mended("a call without a name was left out")
            self.calls.remove(call)
        for call in self.calls:
            self.ensure_id(call)

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

    def _parts(self, delta: dict[str, Any]) -> tuple[str | None, str, str]:
        """A delta's id, name and piece of arguments, in the types that they should have."""
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        piece, name, id_ = function.get("arguments"), function.get("name"), delta.get("id")
        if piece is not None and not isinstance(piece, str):
            self.mended("arguments were no text")
            piece = dumps(piece)
        if isinstance(id_, int) and not isinstance(id_, bool):
            self.mended("an id was no text")
            id_ = str(id_)
        id_ = id_ if isinstance(id_, str) and id_ not in NO_ID else None
        name = name if isinstance(name, str) else ""
        if name != (name := name.strip()):
            self.mended("a name had spaces around it")
        return id_, name, piece or ""

    def _call_of(self, index: Any, id_: str | None, name: str, piece: str) -> CallDraft:
        """The call that a delta with these parts belongs to, a new one where it can be none of the known."""
        if not isinstance(index, int):
            self.mended("calls had no index")
            index = None
        known = self._without_index(id_) if index is None else self._by_index.get(index)
        if known is None:
            known = self._same_elsewhere(id_, name)
        elif _starts_another(known, id_, name, piece):
            if index is not None:
                self.mended("calls shared an index")
            known = None
        if known is None:
            known = CallDraft()
            self.calls.append(known)
        if index is not None:
            self._by_index[index] = known
        return known

    def _without_index(self, id_: str | None) -> CallDraft | None:
        if id_ is not None and any(call.id for call in self.calls):
            return next((call for call in reversed(self.calls) if call.id == id_), None)
        return self.calls[-1] if self.calls else None

    def _same_elsewhere(self, id_: str | None, name: str) -> CallDraft | None:
        """A call under another index that this delta goes on with: its id, and its arguments unfinished."""
        call = self.calls[-1] if self.calls else None
        if call is None or id_ is None or call.id != id_ or _is_object(call.arguments):
            return None
        if name and call.name and name != call.name:
            return None
        self.mended("a call had several indexes")
        return call

    def _extend(self, call: CallDraft, delta: dict[str, Any], id_: str | None, name: str, piece: str) -> None:
        if id_ and call.id:
            self.mended("an id came again")
        elif id_ and (call.name or call.arguments):
            self.mended("an id came late")
        if name and call.name:
            self.mended("a name came again")
        elif name and (call.id or call.arguments):
            self.mended("a name came late")
        call.id = call.id or id_
        call.name = call.name or name
        call.arguments += piece
        call.extra |= {k: v for k, v in delta.items() if k not in _OWN_KEYS}
        if isinstance(custom := delta.get("custom"), dict):
            call.custom = _joined(call.custom, custom, once=("name",))


def _starts_another(call: CallDraft, id_: str | None, name: str, piece: str) -> bool:
    """Whether a delta with this id, name and arguments cannot belong to `call`, though its index says so."""
    if id_ is not None and call.id is not None and id_ != call.id:
        return True
    has_its_id = id_ is not None and id_ == call.id
    if name and call.name and name != call.name and not has_its_id:
        return True
    if not name and id_ is None:
        return False  # the name of another call would be a guess
    if has_its_id and piece == call.arguments:
        return False  # the whole call again
    return bool(call.name and piece.lstrip().startswith("{") and _is_object(call.arguments))


def _is_object(text: str) -> bool:
    """Whether the text is a whole JSON object: arguments to which nothing can be added."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _joined(first: Any, second: dict[str, Any], once: tuple[str, ...] = ()) -> dict[str, Any]:
    """Two pieces of an object: texts are joined, of anything else the newer value stands."""
    joined = dict(first) if isinstance(first, dict) else {}
    for key, value in second.items():
        before = joined.get(key)
        is_text = isinstance(before, str) and isinstance(value, str)
        if is_text and key in once:
            continue
        joined[key] = before + value if is_text else value
    return joined
