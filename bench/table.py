"""The figures as a table: in columns for a terminal, in Markdown for the documentation."""

from collections.abc import Sequence

from bench.figure import Aim, Failure, Figure

_HEADINGS = ("measured", "direct", "mitmdump", "Werkzeugkoppler", "ratio", "aim", "")


def columns(results: Sequence[Figure | Failure]) -> str:
    """A table whose columns line up."""
    rows = [_HEADINGS, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = []
    for row in rows:
        first, *numbers = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([first.strip().ljust(widths[0]), *numbers]).rstrip())
    return "\n".join(lines)


def markdown(results: Sequence[Figure | Failure]) -> str:
    """The same table in Markdown."""
    rule = ["---", *["---:"] * (len(_HEADINGS) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (_HEADINGS, rule, *map(_row, results)))


def _row(result: Figure | Failure) -> tuple[str, ...]:
    if isinstance(result, Failure):
        return (result.title, "", "", "", "", "", "failed")
    plus = "+" if result.added else ""
    return (
        result.title,
        _value(result.direct, result.unit),
        _value(result.mitmdump, result.unit, plus),
        _value(result.werkzeugkoppler, result.unit, plus),
        "" if result.ratio is None else f"{result.ratio:.2f}",
        "" if result.aim is None else _aim(result.aim, result.unit),
        {True: "met", False: "short", None: ""}[result.aim_met],
    )


def _value(value: float | None, unit: str, plus: str = "") -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:{plus}.{digits}f} {unit}"


def _aim(aim: Aim, unit: str) -> str:
    bound = "≥" if aim.at_least else "≤"
    if aim.of == "ratio":
        return f"{bound} {aim.limit:.1f}"
    plus = "+" if aim.of == "difference" else ""
    return f"{bound} {plus}{aim.limit:.0f} {unit}"
