"""What a check found, and how a list of findings is shown to people and to programs."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_SEEN_CHARS = 160
"""A line of a terminal; what is longer is cut."""

REMOVED = "[removed]"
SHORTEST_SECRET = 6
"""Characters; a shorter value stands in many words that give nothing away."""


class Outcome(StrEnum):
    """How a check came out, as it is printed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and what came of it."""

    name: str
    outcome: Outcome
    seen: str
    """What was there, in a few words."""
    advice: str = ""
    """What to do about it."""
    row: str = ""
    """The contract row that the check stands for."""


def secrets_among(values: Iterable[str | None]) -> tuple[str, ...]:
    """Those of the values that must not be printed."""
    return tuple(value for value in values if value and len(value) >= SHORTEST_SECRET)


def without(finding: Finding, secrets: Iterable[str]) -> Finding:
    """A finding without the keys that some server may have repeated."""
    seen, advice = finding.seen, finding.advice
    for secret in secrets:
        seen, advice = seen.replace(secret, REMOVED), advice.replace(secret, REMOVED)
    return replace(finding, seen=seen, advice=advice)


def has_failed(findings: Iterable[Finding]) -> bool:
    """Whether any of them is a failure; a warning is none."""
    return any(finding.outcome is Outcome.FAIL for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """The findings for programs: `{"ok": bool, "findings": [...]}`."""
    keys = ("name", "outcome", "seen", "advice", "row")
    entries = [{key: getattr(finding, key) for key in keys if getattr(finding, key)} for finding in findings]
    return json.dumps({"ok": not has_failed(findings), "findings": entries}, ensure_ascii=False, indent=1)


def as_table(findings: Sequence[Finding]) -> str:
    """The findings for people: a line each, and advice below where there is some."""
    name_width = max((len(finding.name) for finding in findings), default=0)
    row_width = max((len(finding.row) for finding in findings), default=0)
    lines = [as_line(finding, name_width, row_width) for finding in findings]
    return "\n".join([*lines, "", summary(findings)])


def as_line(finding: Finding, name_width: int, row_width: int) -> str:
    """One finding, its advice on a line of its own."""
    row = f"{finding.row:<{row_width}}  " if row_width else ""
    head = f"{finding.outcome:<4}  {finding.name:<{name_width}}  {row}"
    line = f"{head}{one_line(finding.seen)}".rstrip()
    return f"{line}\n{' ' * len(head)}{finding.advice}" if finding.advice else line


def summary(findings: Sequence[Finding]) -> str:
    """How many of each kind there are."""
    counts = Counter(finding.outcome for finding in findings)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])


def one_line(text: str) -> str:
    """A text without line breaks and control characters, cut where it is long."""
    plain = "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
    return plain if len(plain) <= MAX_SEEN_CHARS else f"{plain[:MAX_SEEN_CHARS]}..."
