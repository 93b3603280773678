"""Usage records: quantities of items, added and replaced, by second and by period."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import metering
from tests.conftest import Connect
from tests.metering.usage_records.usual_records import item_of, recorded_price, usages
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import NOW, cancel_event

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
APRIL = datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_a_record_is_an_event_of_its_item(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))

    clock.advance(timedelta(microseconds=7))
    record = m.subscription_items.create_usage_record(item, quantity=3)

    assert (record.quantity, record.timestamp, record.action) == (3, NOW, "increment")
    [event] = m.meter_events.list(event_name=record.event_name, customer=item)
    assert (event.identifier, event.position) == (record.id, record.position)
    assert event.payload == {
        "subscription_item": item,
        "value": "3",
        "customer": "cus_1",
    }


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("sum", 15), ("max", 8), ("last_during_period", 2), ("last_ever", 2)],
)
def test_a_period_comes_to_what_its_price_says(
    connect: Connect, clock: metering.FixedClock, aggregate: str, expected: int
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m, aggregate))
    record = m.subscription_items.create_usage_record

    clock.advance(3 * HOUR)
    record(item, quantity=90, timestamp=NOW + HOUR)
    record(item, quantity=5, timestamp=NOW + HOUR, action="set")
    record(item, quantity=3, timestamp=NOW + HOUR)
    record(item, quantity=5, timestamp=NOW + HOUR + timedelta(seconds=1))
    record(item, quantity=2, timestamp=NOW + 2 * HOUR)
    if aggregate == "sum":
        m.seal()

    assert usages(m, item) == [expected]


def test_the_last_one_ever_may_be_of_an_earlier_period(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    ever, during = (
        item_of(m, recorded_price(m, each))
        for each in ("last_ever", "last_during_period")
    )
    for item in (ever, during):
        m.subscription_items.create_usage_record(item, quantity=4, action="set")

    clock.set(APRIL + 40 * DAY)

    assert usages(m, ever) == [4, 4, 4]
    assert usages(m, during) == [0, 0, 4]
    m.subscription_items.create_usage_record(ever, quantity=0, action="set")
    assert usages(m, ever) == [0, 4, 4]


def test_what_is_cancelled_was_never_there(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))
    record = m.subscription_items.create_usage_record
    first = record(item, quantity=3)
    replaced = record(item, quantity=7, action="set")
    record(item, quantity=2)
    assert usages(m, item) == [9]

    cancel_event(m, replaced.id, replaced.event_name)
    assert usages(m, item) == [5]

    cancel_event(m, first.id, first.event_name)
    assert usages(m, item) == [2]
    m.rebuild()
    assert usages(m, item) == [2]
    assert m.verify().ok


def test_items_of_one_price_are_told_apart(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    price = recorded_price(m)
    items = [item_of(m, price), item_of(m, price), item_of(m, price, "cus_2")]

    for quantity, item in enumerate(items, start=1):
        m.subscription_items.create_usage_record(item, quantity=quantity)

    assert [usages(m, item) for item in items] == [[1], [2], [3]]


def test_an_identifier_counts_once_also_when_its_period_is_over(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))
    asked: Any = {"quantity": 3, "identifier": "job-1", "timestamp": NOW}
    first = m.subscription_items.create_usage_record(item, **asked)
    clock.set(APRIL + 40 * DAY)

    again = m.subscription_items.create_usage_record(item, **asked)

    assert (again.id, again.position, again.duplicate) == (
        "job-1",
        first.position,
        True,
    )
    with pytest.raises(metering.IdentifierConflictError):
        m.subscription_items.create_usage_record(item, **{**asked, "quantity": 4})
    assert usages(m, item) == [0, 0, 3]


def test_a_summed_period_takes_records_for_five_minutes_more(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))
    late = APRIL - timedelta(seconds=1)
    clock.set(APRIL + timedelta(seconds=299))

    m.subscription_items.create_usage_record(item, quantity=3, timestamp=late)

    assert usages(m, item) == [0, 3]


def test_an_item_that_begins_within_a_second_takes_records_of_it(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    subscription = m.subscriptions.retrieve(
        m.subscription_items.retrieve(item_of(m, recorded_price(m))).subscription
    )
    clock.advance(timedelta(seconds=5, milliseconds=300))
    added = m.subscription_items.create(
        subscription=subscription.id, price=recorded_price(m).id
    )

    clock.advance(timedelta(milliseconds=100))
    m.subscription_items.create_usage_record(added.id, quantity=3)

    assert usages(m, added.id) == [3]


def test_statements_bill_records_and_draw_no_credits(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    grant(m, 1_000_000)
    item = item_of(m, recorded_price(m))
    subscription = m.subscription_items.retrieve(item).subscription
    m.subscription_items.create_usage_record(item, quantity=3)
    clock.set(APRIL)
    m.subscription_items.create_usage_record(item, quantity=4)

    m.statements.run(period_end=APRIL)

    [made] = m.statements.list(subscription=subscription)
    assert made.id is not None
    [line] = made.lines
    assert (line.quantity, line.amount, line.meter) == (Decimal(3), 30, None)
    assert (made.amount_due, made.credits) == (30, ())
    summaries = m.subscription_items.list_usage_record_summaries(item)
    assert [(each.total_usage, each.invoice) for each in summaries] == [
        (Decimal(4), None),
        (Decimal(3), made.id),
    ]
    assert summaries[1].period == metering.UsageRecordPeriod(start=NOW, end=APRIL)

    late = m.subscription_items.create_usage_record(
        item, quantity=9, timestamp=NOW, action="set"
    )

    drift = m.statements.drift(made.id)
    assert [each.quantity_now for each in drift.lines] == [9]
    assert drift.causes.column("identifier").to_pylist() == [late.id]


def test_summaries_are_listed_by_page_from_the_newest(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m, interval="day"))
    for quantity in range(5):
        m.subscription_items.create_usage_record(item, quantity=quantity)
        clock.advance(DAY)

    page = m.subscription_items.list_usage_record_summaries(item, limit=2)

    assert [each.total_usage for each in page] == [0, 4]
    assert [each.total_usage for each in page.auto_paging_iter()] == [0, 4, 3, 2, 1, 0]
    before = m.subscription_items.list_usage_record_summaries(
        item, ending_before=page[1].id
    )
    assert list(before) == [page[0]]


def test_a_price_of_records_replaces_only_another(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))
    m.subscription_items.create_usage_record(item, quantity=3)
    clock.advance(HOUR)
    m.subscription_items.update(item, price=recorded_price(m, "max").id)
    m.subscription_items.create_usage_record(item, quantity=4)
    clock.set(APRIL)

    stated = m.statements.preview(
        subscription=m.subscription_items.retrieve(item).subscription,
        start_time=NOW,
        end_time=APRIL,
    )

    assert [line.quantity for line in stated.lines] == [3, 4]
