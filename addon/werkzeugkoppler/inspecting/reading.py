"""Trace files read: whatever a line holds, it harms no other (OW-33)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeugkoppler.traces import SUFFIX

MAX_DEPTH = 50
"""Of objects and lists within each other in an event."""
MAX_NUMBER = 1e300
"""It can be added up and divided without leaving the floats."""
MAX_TOLD = 5
"""Of lines that are no events."""

type Event = dict[str, Any]
"""With its `type` and when it was, `at`; both are texts."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a trace file holds."""

    id: str
    events: list[Event]
    problems: list[str]
    """A sentence for each line that is no event, with its number; of many the first, and how many more."""


def read(path: Path) -> Reading:
    """Read a trace file.

    Raises:
        OSError: It is not there, or not for us.
    """
    return parse(path.name.removesuffix(SUFFIX), path.read_bytes().splitlines())


def parse(id: str, lines: Iterable[bytes]) -> Reading:
    """Read the lines of a trace; lines that are no events are told, and left out."""
    events, problems = [], []
    for number, line in enumerate(lines, 1):
        if (event := parse_line(line)) is not None:
            events.append(event)
        elif line.strip():
            problems.append(f"line {number} of {id} is no event and is left out")
    if len(problems) > MAX_TOLD:
        more = f"{len(problems) - MAX_TOLD} more lines of {id} are no events and are left out"
        problems = [*problems[:MAX_TOLD], more]
    return Reading(id, events, problems)


def parse_line(line: bytes) -> Event | None:
    """The event in a line, `None` where there is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("type"), str) and _is_sound(event)
    return {"at": "", **event, "type": event["type"]} if is_event else None


def _is_sound(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether all that reckons with a value, or prints it, can do so."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_sound(part, depth - 1) for part in parts)
    return not isinstance(value, int | float) or abs(value) < MAX_NUMBER
