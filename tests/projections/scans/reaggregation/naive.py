"""Own the naive oracle of re-aggregation: events in a list, windows found by walking.

It must not know the product. A zone's windows are found by looking at its clocks every
few minutes; values are decimals; every rule is a loop.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Context, Decimal
from functools import cache
from zoneinfo import ZoneInfo

from tests.oracles.usage import parse_value

EXACT = Context(prec=200)
STEP = timedelta(minutes=15)
# Longer than a month, since a window may begin that much before what is walked.
LEAD = timedelta(days=35)
MOST = Decimal("9" * 26 + "." + "9" * 12)


@dataclass(frozen=True, kw_only=True)
class Event:
    position: int
    event_name: str
    customer: str
    timestamp: datetime
    value: Decimal | None = None
    payload: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Meter:
    """`key` is where the payload has the value; None is the event's own value."""

    id: str
    event_name: str
    formula: str
    event_time_window: str | None = None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    meters: Sequence[Meter]
    start: datetime
    end: datetime
    unit: str
    zone: str
    customers: frozenset[str] | None = None
    dimensions: Sequence[str] = ()
    filters: Mapping[str, frozenset[str]] = field(default_factory=dict)
    up_to: int = 10**9
    cancelled: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class NoAnswer:
    """Events that count have no number, at these positions, or a sum does not fit."""

    unreadable: set[int]
    is_too_large: bool


Row = tuple[object, ...]
"""Meter, customer, dimensions, start, end, value, count, event name."""
Group = tuple[str, tuple[str | None, ...], tuple[datetime, datetime]]


def recompute(asked: Asked, events: Sequence[Event]) -> list[Row] | NoAnswer:
    """Answer, as rows in the order of the answer's columns."""
    rows: list[Row] = []
    unreadable: set[int] = set()
    is_too_large = False
    for meter in sorted(asked.meters, key=lambda each: each.id.encode()):
        groups: dict[Group, list[Event]] = {}
        for event in counting(asked, meter, events):
            groups.setdefault(group_of(asked, event), []).append(event)
        unreadable |= {
            event.position
            for group in groups.values()
            for event in group
            if is_number_wanted(meter) and number_of(meter, event) is None
        }
        for (customer, texts, window), group in groups.items():
            value = aggregate(meter, group)
            is_too_large |= value.copy_abs() > MOST
            counted = *window, value, len(group), meter.event_name
            rows.append((meter.id, customer, *texts, *counted))
    if unreadable or is_too_large:
        return NoAnswer(unreadable=unreadable, is_too_large=is_too_large)
    width = 2 + len(asked.dimensions)
    return sorted(rows, key=lambda row: [sortable(each) for each in row[: width + 1]])


def counting(asked: Asked, meter: Meter, events: Sequence[Event]) -> list[Event]:
    ours = [
        event
        for event in events
        if event.event_name == meter.event_name
        and event.position <= asked.up_to
        and event.position not in asked.cancelled
    ]
    if meter.event_time_window is not None:
        survivors: dict[object, Event] = {}
        for event in sorted(ours, key=lambda each: each.position):
            hour = event.timestamp.replace(minute=0, second=0, microsecond=0)
            slot = hour if meter.event_time_window == "hour" else hour.replace(hour=0)
            survivors[event.customer, slot] = event
        ours = list(survivors.values())
    return [
        event
        for event in ours
        if asked.start <= event.timestamp < asked.end
        and (asked.customers is None or event.customer in asked.customers)
        and all(event.payload.get(k) in allowed for k, allowed in asked.filters.items())
        and (meter.key is None or meter.key in event.payload)
    ]


def group_of(asked: Asked, event: Event) -> Group:
    start, end = window_of(event.timestamp, asked.unit, asked.zone)
    window = max(start, asked.start), min(end, asked.end)
    texts = tuple(event.payload.get(key) for key in asked.dimensions)
    return event.customer, texts, window


def is_number_wanted(meter: Meter) -> bool:
    return meter.formula not in {"count", "unique_count"}


def number_of(meter: Meter, event: Event) -> Decimal | None:
    if meter.key is None:
        return event.value
    # As many as are stored: what lies in a payload was never checked as a value.
    return parse_value(event.payload[meter.key], integer_digits=26)


def aggregate(meter: Meter, events: list[Event]) -> Decimal:
    if meter.formula == "count":
        return Decimal(len(events))
    if meter.formula == "unique_count":
        texts = {e.value if meter.key is None else e.payload[meter.key] for e in events}
        return Decimal(len(texts))
    if meter.formula == "last":
        events = [max(events, key=lambda each: (each.timestamp, each.position))]
    numbers = [number_of(meter, event) or Decimal(0) for event in events]
    if meter.formula == "min":
        return min(numbers)
    if meter.formula == "max":
        return max(numbers)
    total = Decimal(0)
    for number in numbers:
        total = EXACT.add(total, number)
    if meter.formula == "avg":
        return half_even(total, len(events))
    return total


def half_even(total: Decimal, count: int) -> Decimal:
    """Divide by hand: try the numbers of 12 fraction digits next to the quotient."""
    units = int(EXACT.multiply(total, Decimal(10**12)))
    below = units // count
    distance = {each: abs(each * count - units) for each in (below, below + 1)}
    nearest = min(distance, key=lambda each: (distance[each], each % 2))
    return EXACT.divide(Decimal(nearest), Decimal(10**12))


def sortable(each: object) -> tuple[int, object]:
    if each is None:
        return 0, 0
    return 1, each.encode() if isinstance(each, str) else each


def window_of(moment: datetime, unit: str, zone: str) -> tuple[datetime, datetime]:
    """Find a window among those whose boundaries were met when walking."""
    # Boundaries lie at full minutes, whatever the zone.
    minute = moment.replace(second=0, microsecond=0)
    if unit == "minute":
        return minute, minute + timedelta(minutes=1)
    walked = boundaries(
        unit, zone, moment.astimezone(UTC).date() - LEAD, STEP, 2 * LEAD
    )
    start = max(each for each in walked if each <= moment)
    return start, min(each for each in walked if each > moment)


@cache
def boundaries(
    unit: str, zone: str, day: date, step: timedelta, length: timedelta
) -> list[datetime]:
    """Walk from a UTC midnight on, and note at which steps a window begins."""
    local_zone: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    found: list[datetime] = []
    reached: object = None
    for count in range(length // step):
        moment = begin + count * step
        local = moment.astimezone(local_zone)
        if unit in CLOCKS:
            label: object = local.utcoffset(), CLOCKS[unit](local)
            if label != reached:
                found.append(moment)
            reached = label
        else:
            first = FIRSTS[unit](local.date())
            # Clocks that go back over midnight do not begin an older day again.
            if reached is None or first > reached:  # type: ignore[operator]  # dates
                found.append(moment)
                reached = first
    return found[1:]


CLOCKS: dict[str, Callable[[datetime], datetime]] = {
    "minute": lambda local: local.replace(second=0, microsecond=0, tzinfo=None),
    "hour": lambda local: local.replace(minute=0, second=0, microsecond=0, tzinfo=None),
}
FIRSTS: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
}
