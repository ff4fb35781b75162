"""Find direct commands in a conversation: what is one, which is to be run, and what the model never sees."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from werkzeugkoppler.wire.chat import ChatRequest, text_of
from werkzeugkoppler.wire.jsontext import JsonObject, array_items

MARK = "@@"

# A hunk of a unified or combined diff, or the bare mark with a changed line after it: pasted text (WK-78).
_HUNK = re.compile(r"@@+(?:(?: -\d+(?:,\d+)?)+ \+\d+(?:,\d+)? @@|[ \t]*\r?\n[+-])")


def command_in(message: dict[str, Any]) -> str | None:
    """The shell code of a user's message; `None` where it is no direct command."""
    if message.get("role") != "user":
        return None
    text = text_of(message.get("content")).strip()
    if not text.startswith(MARK) or _HUNK.match(text):
        return None
    return text.removeprefix(MARK).strip()


def latest_command(messages: Sequence[dict[str, Any]]) -> str | None:
    """The shell code of the latest user message, whatever comes after it (WK-53, WK-54)."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return command_in(message)
    return None


def without_commands(request: ChatRequest) -> ChatRequest:
    """The request without earlier commands and their answers; the rest stays as it was written (WK-75)."""
    messages = request.messages
    dropped = _dropped(messages)
    if not dropped:
        return request
    written = array_items(request.body.raw("messages") or "[]")
    kept = ",".join(text for index, text in enumerate(written) if index not in dropped)
    return replace(request, body=JsonObject.parse(request.body.edited({"messages": f"[{kept}]"})))


def _dropped(messages: Sequence[dict[str, Any]]) -> set[int]:
    dropped: set[int] = set()
    is_after_command = False
    for index, message in enumerate(messages):
        role = message.get("role")
        if role == "user":
            # A question in between is what the next answer belongs to (WK-76).
            is_after_command = command_in(message) is not None
            if is_after_command:
                dropped.add(index)
        elif role == "assistant" and is_after_command:
            # An answer that calls tools is the model's: without it their results would hang in the air.
            if not message.get("tool_calls"):
                dropped.add(index)
            is_after_command = False
    return dropped
