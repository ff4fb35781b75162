"""The blocks of a view for people, in colours."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from werkzeugkoppler.inspecting.blocks import Block, Cell, Lines, cell

STYLES = {"good": "green", "bad": "bold red", "busy": "yellow", "faint": "dim"}


def show(console: Console, blocks: Iterable[Block]) -> None:
    """Print the blocks, an empty line between them."""
    for number, block in enumerate(blocks):
        if number:
            console.print()
        if isinstance(block, Lines):
            for line in block.lines:
                console.print(_text(line), soft_wrap=True)
        elif block.rows:
            table = RichTable(
                box=None,
                show_header=block.has_head,
                pad_edge=False,
                header_style="bold",
                padding=(0, 2, 0, 0),
            )
            for heading in block.headings:
                table.add_column(heading, justify="right" if heading in block.right else "left")
            for row in block.rows:
                table.add_row(*map(_text, row))
            console.print(table)
        else:
            console.print(Text(block.nothing, style="dim"))


def _text(value: str | Cell) -> Text:
    # Never as rich's markup: it is what models and clients have said.
    text, style = cell(value)
    return Text(text, style=STYLES.get(style, ""))
