"""What the upstream is asked: the client's request with ours put in, and what the legs add to it.

A draft is made from texts, never from parsed values, so what the client wrote arrives as it was written
and each leg's messages begin with the very bytes of the leg before: the upstream's prompt cache holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.jsontext import JsonObject, array_items, dumps
from werkzeugkoppler.wire.rewrite import rewritten

SYSTEM_ROLES = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Draft:
    """The body of a leg's request."""

    request: JsonObject
    messages: tuple[str, ...]
    """Each as JSON text."""
    changes: Mapping[str, str | None]
    """Other members to set or to take out."""

    def body(self) -> bytes:
        messages = "[" + ",".join(self.messages) + "]"
        return self.request.edited({**self.changes, "messages": messages}).encode()

    def followed_by(self, message: dict[str, Any], results: Sequence[tuple[ToolCall, str]]) -> "Draft":
        """The next leg's draft: the assistant's message and the results of its calls at the end (WK-116)."""
        answers = [
            {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content}
            for call, content in results
        ]
        return replace(self, messages=(*self.messages, dumps(message), *map(dumps, answers)))

    def with_free_choice(self) -> "Draft":
        """The draft for the legs after a call of ours: a forced choice was met by it (WK-120)."""
        choice = self.request.values.get("tool_choice")
        free: Any = "auto"
        if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
            allowed = choice.get("allowed_tools")
            allowed = allowed if isinstance(allowed, dict) else {}
            free = {**choice, "allowed_tools": {**allowed, "mode": "auto"}}
        elif choice != "required" and not isinstance(choice, dict):
            return self
        written = rewritten(self.request.raw("tool_choice") or "null", choice, free)
        return replace(self, changes={**self.changes, "tool_choice": written})


def compose(
    request: ChatRequest,
    *,
    init_messages: Sequence[dict[str, Any]],
    merge_system: bool,
    tools: Sequence[str],
    model: str,
) -> Draft:
    """The first leg's draft.

    Args:
        init_messages: Ours, put before the client's (WK-34).
        merge_system: Our leading system texts and the client's become one message (BX-23).
        tools: The definitions of our tools, as JSON texts, put after the client's (WK-111).
        model: What to ask for (WK-149, OW-23).
    """
    written = array_items(request.body.raw("messages") or "[]")
    changes: dict[str, str | None] = {}
    if merge_system:
        messages = _merged(init_messages, request.messages, written)
    else:
        messages = (*map(dumps, init_messages), *written)
    offered = [*array_items(request.body.raw("tools") or "[]"), *tools] if request.tools else list(tools)
    if tools or (not offered and "tools" in request.body.values):
        changes["tools"] = "[" + ",".join(offered) + "]" if offered else None  # WK-112
    if request.model != model:
        changes["model"] = dumps(model)
    if request.stream:
        told = request.body.values.get("stream_options")
        options = told if isinstance(told, dict) else {}
        if options.get("include_usage") is not True:
            wanted = {**options, "include_usage": True}  # BX-06
            changes["stream_options"] = rewritten(request.body.raw("stream_options") or "null", told, wanted)
    if request.stream or "n" in request.body.values:
        changes["n"] = "1"  # WK-123
    return Draft(request.body, messages, changes)


def _merged(
    init_messages: Sequence[dict[str, Any]], client: Sequence[dict[str, Any]], written: Sequence[str]
) -> tuple[str, ...]:
    ours = _leading_texts(init_messages)
    theirs = _leading_texts(client)
    if not ours or len(ours) + len(theirs) < 2:
        return (*map(dumps, init_messages), *written)
    one = {"role": "system", "content": "\n\n".join([*ours, *theirs])}
    return (dumps(one), *map(dumps, init_messages[len(ours) :]), *written[len(theirs) :])


def _leading_texts(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The texts of the system messages that stand first, as far as they are nothing but text."""
    texts: list[str] = []
    for message in messages:
        text = _text(message.get("content"))
        if message.get("role") not in SYSTEM_ROLES or text is None:
            break
        texts.append(text)
    return texts


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(p, dict) and p.get("type") == "text" for p in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    return None
