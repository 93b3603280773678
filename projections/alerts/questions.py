"""Questions of alerts: which usage of a meter is compared with thresholds.

Alerts on one meter that compare usage of the same windows ask one question, which is
answered once for all of them.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from ledger.facts.alerts import Recurrence, SubscribedPeriods
from ledger.facts.meters import Formula
from ledger.usage.quantities import (
    UNITS_PER_ONE,
    quantity_from_units,
    units_from_quantity,
)
from projections.calendar import Windows, WindowUnit, windows_between
from projections.kernels.alerts.book import SpendWatch, UsageAlert, Watch
from projections.kernels.meters import MeterDefinition
from projections.kernels.periods import Repetition
from projections.windows import DAY

_UNITS = {
    Recurrence.CALENDAR_MONTH: WindowUnit.MONTH,
    Recurrence.CALENDAR_DAY: WindowUnit.DAY,
}
# More than any month, so that the windows of all instants lie within.
_MARGIN = 33 * DAY

QuestionKey = tuple[str, Recurrence, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuestion:
    """Usage on a meter, of all time or by windows.

    Attributes:
        timezone: of months and days; None of other windows.
        subscribed: of billing periods; None of other windows.
    """

    meter: MeterDefinition
    recurrence: Recurrence
    timezone: str | None
    subscribed: SubscribedPeriods | None = None

    @property
    def key(self) -> QuestionKey:
        """Identifies the question, whatever the meter's display name."""
        return self.meter.event_name, self.recurrence, self.timezone

    @property
    def is_additive(self) -> bool:
        """Whether every event adds to usage, whatever comes later."""
        is_windowed = self.meter.event_time_window is not None
        return self.meter.formula is not Formula.LAST and not is_windowed

    @property
    def is_counted(self) -> bool:
        """Whether the unit of usage is an event, and not 10**-12 of the meter's unit."""
        return self.meter.formula is Formula.COUNT

    def threshold(self, alert: UsageAlert, customer: str) -> int | None:
        """Return an alert's threshold for a customer in the unit of usage.

        It is None for one whose allowance is not said.
        """
        if alert.percent_of is None:
            return self._threshold(alert.gte, None)
        quantity = alert.percent_of.of(customer)
        return None if quantity is None else self._threshold(alert.gte, quantity)

    def least_threshold(self, alert: UsageAlert) -> int:
        """Return the least of an alert's thresholds for any customer."""
        if alert.percent_of is None:
            return self._threshold(alert.gte, None)
        quantities = [alert.percent_of.quantity, *alert.percent_of.customers.values()]
        return min(
            self._threshold(alert.gte, each) for each in quantities if each is not None
        )

    def _threshold(self, gte: int, quantity: Decimal | None) -> int:
        """Return a threshold, a percentage of a quantity unless that is None.

        Usage is whole in its unit, so a fraction of one is reached with the next one.
        """
        unit = 1 if self.is_counted else UNITS_PER_ONE
        if quantity is None:
            return gte * unit
        hundredths = gte * units_from_quantity(quantity) * unit
        threshold: int = -(-hundredths // (100 * UNITS_PER_ONE))
        return threshold

    def counted(self, units: int) -> int:
        """Return a summary's units of 10**-12 in the unit of usage."""
        return units // UNITS_PER_ONE if self.is_counted else units

    def value(self, usage: int) -> Decimal:
        """Return usage as a quantity."""
        return Decimal(usage) if self.is_counted else quantity_from_units(usage)

    def windows(self, timestamps: np.ndarray) -> Windows | None:
        """Return the windows of some instants (int64); None where all time is one."""
        return windows_of_time(
            self.recurrence, self.timezone, self.subscribed, timestamps
        )


def windows_of_time(
    recurrence: Recurrence,
    timezone: str | None,
    subscribed: SubscribedPeriods | None,
    timestamps: np.ndarray,
) -> Windows | None:
    """Return the windows of some instants (int64); None where all time is one."""
    if recurrence is Recurrence.ONE_TIME:
        return None
    earliest, latest = int(timestamps.min()), int(timestamps.max())
    if subscribed is not None:
        return billing_periods(subscribed, earliest, latest)
    zone = UTC if timezone in (None, "UTC") else ZoneInfo(str(timezone))
    unit = _UNITS[recurrence]
    return windows_between(unit, zone, earliest - _MARGIN, latest + _MARGIN)


def billing_periods(known: SubscribedPeriods, earliest: int, latest: int) -> Windows:
    """Return the billing periods of some time, and one window before the first."""
    repetition = Repetition(known.anchor, known.interval, known.interval_count)
    first = max(earliest, known.since)
    number = repetition.number_of(first)
    begun = known.since
    if number >= 0:
        begun = max(begun, repetition.at(number))
    boundaries = [earliest, begun] if earliest < begun else [begun]
    while boundaries[-1] <= latest:
        number += 1
        boundaries.append(repetition.at(number))
    ends = boundaries[1:]
    return Windows(
        starts=tuple(boundaries[:-1]),
        lengths=tuple(
            end - start for start, end in zip(boundaries, ends, strict=False)
        ),
        end=boundaries[-1],
    )


def questions_of(
    meter: MeterDefinition, watches: Iterable[Watch]
) -> dict[UsageQuestion, list[Watch]]:
    """Return the questions of the alerts on a meter, with the alerts that ask each."""
    asked: dict[UsageQuestion, list[Watch]] = defaultdict(list)
    for watch in watches:
        question = UsageQuestion(
            meter=meter,
            recurrence=watch.alert.recurrence,
            timezone=watch.alert.timezone,
        )
        asked[question].append(watch)
    return asked


def customers_of(watches: Iterable[Watch | SpendWatch]) -> frozenset[str] | None:
    """Return whose usage counts; None is every customer's."""
    customers = {watch.alert.customer for watch in watches}
    return None if None in customers else frozenset(filter(None, customers))


def window_finder(windows: Windows | None) -> Callable[[int], int | None]:
    """Return a function from an instant to the start of its window; None is all time.

    Instants outside of the windows share a start that no window has.
    """
    if windows is None:
        return lambda _: None
    boundaries = windows.boundaries().tolist()
    before = boundaries[0] - 1

    def find(instant: int) -> int:
        at = bisect_right(boundaries, instant) - 1
        return int(boundaries[at]) if 0 <= at < len(boundaries) - 1 else before

    return find
