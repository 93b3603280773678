"""Shapes: which cells a meter's events are folded into.

A meter's formula and window never change, so that its cells are totals for ever, or
lasts for ever.
"""

from dataclasses import dataclass

from ledger.facts.meters import EventTimeWindow, Formula
from projections.windows import HOUR, LENGTHS


@dataclass(frozen=True, slots=True, kw_only=True)
class CellShape:
    """The cells of one meter.

    Attributes:
        has_lasts: whether they are lasts and not totals.
        is_windowed: whether the meter is pre-aggregated; then a cell is one of its own
            windows, else an hour.
        length: of a cell, in microseconds.
    """

    has_lasts: bool
    is_windowed: bool
    length: int

    @classmethod
    def of(cls, formula: Formula, window: EventTimeWindow | None) -> "CellShape":
        """Find the shape that a meter's definition comes to."""
        return cls(
            has_lasts=formula is Formula.LAST or window is not None,
            is_windowed=window is not None,
            length=HOUR if window is None else LENGTHS[window],
        )
