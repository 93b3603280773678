"""Grids: the tables of a report, drawn for where they are read.

In a file or a pipe a grid is Markdown, whatever its width. On a terminal it is a table
where it fits; where it does not, each row is a paragraph, as a table whose cells are
broken can be compared by nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Final

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_INDENT: Final = "    "
_WIDEST: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table before it is drawn.

    Attributes:
        numeric: the headings whose columns are numbers, and stand to the right.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[str]

    def drawn(self, console: Console) -> RenderableType:
        """Return what fits a terminal."""
        table = self._table()
        unbounded = console.options.update(max_width=_WIDEST)
        needed = Measurement.get(console, unbounded, table).maximum
        if needed <= console.width:
            return table
        return self._paragraphs(console.width)

    def markdown(self) -> str:
        """Return the table as Markdown, under a heading."""
        rules = ["---:" if each in self.numeric else "---" for each in self.headings]
        lines = [self.headings, rules, *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"\n## {self.title}\n\n{table}\n"

    def _table(self) -> Table:
        table = Table(title=self.title, title_justify="left")
        for each in self.headings:
            is_numeric = each in self.numeric
            table.add_column(
                each, justify="right" if is_numeric else "left", no_wrap=True
            )
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def _paragraphs(self, width: int) -> Text:
        lines = [self.title]
        for first, *others in self.rows:
            cells = zip(self.headings[1:], others, strict=True)
            told = [f"{heading}: {cell}" for heading, cell in cells if cell]
            lines += [
                fill(first, width, initial_indent="  ", subsequent_indent=_INDENT),
                fill(
                    "; ".join(told),
                    width,
                    initial_indent=_INDENT,
                    subsequent_indent=_INDENT,
                ),
            ]
        return Text("\n".join([*lines, ""]))
