"""Keys that have a second, shorter name (WK-69)."""

from collections.abc import Iterator
from typing import Any

from pydantic import AliasChoices, Field

from werkzeugkoppler.config.problem import Problem

_PREFIX = "allowed_direct_commands_"
_SHORT = ("max_output_lines", "max_output_bytes")


def aliased(default: Any, short: str) -> Any:
    """A field of the schema that may be written by its short name, too."""
    return Field(default=default, validation_alias=AliasChoices(_PREFIX + short, short))


def without_second_names(values: dict[str, Any]) -> dict[str, Any]:
    """The values without short names that are empty, or that stand beside the long one, which counts."""
    beside = {name for name in _SHORT if values.get(name) is None or values.get(_PREFIX + name) is not None}
    return {key: value for key, value in values.items() if key not in beside}


def contradictions(values: dict[str, Any]) -> Iterator[Problem]:
    """The keys of a file that say different things under their two names."""
    for name in _SHORT:
        short, long = values.get(name), values.get(_PREFIX + name)
        if short is not None and long is not None and short != long:
            text = f"contradicts {_PREFIX}{name}, which means the same: keep one of them"
            yield Problem((name,), text)
