"""Progress on the error stream of a terminal: a bar, counts and a rate. Else silence."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from metering.cli.screens.text import number, rate

Advance = Callable[[int, int | None], None]
"""Is called with how far the work has come, and how far it goes, if that is known."""


@contextmanager
def progress_bar(description: str) -> Iterator[Advance]:
    """Show progress until the block ends, then leave no trace."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _keep_quiet
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        _Count(),
        _Rate(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task(description, total=None)

        def advance(completed: int, total: int | None) -> None:
            progress.update(task, completed=completed, total=total)

        yield advance


def _keep_quiet(completed: int, total: int | None) -> None:
    del completed, total


class _Count(ProgressColumn):
    """How far of how far."""

    def render(self, task: Task) -> Text:
        count = number(int(task.completed))
        return Text(f"{count} of {number(int(task.total))}" if task.total else count)


class _Rate(ProgressColumn):
    """How many in a second, since the start."""

    def render(self, task: Task) -> Text:
        elapsed = task.finished_time if task.finished else task.elapsed
        speed = rate(int(task.completed), elapsed or 0) or "0"
        return Text(f"{speed}/s", style="dim")
