"""A view of usage at one position, from which summaries are computed.

It never changes: the log may go on and be sealed while a summary of several reads still
sees one state.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from ledger.segments.entry import overlapping
from ledger.segments.sealed import Sealed
from projections.kernels.usage.keys import HOURS
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import Series
from projections.kernels.usage.totals import Totals
from projections.usage.cancellations import Cancellations
from projections.usage.layers import cells_together
from projections.usage.run import UsageRun
from projections.usage.tail import TailView


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """Hourly usage up to a position, and where its events are.

    Attributes:
        sealed: the segments before the tail, and their reader; None before the first
            sealing.
        runs: hourly usage of the segments.
        tail: hourly usage after them.
    """

    sealed: Sealed | None
    runs: Sequence[UsageRun]
    tail: TailView

    @property
    def position(self) -> int:
        """Position of the last entry that counts."""
        return self.tail.position

    @property
    def cancellations(self) -> int:
        """How many events have been cancelled or restored, each time."""
        sealed = sum(len(run.cancellations) for run in self.runs)
        return sealed + self.tail.cancellations

    def ends(self) -> tuple[int, int]:
        """Return the least and the greatest timestamp of all events, cancelled or not.

        Returns:
            Microseconds since 1970 UTC; 0 and 0 where there is no event.
        """
        segments = () if self.sealed is None else self.sealed.segments
        ends = [(each.earliest, each.latest) for each in segments if each.rows]
        commits = self.tail.commits
        if len(commits.earliest):
            ends.append((int(commits.earliest.min()), int(commits.latest.max())))
        return (
            min((earliest for earliest, _ in ends), default=0),
            max((latest for _, latest in ends), default=0),
        )

    def cancelled_events(self) -> np.ndarray:
        """Return the positions (int64, ascending) of all cancelled events."""
        parts = [run.cancellations for run in self.runs]
        in_tail = self.tail.cancelled.up_to(self.position)
        return Cancellations.together([*parts, in_tail]).cancelled()

    @property
    def _parts(self) -> tuple[UsageRun | TailView, ...]:
        return *self.runs, self.tail

    def totals_of(self, series: Series, first_hour: int, end_hour: int) -> Totals:
        """Return the totals of one series in the hours ``[first_hour, end_hour)``.

        Returns:
            A total for each hour with usage, sorted; the key is the hour since 1970.
        """
        parts = [part.totals_of(series, first_hour, end_hour) for part in self._parts]
        return cells_together(Totals, parts)

    def totals_of_many(
        self, meter: str, customers: Sequence[str], hours: np.ndarray
    ) -> Totals:
        """Add up many series of one meter that is not pre-aggregated.

        Args:
            meter: its event name.
            customers: of each series.
            hours: int64, two by series: the first hour, and the one after the last.

        Returns:
            A total for each series with usage, sorted; the key is the series' index.
        """
        parts = [part.totals_of_many(meter, customers, hours) for part in self._parts]
        return Totals.combine(parts)

    def lasts_of(self, series: Series, first_hour: int, end_hour: int) -> Lasts:
        """Return the last events of one series in the hours ``[first_hour, end_hour)``.

        Returns:
            A last for each window of the meter with usage, sorted; the key is the hour
            since 1970 in which the window begins.
        """
        parts = [part.lasts_of(series, first_hour, end_hour) for part in self._parts]
        lasts = cells_together(Lasts, parts)
        return lasts.with_key(lasts.key & HOURS)

    def has_none_between(self, series: Series, start: int, end: int) -> bool:
        """Whether it is known, without reading, that a series has no event in a span."""
        if start >= end:
            return True
        segments = () if self.sealed is None else self.sealed.segments
        return not any(overlapping(segments, start, end)) and (
            self.tail.has_none_between(series, start, end)
        )

    def are_cancelled(self, events: np.ndarray) -> np.ndarray:
        """Return (bool) which events (int64 positions) are cancelled."""
        return self.cancellations_of(events) > 0

    def cancellations_of(
        self, events: np.ndarray, up_to: int | None = None
    ) -> np.ndarray:
        """Return the cancellation of each event (int64 positions), 0 where it has none.

        Args:
            events: whose.
            up_to: at which position; None is that of the view.
        """
        position = self.position if up_to is None else min(up_to, self.position)
        found = np.zeros(len(events), np.int64)
        for run in self.runs:
            known = run.cancellations
            if position < self.position:
                known = known.up_to(position)
            found = known.over(found, events)
        return self.tail.cancelled.over(found, events, position).clip(0)
