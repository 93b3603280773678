"""Screens: tables and blocks, coloured on a terminal, plain text in a pipe.

Nothing here reads markup: what customers call themselves is shown as it is.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from metering.cli.screens.text import LEVELS, PLAIN_LEVELS, printable

# In a pipe nothing is cut and no row takes two lines.
_WIDTH_IN_A_PIPE = 10_000
# What is drawn is as wide as most terminals.
_DRAWING_IN_A_PIPE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    title: str
    is_number: bool = False
    is_whole: bool = False
    """Whether it stays in one piece to be copied: the last column goes below its row."""
    style: str = ""


def screen() -> Console:
    """Open the screen: the terminal, or the pipe that takes its place."""
    return Console(
        highlight=False,
        markup=False,
        emoji=False,
        width=None if sys.stdout.isatty() else _WIDTH_IN_A_PIPE,
    )


def levels() -> str:
    """Choose the characters of a sparkline that the screen can show."""
    return LEVELS if can_draw() else PLAIN_LEVELS


def can_draw() -> bool:
    """Tell whether the screen can show more than ASCII."""
    return screen().encoding.startswith("utf")


def screen_width() -> int:
    """Tell how many characters wide a drawing can be."""
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


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Show rows below each other, numbers to the right."""
    texts = [[printable(cell) for cell in row] for row in rows]
    table = _table(columns, texts)
    if columns[-1].is_whole and not _has_room(table):
        narrow = _table(columns[:-1], [row[:-1] for row in texts])
        if _has_room(narrow):
            _show_in_pairs(narrow, [row[-1] for row in texts])
            return
    _show_trimmed(table)


def show_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Show names and what they stand for, below each other."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(Text(name), Text(printable(value)))
    _show_trimmed(grid)


def _table(columns: Sequence[Column], texts: Sequence[Sequence[str]]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    cells = [list(row) for row in texts]
    for at, column in enumerate(columns):
        title = column.title
        if column.is_number:
            # By hand: rich takes away the blanks that align decimal points.
            width = max([len(title), *(len(row[at]) for row in cells)])
            title = title.rjust(width)
            for row in cells:
                row[at] = row[at].rjust(width)
        table.add_column(title, style=column.style, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _has_room(table: Table) -> bool:
    """Tell whether every row of a table fits into one line of the screen."""
    console = screen()
    endless = console.options.update(max_width=_WIDTH_IN_A_PIPE)
    return console.measure(table, options=endless).maximum <= console.width


def _show_in_pairs(table: Table, below: Sequence[str]) -> None:
    """Show a table that has room, with a line of its own below each row."""
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
    """Show a table without the blanks that fill its lines up."""
    console = screen()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    lines = capture.get().splitlines()
    print("\n".join(line.rstrip() for line in lines).strip("\n"))
