"""Own the naive oracle of alerts: what must have triggered, in lists and loops.

It must not know the product. It is told what took which position of the log, and goes
through it from the beginning, adding up all usage anew at every event.
Rules: https://docs.stripe.com/api/billing/alert, made exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracles.rating import cost, rounded

Window = tuple[int, ...]
"""Year, month and perhaps day of a zone's calendar; empty for all time."""


@dataclass(frozen=True, kw_only=True)
class SeenMeter:
    event_name: str
    formula: str
    event_time_window: str | None = None


@dataclass(frozen=True, kw_only=True)
class SeenEvent:
    position: int
    meter: SeenMeter
    customer: str
    timestamp: datetime
    value: Decimal


@dataclass(kw_only=True)
class SeenAlert:
    """An alert, and from which position to which it is active.

    Of an allowance, gte is so many percent. It is said by customer; None has the others.
    With prices it is on what usage costs by them, each with the meter that it is of.
    """

    number: int
    meters: tuple[SeenMeter, ...]
    gte: int
    customer: str | None
    recurrence: str
    timezone: str
    periods: list[list[int]]
    allowance: dict[str | None, Decimal] | None = None
    prices: tuple[tuple[SeenMeter, Mapping[str, Any]], ...] = ()

    def is_reached(self, customer: str, usage: Decimal) -> bool:
        if self.allowance is None:
            return usage >= self.gte
        allowed = self.allowance.get(customer, self.allowance.get(None))
        return allowed is not None and exactly(usage) * 100 >= self.gte * exactly(
            allowed
        )

    def window(self, timestamp: datetime) -> Window:
        day: date = timestamp.astimezone(ZoneInfo(self.timezone)).date()
        return {
            "one_time": (),
            "calendar_month": (day.year, day.month),
            "calendar_day": (day.year, day.month, day.day),
        }[self.recurrence]


@dataclass(frozen=True, order=True)
class Due:
    """Something that must have triggered."""

    position: int
    alert: int
    customer: str
    value: Decimal
    window: Window


@dataclass(kw_only=True)
class AlertOracle:
    events: list[SeenEvent] = field(default_factory=list)
    cancelled: dict[int, int] = field(default_factory=dict)
    alerts: list[SeenAlert] = field(default_factory=list)

    def due(self) -> list[Due]:
        found = []
        for alert in self.alerts:
            for start, end in alert.periods:
                done = set()
                for event in self.events:
                    window = alert.window(event.timestamp)
                    key = event.customer, window
                    if (
                        event.meter not in alert.meters
                        or alert.customer not in (None, event.customer)
                        or not start < event.position < end
                        or key in done
                    ):
                        continue
                    usage = self.value(alert, event, window)
                    if alert.is_reached(event.customer, usage):
                        done.add(key)
                        found.append(
                            Due(
                                event.position,
                                alert.number,
                                event.customer,
                                usage,
                                window,
                            )
                        )
        return sorted(found)

    def value(self, alert: SeenAlert, at: SeenEvent, window: Window) -> Decimal:
        """What an alert compares: usage, or what that of each price's meter costs."""
        if not alert.prices:
            return self.usage(alert, at.meter, at, window)
        lines = (
            rounded(cost(price, Fraction(self.usage(alert, meter, at, window))))
            for meter, price in alert.prices
        )
        return Decimal(sum(lines))

    def usage(
        self, alert: SeenAlert, meter: SeenMeter, at: SeenEvent, window: Window
    ) -> Decimal:
        """The usage of a window with an event, and with nothing that came after it."""
        counted = [
            event
            for event in self.events
            if event.meter == meter
            and event.customer == at.customer
            and event.position <= at.position
            and not self.cancelled.get(event.position, at.position) < at.position
        ]
        if meter.event_time_window is not None:
            counted = last_of_each(counted, meter.event_time_window)
        counted = [each for each in counted if alert.window(each.timestamp) == window]
        if meter.formula == "count":
            return Decimal(len(counted))
        if meter.formula == "last":
            by_time = sorted(counted, key=lambda each: (each.timestamp, each.position))
            return by_time[-1].value if by_time else Decimal(0)
        # Python adds integers of any size without rounding.
        units = sum(exactly(each.value) for each in counted)
        return Decimal(f"{units}e-6")


def exactly(value: Decimal) -> int:
    """Millionths, as Python multiplies decimals with rounding."""
    return int(value.scaleb(6))


def last_of_each(events: list[SeenEvent], length: str) -> list[SeenEvent]:
    """Keep the one recorded last of each UTC hour or day."""
    kept = {}
    for event in sorted(events, key=lambda each: each.position):
        moment = event.timestamp.astimezone(UTC)
        hour = moment.hour if length == "hour" else 0
        kept[moment.year, moment.month, moment.day, hour] = event
    return list(kept.values())
