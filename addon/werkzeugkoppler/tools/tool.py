"""What every tool of ours is to the turn: a definition for the model, and a way to run it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

type Progress = Callable[[str], None]
"""Takes a line of news about a call that is under way; never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The outcome of a tool call, as the model is told of it (WK-116)."""

    ok: bool
    value: Any
    """The result as a JSON value, or the text of the error."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Keys added beside the result: an exit code, a stderr tail, a cut (F21)."""

    def text(self) -> str:
        """The `content` of the tool message."""
        if self.ok:
            outcome: dict[str, Any] = {"ok": True, "result": self.value}
        else:
            outcome = {"ok": False, "error": self.value, "is_error": True}
        return json.dumps(outcome | self.notes, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of one source, not yet named for the model."""

    source: str
    """The `server_id`, or `actions`."""
    name: str
    """The tool's own name at its source."""
    description: str
    parameters: dict[str, Any]
    """The JSON schema of the arguments."""
    run: Callable[[dict[str, Any], Progress], Awaitable[ToolResult]]
    """Runs one call. A failure of the tool is a result; cancelling the awaiting task stops the call."""
    costs: tuple[str, ...] = ()
    """All that `authorized_costs` has to list for it to run (OW-58)."""
    needs_approval: bool = False
    """Each call is held until somebody lets it go (BX-11)."""
