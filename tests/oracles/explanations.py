"""Own the naive oracle of explanations: which events count, and why the others do not.

It must not know the product, nor compute with what the product computes with.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from tests.oracles.usage import EXACT, Span

HOURS = {"hour": timedelta(hours=1), "day": timedelta(hours=24)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class Told:
    """A recorded event, and what happened to it; its value is the string as it was sent."""

    position: int
    recorded_at: datetime
    identifier: str
    meter: str
    customer: str
    timestamp: datetime
    value: str
    cancelled_by: int | None = None
    cancelled_at: datetime | None = None


@dataclass(kw_only=True)
class Asked:
    """The events of one customer on one meter, in a span, as known at a position."""

    formula: str
    window: str | None
    events: list[Told]
    span: Span
    position: int

    def is_inside(self, event: Told) -> bool:
        return self.span[0] <= event.timestamp < self.span[1]

    def is_cancelled(self, event: Told) -> bool:
        return event.cancelled_by is not None and event.cancelled_by <= self.position

    def window_of(self, event: Told) -> object:
        if self.window is None:
            return event.position
        return (event.timestamp - EPOCH) // HOURS[self.window]

    def survivors(self) -> dict[object, Told]:
        """Of each window the event that was recorded last."""
        found: dict[object, Told] = {}
        for event in sorted(self.events, key=lambda each: each.position):
            if event.position <= self.position and not self.is_cancelled(event):
                found[self.window_of(event)] = event
        return found

    def counted(self) -> list[Told]:
        found = [each for each in self.survivors().values() if self.is_inside(each)]
        if self.formula == "last" and found:
            found = [max(found, key=lambda each: (each.timestamp, each.position))]
        return sorted(found, key=lambda each: each.position)

    def not_counted(self, beside: timedelta) -> list[tuple[int, str, int | None]]:
        """Position, reason and what is to blame of every other event that is near."""
        low, high = self.span[0] - beside, self.span[1] + beside
        if self.window is not None:
            length = HOURS[self.window]
            first = EPOCH + (self.span[0] - EPOCH) // length * length
            last = EPOCH - (EPOCH - self.span[1]) // length * length
            low, high = min(low, first), max(high, last)
        counted = self.counted()
        found = []
        for event in self.events:
            if event in counted or not low <= event.timestamp < high:
                continue
            reason, by = self._why(event, counted)
            found.append((event.position, reason, by))
        return sorted(found)

    def _why(self, event: Told, counted: list[Told]) -> tuple[str, int | None]:
        if not self.is_inside(event):
            return "outside", None
        if event.position > self.position:
            return "later", None
        if self.is_cancelled(event):
            return "cancelled", event.cancelled_by
        stands = self.survivors()[self.window_of(event)]
        if stands is event:
            [stands] = counted
        return "replaced", stands.position

    def value(self) -> Decimal:
        events = self.counted()
        if not events:
            return Decimal(0)
        if self.formula == "count":
            return Decimal(len(events))
        if self.formula == "unique_count":
            return Decimal(len({each.value for each in events}))
        values = [Fraction(each.value) for each in events]
        found = {
            "sum": sum(values),
            "last": values[-1],
            "min": min(values),
            "max": max(values),
            "avg": Fraction(sum(values), len(values)),
        }[self.formula]
        # Python rounds a half to the even one.
        return Decimal(round(found * 10**12)).scaleb(-12, context=EXACT)

    def late(self, after: int) -> list[tuple[str, int, int]]:
        """Kind and position of each entry that came later, and its event's position."""
        found = []
        for event in self.events:
            if not self.is_inside(event):
                continue
            if after < event.position <= self.position:
                found.append(("event", event.position, event.position))
            if event.cancelled_by and after < event.cancelled_by <= self.position:
                found.append(("cancellation", event.cancelled_by, event.position))
        return sorted(found, key=lambda each: (each[2], each[1]))
