"""Watch that a conversation's prompt only ever grows at its end, so that prompt caches hold (BX-14).

A request goes on from an earlier turn where it holds that turn's last question and answer. Then all that the
upstream was asked in that turn has to stand at its head again, byte for byte. What stands before the
messages for most models, the definitions of the tools, is compared first.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from sys import intern
from typing import Any

from werkzeugkoppler.turn import history
from werkzeugkoppler.turn.history import Digest, History
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.turn.store import Bounds, Store
from werkzeugkoppler.wire.jsontext import array_items

BYTES_PER_TOKEN = 4
"""A rough mean for the usual tokenizers; JSON and code have fewer, prose a little more."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the upstream was asked, in the order in which models read it."""

    model: str
    tools: str
    """As JSON text, empty where there are none."""
    messages: tuple[str, ...]
    """Each as JSON text."""
    init_count: int
    """How many of the messages are ours, from the config."""
    asked_count: int
    """How many there were before the turn's own calls."""

    @property
    def size(self) -> int:
        return len(self.tools) + sum(map(len, self.messages))


@dataclass(frozen=True, slots=True)
class Break:
    """Where a prompt stopped being the beginning of the next."""

    at: int
    """The first byte that differs: tools, then messages."""
    tokens_lost: int
    """About how many the upstream has to read again."""
    culprit: str
    """Who changed what, in words."""


class PrefixGuard:
    """The latest prompt of each conversation that a store holds."""

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self._store = store
        self._bounds = bounds

    def check(self, asked: History, prompt: Callable[[], Prompt]) -> Break | None:
        """Compare a prompt with that of the turn which it goes on from, if that is known.

        Args:
            asked: Of the client's request.
            prompt: Makes it; it is asked only where there is something to compare it with.
        """
        earlier = self._store.get(_key(asked.exchange)) if asked.exchange else None
        return first_break(earlier, prompt()) if isinstance(earlier, Prompt) else None

    def keep(self, asked: History, answer: dict[str, Any], prompt: Prompt) -> None:
        """Keep the prompt of a turn that ended, in place of that of the turn before.

        Args:
            asked: Of the client's request.
            answer: What its history will have after it.
        """
        if asked.exchange:
            self._store.drop(_key(asked.exchange))
        self._store.put(_key(history.after(asked.question, answer)), prompt, prompt.size, self._bounds)


def prompt_of(draft: Draft, *, init_count: int, asked_count: int) -> Prompt:
    """The prompt that a draft makes."""
    tools = draft.changes.get("tools", draft.request.raw("tools")) or ""
    changed = draft.changes.get("model")
    model = json.loads(changed) if changed else draft.request.values.get("model", "")
    # What is the same in most prompts is kept once.
    messages = (*map(intern, draft.messages[:init_count]), *draft.messages[init_count:])
    return Prompt(model, intern(tools), messages, init_count, asked_count)


def first_break(old: Prompt, new: Prompt) -> Break | None:
    """Where `old` stops being the beginning of `new`; `None`: nowhere, or another model is asked."""
    if old.model != new.model:
        return None
    if old.tools != new.tools:
        return _break(
            old, shared(old.tools.encode(), new.tools.encode()), _tools_culprit(old.tools, new.tools)
        )
    before = len(old.tools.encode())
    for index, text in enumerate(old.messages):
        counterpart = new.messages[index] if index < len(new.messages) else ""
        if text != counterpart:
            return _break(
                old, before + shared(text.encode(), counterpart.encode()), _culprit(old, new, index)
            )
        before += len(text.encode())
    return None


def _break(old: Prompt, at: int, culprit: str) -> Break:
    size = sum(len(text.encode()) for text in (old.tools, *old.messages))
    return Break(at, max(1, (size - at) // BYTES_PER_TOKEN), culprit)


def _culprit(old: Prompt, new: Prompt, index: int) -> str:
    if index < max(old.init_count, new.init_count):
        return f"init message {index + 1} is not what it was: a placeholder in it, or the config, has changed"
    if index >= old.asked_count:
        return "the calls of the turn before could not be put back"
    message = f"message {index - old.init_count + 1}"
    return f"the client {'changed' if index < len(new.messages) else 'left out'} {message} of its history"


def _tools_culprit(old: str, new: str) -> str:
    names, new_names = _names(old), _names(new)
    gone = [name for name in names if name not in new_names]
    came = [name for name in new_names if name not in names]
    told = [f"without {', '.join(gone)}"] if gone else []
    told += [f"with {', '.join(came)}"] if came else []
    return f"the tools are other ones, {' and '.join(told)}" if told else "the tools are described otherwise"


def _names(tools: str) -> list[str]:
    definitions = [json.loads(item) for item in array_items(tools)] if tools else []
    functions = [d.get("function") or d.get("custom") or {} for d in definitions]
    return [str(function.get("name")) for function in functions if isinstance(function, dict)]


def shared(x: bytes, y: bytes) -> int:
    """How many bytes two texts have in common at their beginning."""
    low, high = 0, min(len(x), len(y))
    while low < high:  # half of what is left is compared at a time, which is fast where they are long
        middle = (low + high + 1) // 2
        low, high = (middle, high) if x[low:middle] == y[low:middle] else (low, middle - 1)
    return low


def _key(exchange: Digest) -> bytes:
    return b"prompt " + exchange
