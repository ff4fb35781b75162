"""An answer in the terminal, while it comes."""

import json
from collections.abc import Callable
from typing import Any

from werkzeugkoppler.turn.asides import FIELDS
from werkzeugkoppler.wire.jsontext import json_object
from werkzeugkoppler.wire.sse import SseReader

DIM, BOLD, RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
MARK = "| "
"""Before each line of what was reasoning."""


class Shown:
    """Writes an answer for people: its reasoning marked, calls of the client's tools, its text, an error.

    Args:
        write: Takes text.
        is_coloured: Reasoning is dim, too.
    """

    def __init__(self, write: Callable[[str], None], *, is_coloured: bool) -> None:
        self._write = write
        self._is_coloured = is_coloured
        self._reader = SseReader()
        self._plain = b""
        self._kind = ""
        self._at_line_start = True
        self._held = ""  # line breaks at the end of what was reasoned so far

    def feed(self, data: bytes) -> None:
        """Take a piece of the body: of events, or of one JSON object."""
        if self._plain or (not self._kind and data.lstrip().startswith(b"{")):
            self._plain += data
            return
        for event in self._reader.feed(data):
            self._show(json_object(event.data) or {}, "delta")

    def close(self) -> None:
        """The answer has ended."""
        if self._plain:
            self._show(json_object(self._plain) or {}, "message")
        self._end_line()

    def _show(self, value: dict[str, Any], key: str) -> None:
        if isinstance(value.get("error"), dict):
            self._say("error", f"error: {value['error'].get('message')}\n")
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            told = choice.get(key) if isinstance(choice, dict) else None
            if isinstance(told, dict):
                self._show_message(told)

    def _show_message(self, told: dict[str, Any]) -> None:
        for field in FIELDS:
            if isinstance(told.get(field), str):
                self._say("reasoning", told[field])
        content = told.get("content")
        if content:
            self._say("content", content if isinstance(content, str) else json.dumps(content))
        calls = told.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                if function.get("name"):
                    self._end_line()
                    self._say("call", f"calls {function['name']} ")
                self._say("call", str(function.get("arguments") or ""))

    def _say(self, kind: str, text: str) -> None:
        if not text:
            return
        if kind != self._kind:
            self._end_line()
            self._kind = kind
        text = "".join(map(_printable, text))
        if kind == "reasoning":
            text = self._marked(text)
        if not text:
            return
        self._at_line_start = text.endswith("\n")
        style = {"reasoning": DIM, "error": BOLD}.get(kind) if self._is_coloured else None
        self._write(f"{style}{text}{RESET}" if style else text)

    def _marked(self, text: str) -> str:
        """The text with each of its lines marked; empty lines wait until something follows."""
        text = self._held + text
        if self._at_line_start:
            text = text.lstrip("\n")
        shown = text.rstrip("\n")
        self._held = text[len(shown) :]
        begin = MARK if self._at_line_start and shown else ""
        return begin + shown.replace("\n", f"\n{MARK}")

    def _end_line(self) -> None:
        self._held = ""
        if not self._at_line_start:
            self._write("\n")
            self._at_line_start = True


def _printable(character: str) -> str:
    return character if character.isprintable() or character in "\n\t" else "·"
