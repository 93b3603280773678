"""Series of usage, and the cells that their events are folded into.

A meter's formula and window never change, so its cells are totals for ever or lasts for
ever.
"""

import msgspec

from ledger.facts.meters import EventTimeWindow, Formula
from projections.kernels.meters import MeterDefinition
from projections.windows import HOUR, LENGTHS


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One customer's events on one meter."""

    meter: MeterDefinition
    customer: str

    @property
    def is_windowed(self) -> bool:
        """Whether the meter is pre-aggregated."""
        return self.meter.event_time_window is not None


class CellShape(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of one meter.

    Attributes:
        has_lasts: whether they are lasts and not totals.
        is_windowed: whether the meter is pre-aggregated, and a cell is one of its
            windows and not an hour.
        length: of a cell, in microseconds.
        counts_distinct: whether the meter's values are strings that are told apart, and
            no quantities.
    """

    has_lasts: bool
    is_windowed: bool
    length: int
    counts_distinct: bool

    @classmethod
    def of(cls, formula: Formula, window: EventTimeWindow | None) -> "CellShape":
        """Return the cells of a meter with a formula and a window."""
        return cls(
            has_lasts=formula is Formula.LAST or window is not None,
            is_windowed=window is not None,
            length=HOUR if window is None else LENGTHS[window],
            counts_distinct=formula is Formula.UNIQUE_COUNT,
        )
