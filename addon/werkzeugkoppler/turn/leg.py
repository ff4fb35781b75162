"""What one leg brought: the assistant's message, and what is to be done about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeugkoppler.wire.assemble import CallDraft, MessageAssembler, ToolCall
from werkzeugkoppler.wire.usage import Usage

ENDED_EARLY = frozenset({"length", "content_filter"})
"""With these the upstream broke off: a call in such a message may be half of one and is not run."""

ENDED_INCOMPLETE = "the upstream's stream ended before its answer was complete"
"""The error's message where neither an end mark nor a reason for the end has come."""

type IsOurs = Callable[[str], bool]
"""Whether a call of this name is run here. Any other belongs to the client (F11)."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg, after its answer ended."""

    message: dict[str, Any]
    """The assistant message for the upstream's history."""
    calls: tuple[ToolCall, ...]
    """The calls to run before the next leg; none: the turn ends here."""
    finish_reason: str | None
    usage: Usage | None
    repairs: tuple[str, ...]


def conclude(
    assembler: MessageAssembler, finish_reason: str | None, usage: Usage | None, is_ours: IsOurs
) -> Leg:
    """Decide how the turn goes on.

    Where the model called a tool of the client too, the turn ends with that call, and ours are not
    run: their results would be lost with this turn.
    """
    for call in assembler.calls:
        assembler.ensure_id(call)
    ours = goes_on(assembler.calls, finish_reason, is_ours)
    calls = (
        tuple(ToolCall(assembler.ensure_id(c), c.name, c.arguments) for c in assembler.calls) if ours else ()
    )
    return Leg(assembler.message(), calls, finish_reason, usage, tuple(assembler.repairs))


def goes_on(calls: list[CallDraft], finish_reason: str | None, is_ours: IsOurs) -> bool:
    """Whether a message with these calls is followed by another leg."""
    return bool(calls) and finish_reason not in ENDED_EARLY and all(is_ours(call.name) for call in calls)
