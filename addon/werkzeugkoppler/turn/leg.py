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
    """The calls that are run here."""
    handed_over: tuple[ToolCall, ...]
    """The calls that the client sees, and has to answer."""
    finish_reason: str | None
    usage: Usage | None
    repairs: tuple[str, ...]

    @property
    def goes_on(self) -> bool:
        """Another leg follows; otherwise the turn ends here."""
        return bool(self.calls) and not self.handed_over


def said(text: str) -> Leg:
    """A last leg in words of ours, as the next turn is to have it."""
    return Leg({"role": "assistant", "content": text}, (), (), None, None, ())


def conclude(
    assembler: MessageAssembler,
    finish_reason: str | None,
    usage: Usage | None,
    is_ours: IsOurs,
    *,
    runs_mixed: bool,
) -> Leg:
    """Decide what becomes of the leg's calls; see `to_run`."""
    for call in assembler.calls:
        assembler.ensure_id(call)
    ours = to_run(assembler.calls, finish_reason, is_ours, runs_mixed=runs_mixed)
    theirs = [call for call in assembler.calls if not is_ours(call.name)]
    return Leg(
        message=assembler.message(),
        calls=_whole(assembler, ours),
        handed_over=_whole(assembler, theirs),
        finish_reason=finish_reason,
        usage=usage,
        repairs=tuple(assembler.repairs),
    )


def to_run(
    calls: list[CallDraft], finish_reason: str | None, is_ours: IsOurs, *, runs_mixed: bool
) -> list[CallDraft]:
    """Which calls of a message are run here, before the answer goes on or ends.

    Args:
        runs_mixed: Whether ours are run where the client's stand beside them (BX-03). Without a memory
            they are not: their results would be lost with this turn.
    """
    ours = [call for call in calls if is_ours(call.name)]
    if finish_reason in ENDED_EARLY or (len(ours) < len(calls) and not runs_mixed):
        return []
    # A tool that takes text is the client's, and its call is no `ToolCall`: it could not be put back.
    return [] if any(call.custom is not None for call in calls) else ours


def _whole(assembler: MessageAssembler, calls: list[CallDraft]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(assembler.ensure_id(call), call.name, call.arguments) for call in calls)
