"""What a view is made of, and how it looks as plain text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from werkzeugkoppler.wire.printable import printable

GAP = "  "


class Cell(NamedTuple):
    """A text that is coloured where there are colours."""

    text: str
    style: str = ""
    """`good`, `bad`, `busy`, `faint`, or none."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; headings that are all empty are not shown.

    A table without rows is its `nothing` alone.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    right: frozenset[str] = frozenset()
    """The headings of columns of numbers."""
    nothing: str = ""

    @property
    def has_head(self) -> bool:
        return any(self.headings)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines as they are."""

    lines: Sequence[str | Cell]


type Block = Table | Lines


def cell(value: str | Cell) -> Cell:
    """A cell that harms no terminal: what cannot be printed, such as an escape, is a dot."""
    text, style = value if isinstance(value, Cell) else (value, "")
    return Cell(printable(text), style)


def plain(blocks: Iterable[Block]) -> str:
    """The blocks as text, an empty line between them."""
    return "\n\n".join("\n".join(_lines(block)) for block in blocks)


def _lines(block: Block) -> list[str]:
    if isinstance(block, Lines):
        return [cell(line).text for line in block.lines]
    if not block.rows:
        return [block.nothing]
    rows = [[cell(value).text for value in row] for row in block.rows]
    rows = [list(block.headings), *rows] if block.has_head else rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rights = [heading in block.right for heading in block.headings]
    return [GAP.join(map(_padded, row, widths, rights)).rstrip() for row in rows]


def _padded(text: str, width: int, is_right: bool) -> str:
    return text.rjust(width) if is_right else text.ljust(width)
