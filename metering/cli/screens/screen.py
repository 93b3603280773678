"""What is printed: screens for people, JSON for programs.

Screens are tables and blocks, coloured on a terminal, plain text in a pipe. Nothing here
reads markup: a customer's name is shown as it is. JSON has all digits of numbers, and
times in ISO 8601, UTC.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from metering.cli.screens.text import (
    LEVELS,
    PLAIN_LEVELS,
    number,
    printable,
    quantities,
    second,
)

Row = TypeVar("Row")
Cell = str | int | Decimal | datetime | None

ENCODER = msgspec.json.Encoder(decimal_format="number")

# In a pipe nothing is cut and no row takes two lines.
_WIDTH_IN_A_PIPE = 10_000
# What is drawn is as wide as most terminals.
_DRAWING_IN_A_PIPE = 80


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table: its title, and its cell for each row.

    Numbers are written with separators and stand to the right, decimals with their
    points below each other. Times are written to the second, in UTC; None is blank.

    Attributes:
        is_number: whether strings stand to the right as well.
        is_whole: whether it stays in one piece to be copied: where the screen is too
            narrow, the last column goes below its row.
    """

    title: str
    value: Callable[[Row], Cell]
    _: KW_ONLY
    is_number: bool = False
    is_whole: bool = False
    style: str = ""

    def cells(self, rows: Sequence[Row]) -> list[str]:
        """Write the column, all cells of numbers equally wide."""
        values = [self.value(row) for row in rows]
        decimals = iter(quantities([v for v in values if isinstance(v, Decimal)]))
        written = [
            printable(next(decimals) if isinstance(v, Decimal) else _written(v))
            for v in values
        ]
        if not self.is_number and not any(isinstance(v, int | Decimal) for v in values):
            return [self.title, *written]
        # By hand: rich takes away the blanks that align decimal points.
        width = max(map(len, [self.title, *written]))
        return [each.rjust(width) for each in [self.title, *written]]


def screen() -> Console:
    """Open the screen: the terminal, or the pipe that takes its place."""
    return Console(
        highlight=False,
        markup=False,
        emoji=False,
        width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE,
    )


def levels() -> str:
    """Return the characters of a sparkline that the screen can show."""
    return LEVELS if can_draw() else PLAIN_LEVELS


def can_draw() -> bool:
    """Whether the screen can show more than ASCII."""
    return screen().encoding.startswith("utf")


def screen_width() -> int:
    """Return how many characters wide a drawing can be."""
    return screen().width if sys.stdout.isatty() else _DRAWING_IN_A_PIPE


def show(text: str = "", style: str = "") -> None:
    """Show a sentence, broken between words where the terminal ends."""
    screen().print(Text(printable(text), style=style))


def show_command(text: str) -> None:
    """Show a command in one piece, so that it can be copied."""
    screen().print(Text(f"  {printable(text)}"), soft_wrap=True)


def show_drawing(label: str, drawn: str, style: str) -> None:
    """Show a line of a drawing behind its label, in one piece."""
    text = Text(printable(label)).append(printable(drawn), style=style)
    screen().print(text, soft_wrap=True)


def show_table(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> None:
    """Show rows below each other."""
    table = _table(columns, rows)
    if columns[-1].is_whole and not _has_room(table):
        narrow = _table(columns[:-1], rows)
        if _has_room(narrow):
            _show_in_pairs(narrow, columns[-1].cells(rows)[1:])
            return
    _show_trimmed(table)


def show_pairs(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Show names and what they stand for, below each other; None is left out."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            grid.add_row(Text(printable(name)), Text(printable(_written(value))))
    _show_trimmed(grid)


def print_document(content: object) -> None:
    """Print one JSON document."""
    _print(msgspec.json.format(ENCODER.encode(content), indent=2))


def print_line(content: object) -> None:
    """Print one JSON document in one line."""
    _print(ENCODER.encode(content))


def print_text(text: str) -> None:
    """Print text for other programs, line by line as it is."""
    _print(text.encode())


def _print(document: bytes) -> None:
    sys.stdout.buffer.write(document + b"\n")
    sys.stdout.flush()


def _written(value: Cell) -> str:
    match value:
        case None:
            return ""
        case int():
            return number(value)
        case datetime():
            return second(value)
        case _:
            return str(value)


def _table(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    written = [column.cells(rows) for column in columns]
    for column, (title, *_) in zip(columns, written, strict=True):
        table.add_column(title, style=column.style, overflow="fold")
    for row in zip(*(cells[1:] for cells in written), strict=True):
        table.add_row(*map(Text, row))
    return table


def _has_room(table: Table) -> bool:
    """Whether every row of a table fits into one line of the screen."""
    console = screen()
    endless = console.options.update(max_width=_WIDTH_IN_A_PIPE)
    return console.measure(table, options=endless).maximum <= console.width


def _show_in_pairs(table: Table, below: Sequence[str]) -> None:
    """Show a table that fits, with a line of its own below each row."""
    console = screen()
    with console.capture() as capture:
        console.print(table)
    lines = capture.get().splitlines()
    head = len(lines) - len(below)
    print("\n".join(lines[:head]))
    for line, text in zip(lines[head:], below, strict=True):
        print(line)
        print(f"  {text}")


def _show_trimmed(table: Table) -> None:
    """Show a table, in a pipe without the blanks that fill its lines up."""
    console = screen()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    lines = capture.get().splitlines()
    print("\n".join(line.rstrip() for line in lines).strip("\n"))
