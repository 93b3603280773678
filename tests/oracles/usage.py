"""Own the naive oracle: what a metering engine must answer, in lists and loops.

It must not know the product, nor compute with what the product computes with. Every
accepted event, fact about a meter and first cancellation takes the next position.
Rules: https://docs.stripe.com/api/billing/meter and its neighbours, made exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, Rounded
from typing import Literal

EXACT = Context(prec=5000, traps=[Inexact, Rounded, InvalidOperation, Overflow])
Span = tuple[datetime, datetime]
EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, kw_only=True)
class Row:
    """An event as its sender writes it; without a timestamp it means now."""

    event_name: str
    payload: Mapping[str, str | float | Decimal]
    identifier: str | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Accepted; duplicate, or conflict, with a position; rejected by one of the names."""

    kind: str
    position: int = 0
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class OracleMeter:
    event_name: str
    formula: str
    customer_key: str = "stripe_customer_id"
    value_key: str = "value"
    event_time_window: Literal["day", "hour"] | None = None


@dataclass(kw_only=True)
class OracleEvent:
    """An accepted event; its value is 1 where events are counted.

    `payload` holds what is neither customer nor value.
    """

    position: int
    event_name: str
    identifier: str | None
    customer: str
    timestamp: datetime
    value: Decimal
    payload: dict[str, str]
    cancelled: bool = False


OF_THE_MOMENT = {"timestamp_in_future", "timestamp_too_far_in_past", "archived_meter"}


@dataclass(kw_only=True)
class Oracle:
    """Everything that happened, in order; saying False or None, nothing happens."""

    position: int = 0
    meters: dict[str, OracleMeter] = field(default_factory=dict)
    inactive: set[str] = field(default_factory=set)
    accepted: list[OracleEvent] = field(default_factory=list)

    def create_meter(self, meter: OracleMeter) -> bool:
        if meter.event_name in self.meters:
            return False
        self.meters[meter.event_name] = meter
        self.position += 1
        return True

    def set_active(self, event_name: str, *, active: bool) -> bool:
        if active == (event_name not in self.inactive):
            return False
        self.inactive ^= {event_name}
        self.position += 1
        return True

    def among_many(self, row: Row) -> Row:
        """The row as it is recorded among many: without labels that cannot be kept."""
        meter = self.meters.get(row.event_name)
        if meter is None:
            return row
        strict = {meter.customer_key}
        if meter.formula != "count":
            strict.add(meter.value_key)
        kept = {
            key: value
            for key, value in row.payload.items()
            if key in strict
            or not broken_text_rules(Row(event_name="", payload={key: value}))
        }
        return replace(row, payload=kept)

    def create_event(self, row: Row, now: datetime, *, backfill: bool) -> Outcome:
        codes = self._broken_rules(row, now, backfill=backfill)
        earlier = self.find(row.event_name, row.identifier)
        # It was new once, and is not judged by the clock and its meter's state again.
        is_repetition = earlier is not None and codes <= OF_THE_MOMENT
        if codes and not is_repetition:
            return Outcome(kind="rejected", names=frozenset(codes))
        event = self._read(row, now)
        if earlier is None:
            self.position += 1
            self.accepted.append(event)
            return Outcome(kind="accepted", position=event.position)
        fields = {"customer", "timestamp", "value", "payload"}
        if row.timestamp is None:
            # A retry that leaves the timestamp out cannot know the first "now".
            fields.remove("timestamp")
        names = {each for each in fields if vars(earlier)[each] != vars(event)[each]}
        kind = "conflict" if names else "duplicate"
        return Outcome(kind=kind, position=earlier.position, names=frozenset(names))

    def cancel(self, event_name: str, identifier: str) -> OracleEvent | None:
        event = self.find(event_name, identifier)
        if event is not None and not event.cancelled:
            event.cancelled = True
            self.position += 1
        return event

    def find(self, event_name: str, identifier: str | None) -> OracleEvent | None:
        for event in self.events(event_name):
            if identifier is not None and event.identifier == identifier:
                return event
        return None

    def events(
        self, event_name: str = "", customer: str = "", span: Span = EVER
    ) -> list[OracleEvent]:
        return [
            event
            for event in self.accepted
            if event_name in {"", event.event_name}
            if customer in {"", event.customer}
            if span[0] <= event.timestamp < span[1]
        ]

    def summaries(
        self, event_name: str, customer: str, span: Span, grouping: str, *, fill: bool
    ) -> list[tuple[Span, Decimal]]:
        meter, found = self.meters[event_name], []
        counting = self._counting(meter, customer)
        for start, end in windows(span, grouping):
            inside = [each for each in counting if start <= each.timestamp < end]
            if inside or fill or not grouping:
                found.append(((start, end), aggregate(meter.formula, inside)))
        return found[::-1]

    def _counting(self, meter: OracleMeter, customer: str) -> list[OracleEvent]:
        """The events that count: of each UTC hour or day perhaps only the latest."""
        survivors: dict[object, OracleEvent] = {}
        for event in self.events(meter.event_name, customer):
            window = meter.event_time_window
            if not event.cancelled:
                slot = floor(event.timestamp, window) if window else event.position
                survivors[slot] = event
        return list(survivors.values())

    def _read(self, row: Row, now: datetime) -> OracleEvent:
        meter, number = self.meters[row.event_name], Decimal(1)
        payload = {key: text_of(value) for key, value in row.payload.items()}
        if meter.formula != "count":
            number = parse_value(payload.pop(meter.value_key)) or Decimal(0)
        return OracleEvent(
            position=self.position + 1,
            event_name=row.event_name,
            identifier=row.identifier,
            customer=payload.pop(meter.customer_key),
            timestamp=row.timestamp or now,
            value=number,
            payload=payload,
        )

    def _broken_rules(self, row: Row, now: datetime, *, backfill: bool) -> set[str]:
        codes = broken_text_rules(row)
        timestamp = row.timestamp or now
        if timestamp > now + timedelta(minutes=5):
            codes.add("timestamp_in_future")
        if timestamp < now - timedelta(days=35) and not backfill:
            codes.add("timestamp_too_far_in_past")
        meter = self.meters.get(row.event_name)
        if meter is None:
            return codes | {"no_meter"}
        if row.event_name in self.inactive:
            codes.add("archived_meter")
        if str(row.payload.get(meter.customer_key, "")) == "":
            codes.add("meter_event_no_customer_defined")
        value = str(row.payload.get(meter.value_key, ""))
        if meter.formula != "count" and parse_value(value) is None:
            codes.add("meter_event_invalid_value")
        return codes


