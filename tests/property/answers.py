"""Own what a law compares: everything an engine answers, without the names it chose.

Meters go by their event names, because two stores of the same usage name their
meters differently; positions are left to the laws that speak of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import product

import metering
from tests.empty_stores import empty_store
from tests.oracles.usage import OracleMeter, Row, Span
from tests.property.operations import Grouping
from tests.property.sources import as_source
from tests.strategies import MICROSECOND, MIDNIGHT, START

Totals = dict[tuple[str, str, Span, str], list[tuple[Span, Decimal]]]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAYS: Span = (MIDNIGHT - 2 * DAY, MIDNIGHT + 3 * DAY)
ODD: Span = (MIDNIGHT - 1.5 * HOUR + MICROSECOND, MIDNIGHT + HOUR - MICROSECOND)
QUESTIONS: tuple[tuple[Span, Grouping], ...] = (
    (DAYS, ""),
    (DAYS, "hour"),
    (DAYS, "day"),
    (ODD, ""),
    (ODD, "hour"),
    (ODD, "day"),
)


@contextmanager
def store_of(
    meters: Iterable[OracleMeter],
    *batches: Sequence[Row],
    clock: metering.FixedClock | None = None,
) -> Iterator[metering.Metering]:
    """Open a store in memory, with these meters and batches of events."""
    clock = clock or metering.FixedClock(START)
    with empty_store(clock=clock) as store:
        for meter in meters:
            create_meter(store, meter)
        for batch in batches:
            ingest(store, batch)
        yield store


def create_meter(store: metering.Metering, meter: OracleMeter) -> metering.Meter:
    return store.meters.create(
        display_name=meter.event_name,
        event_name=meter.event_name,
        default_aggregation={"formula": meter.formula},  # type: ignore[typeddict-item]  # one of them
        customer_mapping={"event_payload_key": meter.customer_key, "type": "by_id"},
        value_settings={"event_payload_key": meter.value_key},
        event_time_window=meter.event_time_window,
    )


def ingest(store: metering.Metering, rows: Sequence[Row]) -> metering.IngestReceipt:
    return store.meter_events.ingest(as_source(rows, "dicts", ()), now=True)


def create(store: metering.Metering, row: Row) -> metering.MeterEvent:
    return store.meter_events.create(
        event_name=row.event_name,
        payload=dict(row.payload),
        identifier=row.identifier,
        timestamp=row.timestamp,
    )


def cancel(store: metering.Metering, row: Row) -> metering.MeterEventAdjustment:
    assert row.identifier is not None
    return store.meter_event_adjustments.create(
        event_name=row.event_name,
        type="cancel",
        cancel={"identifier": row.identifier},
    )


def totals(store: metering.Metering) -> Totals:
    """Every summary of every customer on every meter, for a set of windows.

    Customers without any summary but zeros are left out: nobody can tell a customer
    whose events were all cancelled from one who never sent any.
    """
    found: Totals = {}
    known = {meter.event_name: meter for meter in store.meters.list()}
    customers = {
        event.payload[known[event.event_name].customer_mapping.event_payload_key]
        for event in store.meter_events.list()
    }
    for name, customer, (span, grouping) in product(known, customers, QUESTIONS):
        answer = summaries(store, name, customer, span, grouping)
        if any(value for _, value in answer) or (answer and grouping):
            found[name, customer, span, grouping] = answer
    return found


def summaries(
    store: metering.Metering,
    event_name: str,
    customer: str,
    span: Span,
    grouping: Grouping = "",
) -> list[tuple[Span, Decimal]]:
    [meter] = [each for each in store.meters.list() if each.event_name == event_name]
    answer = store.meters.event_summaries(
        meter.id,
        customer=customer,
        start_time=span[0],
        end_time=span[1],
        value_grouping_window=grouping or None,
    )
    return [
        ((each.start_time, each.end_time), each.aggregated_value) for each in answer
    ]


def listing(store: metering.Metering) -> list[tuple[object, ...]]:
    """Every event in order of position, with all that the sender can know of it."""
    return [
        (
            event.position,
            event.event_name,
            event.identifier,
            event.timestamp,
            sorted(event.payload.items()),
            event.cancelled,
        )
        for event in store.meter_events.list()
    ]


def total(
    store: metering.Metering, event_name: str, customer: str, span: Span
) -> Decimal:
    [(answered, value)] = summaries(store, event_name, customer, span)
    assert answered == span
    return value


def key_of(known: Sequence[OracleMeter], row: Row) -> str:
    return next(m.customer_key for m in known if m.event_name == row.event_name)
