"""An explanation for people: a table of what was added, and the diff."""

from collections.abc import Iterator
from typing import Any

from werkzeugkoppler.wire.printable import printable

COLOURS = {"+": "32", "-": "31", "@": "36"}
"""Of a diff's lines, by their first character, as the numbers that terminals know."""


def shown(explanation: dict[str, Any], is_coloured: bool) -> str:
    """The text to print, without a line break at its end."""
    rows = [("the client's request", explanation["request"])]
    rows += [(f"+ {row['source']}", row) for row in explanation["rows"]]
    rows += [("= what would be asked", explanation["total"])]
    width = max(len(name) for name, _ in rows)
    head = f"{'':{width}}  {'bytes':>9}  {'tokens':>8}  {'ms':>8}"
    lines = [f"POST {explanation['upstream']['url']}", "", head]
    lines += [_line(name, row, width) for name, row in rows]
    lines += ["", f"Tokens are {explanation['tokens_are']}, of the JSON text.", ""]
    return "\n".join(map(printable, lines)) + "\n" + "\n".join(_diff(explanation, is_coloured))


def _line(name: str, row: dict[str, Any], width: int) -> str:
    ms = "" if row.get("ms") is None else f"{row['ms']:.1f}"
    return f"{name:{width}}  {row['bytes']:>9}  {row['tokens']:>8}  {ms:>8}".rstrip()


def _diff(explanation: dict[str, Any], is_coloured: bool) -> Iterator[str]:
    if explanation["diff"] is None:
        yield "The bodies are too long for a diff; --json has what would be asked."
        return
    for line in explanation["diff"].split("\n"):
        line = printable(line)
        colour = COLOURS.get(line[:1]) if is_coloured else None
        yield f"\x1b[{colour}m{line}\x1b[0m" if colour else line