def text_of(value: str | float | Decimal) -> str:
    if isinstance(value, float):
        value = Decimal(repr(value))
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def broken_text_rules(row: Row) -> set[str]:
    names = [row.event_name, row.identifier or "", *row.payload]
    values = [str(value) for value in row.payload.values()]
    codes = {"parameter_invalid_string_empty"} if row.identifier == "" else set()
    if any(len(name) > 100 for name in names) or any(len(v) > 500 for v in values):
        codes.add("parameter_too_long")
    for each in "".join(names + values):
        if each == "\0" or "\ud800" <= each <= "\udfff":
            codes.add("invalid_characters")
    return codes


def aggregate(formula: str, events: list[OracleEvent]) -> Decimal:
    """Add up, or take the latest; of equal timestamps the later event wins."""
    total, latest = Decimal(0), EVER[0]
    for event in events:
        if formula != "last":
            total = EXACT.add(total, event.value)
        elif event.timestamp >= latest:
            total, latest = event.value, event.timestamp
    return total


def floor(moment: datetime, window: str) -> datetime:
    moment = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return moment.replace(hour=0) if window == "day" else moment


def windows(span: Span, grouping: str) -> list[Span]:
    """The UTC hours or days that meet the span, clipped to it; or the span itself."""
    if not grouping:
        return [span]
    step = timedelta(hours=24 if grouping == "day" else 1)
    found, edge = [], floor(span[0], grouping)
    while edge < span[1]:
        found.append((max(edge, span[0]), min(edge + step, span[1])))
        edge += step
    return found


def parse_value(text: str, *, integer_digits: int = 18) -> Decimal | None:
    """Read `-?digits[.digits][e[+-]digits]`; None if it is, or holds, anything else.

    At most so many digits before the point, 18 where an event is recorded, and 12 after;
    zeros that change nothing aside.
    """
    mantissa, mark, power = text.removeprefix("-").replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    sign = -1 if power.startswith("-") else 1
    power = power[1:] if power[:1] in {"+", "-"} else power
    for part in [whole] + [fraction] * bool(point) + [power] * bool(mark):
        if part == "" or any(each not in "0123456789" for each in part):
            return None
    digits = (whole + fraction).lstrip("0")
    before = len(digits) - len(fraction) + sign * int(power or 0)
    digits = digits.rstrip("0")
    after = len(digits) - before
    if digits == "":
        return Decimal(0)
    if before > integer_digits or after > 12:
        return None
    return Decimal((text[0] == "-", tuple(int(each) for each in digits), -after))
