"""Watched questions: which usage of a meter is compared with thresholds.

Alerts on one meter that compare the usage of the same windows ask one question, which
is answered for all of them at once.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from ledger.facts.alerts import Recurrence
from ledger.facts.meters import Formula
from ledger.usage.quantities import UNITS_PER_ONE, quantity_from_units
from projections.calendar import Windows, WindowUnit, windows_between
from projections.kernels.alerts.book import Watch
from projections.kernels.meters import MeterDefinition
from projections.windows import DAY

_UNITS = {
    Recurrence.CALENDAR_MONTH: WindowUnit.MONTH,
    Recurrence.CALENDAR_DAY: WindowUnit.DAY,
}
# More than any month: the windows of all instants lie within.
_MARGIN = 33 * DAY

QuestionKey = tuple[str, Recurrence, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuestion:
    """Usage on a meter, of all time or by windows of a zone's time."""

    meter: MeterDefinition
    recurrence: Recurrence
    timezone: str | None

    @property
    def key(self) -> QuestionKey:
        """What it is known by, whatever the meter is called."""
        return self.meter.event_name, self.recurrence, self.timezone

    @property
    def is_additive(self) -> bool:
        """Whether every event adds to usage, whatever comes after it."""
        is_windowed = self.meter.event_time_window is not None
        return self.meter.formula is not Formula.LAST and not is_windowed

    @property
    def is_counted(self) -> bool:
        """Whether usage is in events, else it is in units of 10**-12."""
        return self.meter.formula is Formula.COUNT

    def threshold(self, gte: int) -> int:
        """Turn a threshold into what usage is counted in."""
        return gte if self.is_counted else gte * UNITS_PER_ONE

    def counted(self, units: int) -> int:
        """Turn units of 10**-12, as summaries have them, into what usage is counted in."""
        return units // UNITS_PER_ONE if self.is_counted else units

    def value(self, usage: int) -> Decimal:
        """Turn usage, as it is counted, into a quantity."""
        return Decimal(usage) if self.is_counted else quantity_from_units(usage)

    def windows(self, timestamps: np.ndarray) -> Windows | None:
        """Find the windows of some instants (int64), None where all time is one."""
        if self.recurrence is Recurrence.ONE_TIME:
            return None
        zone = UTC if self.timezone in (None, "UTC") else ZoneInfo(str(self.timezone))
        earliest, latest = int(timestamps.min()), int(timestamps.max())
        unit = _UNITS[self.recurrence]
        return windows_between(unit, zone, earliest - _MARGIN, latest + _MARGIN)


def questions_of(
    meter: MeterDefinition, watches: Iterable[Watch]
) -> dict[UsageQuestion, list[Watch]]:
    """Bring together the alerts on a meter that ask the same."""
    asked: dict[UsageQuestion, list[Watch]] = defaultdict(list)
    for watch in watches:
        question = UsageQuestion(
            meter=meter,
            recurrence=watch.alert.recurrence,
            timezone=watch.alert.timezone,
        )
        asked[question].append(watch)
    return asked


def customers_of(watches: Iterable[Watch]) -> frozenset[str] | None:
    """Tell whose usage is watched; None is everybody's."""
    customers = {watch.alert.customer for watch in watches}
    return None if None in customers else frozenset(filter(None, customers))


def window_finder(windows: Windows | None) -> Callable[[int], int | None]:
    """Make what finds the window of one instant: its start, None for all time.

    An instant outside of the windows is given one that none of theirs begins with.
    """
    if windows is None:
        return lambda _: None
    boundaries = windows.boundaries().tolist()
    before = boundaries[0] - 1

    def find(instant: int) -> int:
        at = bisect_right(boundaries, instant) - 1
        return int(boundaries[at]) if 0 <= at < len(boundaries) - 1 else before

    return find
