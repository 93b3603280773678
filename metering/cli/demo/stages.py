"""The stages of the demo: what each came to, for programs and for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from metering.cli.screens.text import number


@dataclass(frozen=True, slots=True)
class DemoStage:
    """What a stage came to.

    Attributes:
        name: of its part of the document.
        document: for programs.
        show: shows it to people.
        is_right: whether all was as it must be.
    """

    name: str
    document: object
    show: Callable[[], None]
    is_right: bool = True


@dataclass(slots=True, kw_only=True)
class Progress:
    """How many rows of the traffic are recorded so far."""

    total: int
    rows: int = 0

    def sentence(self) -> str:
        """Return what an interruption leaves."""
        return (
            f"Interrupted; {number(self.rows)} of {number(self.total)} rows are recorded"
            " and safe, run the command again for the rest: nothing counts twice"
        )
