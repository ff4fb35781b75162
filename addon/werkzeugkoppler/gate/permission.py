"""The tool by which a model asks for more than `authorized_costs` allows (OW-61)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeugkoppler.gate.costs import is_covered
from werkzeugkoppler.gate.grants import PERSISTENT, Scope
from werkzeugkoppler.wire.jsontext import json_object

REQUEST_PERMISSION = "request_permission"
"""Its name for the model: that of the contract, without a server's before it."""

NO_OPERATOR = "no interactive operator available"
"""The note where nobody could be asked."""

MAX_CATEGORIES = 100
"""Of one request; each may be a pattern, and a model writes them."""
MAX_CATEGORY_CHARS = 500
"""Of one; longer than any that is meant."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as the model wrote it or the operator edited it."""

    costs: tuple[str, ...]
    """Such as some tool needs; empty where it cannot be known, or is nothing that any tool needs."""
    scope: Any
    """As it was written; see `Scope.of`."""
    note: str | None = None
    """What an operator wrote under `operator_note`."""


def description(costs: Sequence[str]) -> str:
    return (
        "Ask the operator to allow what tools here may not do by themselves. "
        f"Call it before a tool that needs one of these: {', '.join(costs)}. "
        "If it is granted, call that tool; if not, do without."
    )


def parameters(costs: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of its arguments.

    Args:
        costs: All that can be asked for.
    """
    return {
        "type": "object",
        "properties": {
            "action": {"type": "string", "description": "What you want to do: the tool, and with what"},
            "reasoning": {"type": "string", "description": "Why it is needed"},
            "category": {"type": "string", "enum": list(costs), "description": "What has to be allowed"},
            "scope": {
                "type": "string",
                "enum": [*Scope, PERSISTENT],
                "description": "For how long; by default for the next call alone",
            },
            "fallback": {"type": "string", "description": "What you will do if it is denied"},
        },
        "required": ["action", "reasoning"],
    }


def read(values: Mapping[str, Any], needed: Mapping[str, Sequence[str]]) -> Asked:
    """What arguments ask for.

    A `category` may be a pattern, as in `authorized_costs`. Without one that is what the tool needs whose
    name `action` begins with, or else the only thing that any tool needs.

    Args:
        needed: What is missing for each tool, by the name that the model knows.
    """
    note = values.get("operator_note")
    return Asked(
        costs=_costs(values.get("category"), values.get("action"), needed),
        scope=values.get("scope") or Scope.THIS_CALL,
        note=note if isinstance(note, str) else None,
    )


def read_text(arguments: str, needed: Mapping[str, Sequence[str]]) -> Asked:
    """What a model's arguments ask for: nothing, where they are no object."""
    return read(json_object(arguments) or {}, needed)


def spelled_out(arguments: str, needed: Mapping[str, Sequence[str]]) -> str:
    """The arguments with all that they ask for, for an operator to see; as they are if that is no object."""
    values = json_object(arguments)
    if values is None:
        return arguments
    asked = read(values, needed)
    costs = asked.costs[0] if len(asked.costs) == 1 else list(asked.costs)
    category = costs or values.get("category") or []  # one that is unknown as it was written
    return json.dumps(values | {"category": category, "scope": asked.scope}, ensure_ascii=False, indent=1)


def answer(scope: Scope | None, note: str | None, grant_id: str | None) -> dict[str, Any]:
    """The result of a request; `scope` is `None` where it was denied."""
    return {
        "granted": scope is not None,
        "scope_granted": scope,
        "operator_note": note,
        "grant_id": grant_id,
    }


def _costs(category: Any, action: Any, needed: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    every = dict.fromkeys(cost for costs in needed.values() for cost in costs)
    if category and isinstance(category, str | list):
        named = [category] if isinstance(category, str) else category[:MAX_CATEGORIES]
        words = [word for word in named if isinstance(word, str) and len(word) <= MAX_CATEGORY_CHARS]
        patterns = [word for word in words if word not in every]
        return tuple(cost for cost in every if cost in words or is_covered(cost, patterns))
    name = re.match(r"[\w-]*", action)[0] if isinstance(action, str) else ""  # type: ignore[index]
    if name in needed:
        return tuple(needed[name])
    return tuple(every) if len(every) == 1 else ()
