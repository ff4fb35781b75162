"""What lets a turn's tools run: the config, the permissions of its conversation, the operator.

Every decision is traced (OW-63).
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.flows import Kill
from werkzeugkoppler.gate import permission
from werkzeugkoppler.gate.costs import missing
from werkzeugkoppler.gate.grants import PERSISTENT, Grant, Grants, Scope
from werkzeugkoppler.gate.permission import REQUEST_PERMISSION
from werkzeugkoppler.held import Question, Verdict
from werkzeugkoppler.tools.tool import Progress, Tool, ToolResult
from werkzeugkoppler.turn.calling import Tell
from werkzeugkoppler.wire.assemble import ToolCall

SOURCE = "operator"
"""Who runs the tool that asks for permission."""

BY_OPERATOR = "denied by the operator"
KILLED = {
    Kill.BEFORE: f"The call was {BY_OPERATOR}",
    Kill.DURING: "The operator broke the call off while it ran: it may have been done in part",
    Kill.AFTER: "The call was done, and the operator withheld its result",
}
"""What the model is told of a call that was killed."""
REFUSED = "A tool call was denied, and the answer ends here."
UNSPECIFIED = "the operator's approval"
"""What a denied call lacks whose costs are authorized."""
NOT_KEPT = "permissions are not kept beyond the conversation"


class Approval:
    """The say over the calls of one turn.

    Args:
        tools: Those of ours that may be offered, by the name that the model knows.
        client_tools: The names that are the client's own.
        grants: Looks up the permissions of the conversation; asked only where some may be needed.
    """

    def __init__(
        self,
        call: Call,
        tools: Mapping[str, Tool],
        client_tools: Collection[str],
        grants: Callable[[], Grants],
    ) -> None:
        settings = call.stack.settings
        self._trace = call.trace
        self._seconds = settings.approval_timeout_seconds
        self._needed = {
            name: costs
            for name, tool in tools.items()
            if tool.costs and (costs := missing(tool.costs, settings.authorized_costs))
        }
        can_ask = bool(self._needed) and settings.permission_tool and REQUEST_PERMISSION not in client_tools
        self._grants = grants() if can_ask else Grants()
        self._can_ask = can_ask
        self.tools = {**tools, REQUEST_PERMISSION: self._permission_tool()} if can_ask else dict(tools)
        """What the turn offers, `request_permission` among it where it is of use."""

    def body(self, call: ToolCall) -> str:
        """What is shown of a call: the arguments, and of a request all that it asks for."""
        return (
            permission.spelled_out(call.arguments, self._needed) if self._asks(call.name) else call.arguments
        )

    def refusal(self, call: ToolCall) -> str | None:
        """Why a call is not run, for the model (OW-59, OW-60); `None` where it may be."""
        if not self.tools[call.name].costs:
            return None
        needed = self._needed.get(call.name, ())
        used = self._grants.use(needed)
        for grant in used or ():
            if grant.scope is Scope.THIS_CALL:
                self._note("grant_consumed", call, grant_id=grant.id)
        self._trace.add(
            "auth_check_fired",
            layer="authorized_costs",
            tool=call.name,
            call_id=call.id,
            decision="deny" if used is None else "allow",
            reason=_reason(needed, used),
        )
        return self._unauthorized(call.name, needed) if used is None else None

    def question(self, call: ToolCall, leg: int, tell: Tell) -> Question | None:
        """What an operator has to be asked before a call runs (BX-11)."""
        if not self.tools[call.name].needs_approval:
            return None
        asked = self._told_of(call)
        self._note("requested", call, leg=leg, **asked)
        waits = f"waits for approval, {self._seconds:g} seconds at the most"
        about = ", ".join(asked.get("costs", ()))
        return Question(self._seconds, partial(tell, waits), partial(self._decided, call), about)

    def killed(self, name: str, kill: Kill) -> str:
        """What the model is told of a call that was killed."""
        return killed(kill, is_request=self._asks(name))

    def denied(self, name: str, note: str) -> str:
        """What the model is told of a call that was denied."""
        return denial(note, is_request=self._asks(name))

    def failed(self, call: ToolCall) -> None:
        """Note that a call failed: of a request for permission, that its arguments were edited into none."""
        if self._asks(call.name):
            self._note("denied", call, reason="its arguments are no JSON object")

    def refused(self, names: Iterable[str]) -> str | None:
        """What the client is told of denied calls in place of an answer (OW-60); `None` where there are none.

        That a permission was denied is for the model alone: it may do without.
        """
        return refused([(name, self.lacking(name)) for name in names if not self._asks(name)])

    def lacking(self, name: str) -> list[str]:
        """The costs of a tool that are not authorized."""
        return list(self._needed.get(name, ()))

    def end(self) -> None:
        """Take back the permissions that only this turn has."""
        for grant in self._grants.end():
            self._trace.add("permission_revoked", grant_id=grant.id, reason="turn ended")

    def _asks(self, name: str) -> bool:
        return self._can_ask and name == REQUEST_PERMISSION

    def _decided(self, call: ToolCall, verdict: Verdict) -> str | None:
        match verdict:
            case Verdict.GRANTED:
                if not self._asks(call.name):  # that one is told when it is known for what and how long
                    self._note("granted", call)
                return None
            case Verdict.ANSWERED:
                self._note("denied", call, reason="answered in its place")
                return None
            case Verdict.DENIED:
                note = BY_OPERATOR
            case Verdict.TIMED_OUT:
                note = f"no answer of an operator within {self._seconds:g} seconds"
            case Verdict.NO_OPERATOR:
                note = permission.NO_OPERATOR
        self._note("denied", call, reason=note)
        return self.denied(call.name, note)

    def _unauthorized(self, name: str, needed: tuple[str, ...]) -> str:
        text = f"The call was not run: it needs {', '.join(needed)}, which is not authorized here"
        advice = f". Ask for it with {REQUEST_PERMISSION}, then call again" if self._can_ask else ""
        return ToolResult(False, text + advice, {"action": name, "missing": list(needed)}).text()

    def _permission_tool(self) -> Tool:
        costs = self._every_cost()
        return Tool(
            SOURCE,
            REQUEST_PERMISSION,
            permission.description(costs),
            permission.parameters(costs),
            self._grant,
            needs_approval=True,
        )

    async def _grant(self, values: dict[str, Any], progress: Progress) -> ToolResult:
        """Give what was asked for, by somebody who let the request go (OW-61)."""
        asked = permission.read(values, self._needed)
        if not asked.costs:
            reason = "no tool needs what the request names"
            self._trace.add("permission_denied", tool=REQUEST_PERMISSION, reason=reason)
            known = ", ".join(self._every_cost())
            return ToolResult(True, permission.answer(None, f"{reason}: it can be {known}", None))
        grant = Grant(f"grant_{secrets.token_hex(8)}", Scope.of(asked.scope), frozenset(asked.costs))
        self._grants.add(grant)
        self._trace.add(
            "permission_granted",
            tool=REQUEST_PERMISSION,
            grant_id=grant.id,
            scope=grant.scope,
            costs=list(asked.costs),
        )
        note = NOT_KEPT if asked.note is None and asked.scope == PERSISTENT else asked.note
        return ToolResult(True, permission.answer(grant.scope, note, grant.id))

    def _told_of(self, call: ToolCall) -> dict[str, Any]:
        if not self._asks(call.name):
            return {}
        asked = permission.read_text(call.arguments, self._needed)
        return {"scope": Scope.of(asked.scope), "costs": list(asked.costs)}

    def _every_cost(self) -> tuple[str, ...]:
        """All that can be asked for."""
        return tuple(dict.fromkeys(cost for costs in self._needed.values() for cost in costs))

    def _note(self, what: str, call: ToolCall, **fields: Any) -> None:
        self._trace.add(f"permission_{what}", tool=call.name, call_id=call.id, **fields)


def killed(kill: Kill, *, is_request: bool) -> str:
    """What the model is told of a call that was killed.

    Args:
        is_request: It was a call of `request_permission`.
    """
    return denial(BY_OPERATOR, is_request=True) if is_request else ToolResult(False, KILLED[kill]).text()


def denial(note: str, *, is_request: bool) -> str:
    """What the model is told of a call that was denied.

    Args:
        note: Why.
        is_request: It was a call of `request_permission`.
    """
    if is_request:
        return ToolResult(True, permission.answer(None, note, None)).text()
    if note == BY_OPERATOR:
        return ToolResult(False, KILLED[Kill.BEFORE]).text()
    text = f"The call was denied: it needs approval, and there is {note}"
    return ToolResult(False, text, {"operator_note": note}).text()


def refused(denied: Sequence[tuple[str, Sequence[str]]]) -> str | None:
    """What a client is told of denied calls in place of an answer.

    Args:
        denied: The name of each, and the costs that are not authorized.
    """
    said = [
        f"Action: {name}\nMissing authorization: {', '.join(costs or (UNSPECIFIED,))}"
        for name, costs in denied
    ]
    return "\n\n".join([REFUSED, *said]) if said else None


def _reason(needed: tuple[str, ...], used: tuple[Grant, ...] | None) -> str:
    if used is None:
        return f"missing {', '.join(needed)}"
    return "permitted" if used else "authorized"
