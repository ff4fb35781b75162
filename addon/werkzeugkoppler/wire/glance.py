"""What an answer came to, at a glance: for its name in a list, where reading it all would cost too much."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from werkzeugkoppler.wire.printable import cut

MAX_LOOKS = 16
"""Servers write `"finish_reason": null` on every chunk: so many are passed over, from the end."""

MAX_FINISH_CHARS = 20
"""Of what a server calls its answer's end, in a list or a table: `content_filter` is the longest known."""
MAX_BYTES = 1024 * 1024
"""From the end. Some servers tell the finish before the message: no message is that long."""

_FINISH = b'"finish_reason"'
_WORD = re.compile(rb'\s*:\s*"(\w{1,40})"')
_NUMBER = re.compile(rb"\s*:\s*(\d{1,12})")
_EXIT_CODE = re.compile(
    r', "exit_code": (-?\d{1,10})(?:, "stderr": "(?:[^"\\]|\\.)*+")?(?:, "output": "[^"]*+")?\}\Z'
)
MAX_NOTES = 32 * 1024
"""Characters of the notes at the end of a tool's result: 4 kB of stderr, all of them escaped, fit."""


class Glance(NamedTuple):
    """What is known of an answer; `None` where nothing was found."""

    finish: str | None
    tokens: int | None
    """Of the prompt and the completion together."""


class Tally:
    """What happened in a turn, counted from the events of its trace."""

    def __init__(self) -> None:
        self._legs = self._tools = self._tokens = 0
        self._finish: str | None = None

    def note(self, type: str, fields: Mapping[str, Any]) -> None:
        """Take an event."""
        if type == "leg":
            self._legs += 1
            finish = fields.get("finish_reason")
            self._finish = cut(finish, MAX_FINISH_CHARS) if finish else None
            self._tokens += _total(fields.get("usage"))
        elif type == "tool_call":
            self._tools += 1

    def news(self) -> list[str]:
        """All of it in words, only what there was: `2 legs`, `1 tool`, `stop`, `18 tokens`."""
        news = [count(self._legs, "leg")] if self._legs else []
        news += [count(self._tools, "tool")] if self._tools else []
        news += [self._finish] if self._finish else []
        return [*news, count(self._tokens, "token")] if self._tokens else news


def glance(body: bytes) -> Glance:
    """Look at a completion or a stream of chunks, from its end.

    Text that speaks of these names is no matter: within JSON its quotes are escaped.
    """
    body = body[-MAX_BYTES:]
    return Glance(_finish(body), _tokens(body))


def exit_code(result: str) -> int | None:
    """The exit code in the content of a tool's message, of which only the end is looked at.

    `None` where the tool was no command, or the command did not fail.
    """
    match = _EXIT_CODE.search(result, max(0, len(result) - MAX_NOTES))
    return int(match[1]) if match else None


def size(count: int) -> str:
    """A number of bytes in words: `340 B`, `1.2 kB`, `3.4 MB`."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 999_950 else f"{count / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """A time in words: `35 ms`, `1.9 s`, `75 s`."""
    if seconds < 0.9995:
        return f"{max(0, round(seconds * 1000))} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def count(number: int, what: str) -> str:
    """`1 tool`, `2 tools`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _finish(body: bytes) -> str | None:
    end = len(body)
    for _ in range(MAX_LOOKS):
        end = body.rfind(_FINISH, 0, end)
        if end < 0:
            return None
        if match := _WORD.match(body, end + len(_FINISH)):
            return match[1].decode()
    return None


def _tokens(body: bytes) -> int | None:
    total = _last_number(body, b'"total_tokens"')
    if total is not None:
        return total
    parts = [_last_number(body, name) for name in (b'"prompt_tokens"', b'"completion_tokens"')]
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _last_number(body: bytes, name: bytes) -> int | None:
    match = _NUMBER.match(body, at + len(name)) if (at := body.rfind(name)) >= 0 else None
    return int(match[1]) if match else None


def _total(usage: Any) -> int:
    if not isinstance(usage, dict):
        return 0
    parts = [usage.get("total_tokens")]
    if not isinstance(parts[0], int):
        parts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    return sum(part for part in parts if isinstance(part, int))
