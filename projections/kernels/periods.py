"""Billing periods: calendar arithmetic in UTC, from an anchor.

A price's periods begin at the anchor and at each of its intervals after it. Days and
weeks are so many seconds. Months and years keep the day and the time of the anchor; where
a month lacks the day, they begin on its last one, and on the anchor's again in the next
that has it. Instants are microseconds since 1970 UTC, periods half-open.
Source: https://docs.stripe.com/billing/subscriptions/billing-cycle
"""

import calendar
from collections.abc import Iterable, Iterator
from datetime import MAXYEAR, date
from functools import lru_cache
from typing import NamedTuple

import msgspec

from ledger.facts.prices import BillingInterval

INTERVALS_MAX = {
    BillingInterval.DAY: 1_095,
    BillingInterval.WEEK: 156,
    BillingInterval.MONTH: 36,
    BillingInterval.YEAR: 3,
}
"""Of one period, about three years."""

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_END_OF_CALENDAR = (date.max.toordinal() + 1 - _EPOCH) * _DAY
_DAYS = {BillingInterval.DAY: 1, BillingInterval.WEEK: 7}
_MONTHS = {BillingInterval.MONTH: 1, BillingInterval.YEAR: 12}


class Period(NamedTuple):
    """A time that is billed at once, ``[start, end)``."""

    start: int
    end: int


class Repetition(msgspec.Struct, frozen=True):
    """Instants at which periods begin: an anchor, and each interval after it."""

    anchor: int
    interval: BillingInterval
    interval_count: int

    def at(self, number: int) -> int:
        """Return the instant that is so many intervals after the anchor."""
        step = number * self.interval_count
        days = _DAYS.get(self.interval)
        if days is not None:
            return self.anchor + step * days * _DAY
        return _months_after(self.anchor, step * _MONTHS[self.interval])

    def number_of(self, instant: int) -> int:
        """Return how many intervals after the anchor the last one until then begins.

        It is -1 where the anchor has yet to come.
        """
        if instant < self.anchor:
            return -1
        days = _DAYS.get(self.interval)
        if days is not None:
            return (instant - self.anchor) // (self.interval_count * days * _DAY)
        months = _month_of(instant) - _month_of(self.anchor)
        number = months // (self.interval_count * _MONTHS[self.interval])
        # The day or the time of the anchor is yet to come within that month.
        return number if self.at(number) <= instant else number - 1


class Cycle(msgspec.Struct, frozen=True):
    """A time that is divided into periods.

    Attributes:
        start: of the first period.
        end: of the last one; None has none.
        repetition: where periods begin within it; None where it is one period.
    """

    start: int
    end: int | None
    repetition: Repetition | None

    def period_at(self, instant: int) -> Period:
        """Return the period that contains an instant within the cycle."""
        assert self.start <= instant, "the cycle has begun"
        assert self.end is None or instant < self.end, "the cycle is not over"
        start, end = self.start, self.end
        if self.repetition is not None:
            number = self.repetition.number_of(instant)
            if number >= 0:
                start = max(start, self.repetition.at(number))
            following = self.repetition.at(number + 1)
            end = following if end is None else min(end, following)
        assert end is not None, "time without end has repetitions"
        return Period(start, end)

    def periods_ended(self, after: int, until: int) -> Iterator[Period]:
        """Yield the periods that end in ``(after, until]``, in order."""
        for period in self._periods(max(self.start, after), until):
            if after < period.end <= until:
                yield period

    def periods_begun(self, by: int) -> Iterator[Period]:
        """Yield the periods that begin by an instant, or at it, in order."""
        return self._periods(self.start, by + 1)

    def _periods(self, start: int, before: int) -> Iterator[Period]:
        """Yield the period at an instant, and those after it that begin before another."""
        while start < before and (self.end is None or start < self.end):
            period = self.period_at(start)
            yield period
            start = period.end


def united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans that are sorted, with those that touch or overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _month_of(instant: int) -> int:
    """Return the month of an instant, counted from the year 0."""
    day = date.fromordinal(_EPOCH + instant // _DAY)
    return day.year * 12 + day.month - 1


# Many subscriptions begin together, and each asks for the same few instants.
@lru_cache(maxsize=1 << 14)
def _months_after(anchor: int, months: int) -> int:
    """Return the instant so many months later, on the last day where the month is short.

    What lies beyond the calendar, which nobody can ask about, is at its end.
    """
    days, time = divmod(anchor, _DAY)
    day = date.fromordinal(_EPOCH + days)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > MAXYEAR:
        return _END_OF_CALENDAR
    last = calendar.monthrange(year, month + 1)[1]
    reached = date(year, month + 1, min(day.day, last)).toordinal()
    return (reached - _EPOCH) * _DAY + time
