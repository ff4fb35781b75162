"""What a streaming client is told beside the answer, as reasoning: retries, and the calls of our tools."""

import json
import re
from typing import Any

from werkzeugkoppler.errors import Cause
from werkzeugkoppler.gate.permission import REQUEST_PERMISSION
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.jsontext import dumps

MAX_TRACE_CHARS = 3000
"""How much of a call's arguments or result is shown: a line is to be read, not to be kept (WK-131)."""

DEFAULT_FIELD = "reasoning_content"
FIELDS = (DEFAULT_FIELD, "reasoning")
"""The two delta keys that servers put reasoning in; of both in one delta the first counts."""


_CAUSES = "|".join(re.escape(cause) for cause in Cause)
_NEWS_LINE = rf"==> (?:[\w-]{{1,64}}__[\w-]{{0,64}}|{REQUEST_PERMISSION}): .*"
_SAID = re.compile(
    rf"^==> tool (?:call|result) `.*`$"
    rf"|^{_NEWS_LINE}$"
    rf"|(?:==> )?(?:{_CAUSES})\. (?:Retrying \.*|Retries exhausted\.|Upstream stream interrupted\.)",
    re.MULTILINE,
)
"""All that the functions below say. It begins with no repetition: a long text is searched once."""

_NEWS = re.compile(rf"(?:{_NEWS_LINE}\n)+")


class ReasoningField:
    """The delta key for what we say: the one that is set, else the upstream's own (WK-132).

    Args:
        fixed: The key; `None` follows the upstream, from the first of its deltas that has one.
    """

    def __init__(self, fixed: str | None) -> None:
        self._is_fixed = fixed is not None
        self.name = fixed or DEFAULT_FIELD

    def see(self, delta: dict[str, Any]) -> None:
        """Learn from a delta of the upstream's."""
        if not self._is_fixed:
            used = next((key for key in FIELDS if delta.get(key) is not None), None)
            self._is_fixed = used is not None
            self.name = used or self.name


class RetryNotices:
    """The words about a leg that is asked again (WK-133)."""

    def __init__(self) -> None:
        self._cause: Cause | None = None

    def retrying(self, cause: Cause) -> str:
        """One failure more: a dot where it is the same as before."""
        if cause == self._cause:
            return "."
        notice = f"{self.closing()}{cause}. Retrying "
        self._cause = cause
        return notice

    def closing(self) -> str:
        """What goes before anything else, once."""
        is_open, self._cause = self._cause is not None, None
        return "\n" if is_open else ""


def exhausted(cause: Cause) -> str:
    """The last words about a leg that nobody answered (WK-135, WK-136)."""
    return f"{cause}. Retries exhausted."


def interrupted(cause: Cause) -> str:
    """The last words about an answer that broke off (WK-137)."""
    return f"\n==> {cause}. Upstream stream interrupted.\n"


def call_line(call: ToolCall) -> str:
    """The line about a call of ours that begins (WK-130)."""
    shown = dumps({"name": call.name, "arguments": _value(call.arguments)})
    return f"\n\n==> tool call `{_cut(shown)}`\n"


def news_line(name: str, news: str) -> str:
    """A line that a call of ours tells while it runs (BX-08)."""
    return f"==> {name}: {news}\n"


def left_out_line(name: str, lines: int) -> str:
    """In place of lines that came faster than they were shown."""
    return f"==> {name}: ({lines} more)\n"


def result_line(content: str) -> str:
    """The line about its end.

    Args:
        content: The tool message's content, in the form of WK-116 unless somebody edited it.
    """
    value = _value(content)
    if isinstance(value, dict) and "ok" in value:
        if value["ok"] and "exit_code" in value:  # first, so that a long output does not push it out
            value = {key: value[key] for key in ("exit_code", "stderr", "result") if key in value}
        elif value["ok"]:
            value = value.get("result")
        else:
            value = {key: part for key, part in value.items() if key != "ok"}
    return f"\n==> tool result `{_cut(dumps(value))}`\n\n"


def is_news(reasoning: str) -> bool:
    """Whether it is nothing but lines that running calls have told: which stand together is chance."""
    return _NEWS.fullmatch(reasoning) is not None


def without_asides(reasoning: str) -> str:
    """What is left of a reasoning that a client sends back: the model's own, as it was if that is all."""
    own = _SAID.split(reasoning)
    return reasoning if len(own) == 1 else "\n\n".join(filter(None, (part.strip() for part in own)))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TRACE_CHARS else f"{text[:MAX_TRACE_CHARS]}...<truncated>"
