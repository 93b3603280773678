"""Usage records that are refused, each for one reason that is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import metering
from tests.conftest import Connect
from tests.metering.refusals import refused
from tests.metering.subscriptions.usual_subscriptions import (
    licensed_price,
    metered_price,
)
from tests.metering.usage_records.usual_records import item_of, recorded_price
from tests.metering.usual_prices import create_price
from tests.metering.usual_usage import NOW

SECOND = timedelta(seconds=1)
APRIL = datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_what_no_record_is_is_refused(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))
    record = m.subscription_items.create_usage_record
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10**18}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": 1, "action": "replace"}, "action"),
        ({"quantity": 1, "timestamp": "yesterday"}, "timestamp"),
        ({"quantity": 1, "identifier": ""}, "identifier"),
    ]

    for given, param in wrong:
        with refused(None, param):
            record(item, **given)

    with refused("resource_missing", "id", kind=metering.ResourceMissingError):
        record("si_none", quantity=1)
    assert list(m.meter_events.list()) == []


def test_times_that_are_not_to_be_billed_are_refused(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item, peak = item_of(m, recorded_price(m)), item_of(m, recorded_price(m, "max"))
    record = m.subscription_items.create_usage_record
    record(item, quantity=1, timestamp=NOW + timedelta(minutes=5))

    with refused("timestamp_in_future", "timestamp", "5 minutes"):
        record(item, quantity=1, timestamp=NOW + timedelta(minutes=5) + SECOND)
    with refused("timestamp_too_early", "timestamp", "current period start time"):
        record(item, quantity=1, timestamp=NOW - SECOND)
    clock.set(APRIL)
    with refused("timestamp_too_early", "timestamp"):
        record(peak, quantity=1, timestamp=APRIL - SECOND)
    clock.set(APRIL + timedelta(minutes=5))
    with refused("timestamp_too_early", "timestamp"):
        record(item, quantity=1, timestamp=APRIL - SECOND)


def test_an_item_that_is_not_billed_by_records_says_what_to_do(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    wrong = [(licensed_price(m), "give the item a quantity")]
    wrong += [(metered_price(m), "send meter events")]

    for price, instead in wrong:
        item = item_of(m, price)
        with refused("subscription_item_not_of_records", "id", instead):
            m.subscription_items.create_usage_record(item, quantity=1)
        with refused("subscription_item_not_of_records", "id", instead):
            m.subscription_items.list_usage_record_summaries(item)


def test_nothing_is_recorded_of_what_ended_or_is_paused(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    price = recorded_price(m)
    canceled, paused, deleted = (item_of(m, price) for _ in range(3))
    record = m.subscription_items.create_usage_record
    of = {
        each: m.subscription_items.retrieve(each).subscription
        for each in (canceled, paused, deleted)
    }
    m.subscription_items.create(subscription=of[deleted], price=recorded_price(m).id)
    clock.advance(SECOND)

    m.subscriptions.cancel(of[canceled])
    m.subscriptions.pause(of[paused])
    m.subscription_items.delete(deleted)

    with refused("subscription_canceled", "id", "has been canceled."):
        record(canceled, quantity=1)
    with refused("subscription_paused", "timestamp", "resume"):
        record(paused, quantity=1)
    record(paused, quantity=1, timestamp=NOW)
    with refused("resource_missing", "id", kind=metering.ResourceMissingError):
        record(deleted, quantity=1)


def test_a_price_has_a_meter_or_records(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    meter = metered_price(m).recurring
    assert meter is not None
    param = "recurring[aggregate_usage]"

    with refused(None, param):
        recorded_price(m, meter=meter.meter)
    with refused(None, param):
        recorded_price(m, usage_type="licensed")
    with refused(None, param):
        recorded_price(m, "min")
    with refused(None, None, "must be backed by meters."):
        create_price(m, recurring={"interval": "month", "usage_type": "metered"})
    item = item_of(m, recorded_price(m))
    with refused(None, "price", "usage records"):
        m.subscription_items.update(item, price=licensed_price(m).id)
    with refused(None, "prices[0]"):
        m.statements.preview(
            customer="cus_1",
            prices=[recorded_price(m).id],
            start_time=NOW - timedelta(days=1),
            end_time=NOW,
        )


def test_a_name_of_records_that_is_anothers_is_said(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    m.meters.create(
        display_name="mine",
        event_name="usage_record.set",
        default_aggregation={"formula": "count"},
    )

    with refused("event_name_taken", "recurring[aggregate_usage]", "usage_record.set"):
        recorded_price(m)


def test_an_inactive_meter_of_records_takes_none(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))
    for each in m.meters.list():
        m.meters.deactivate(each.id)

    with refused("meter_inactive", None, "reactivate"):
        m.subscription_items.create_usage_record(item, quantity=1)


def test_a_line_of_records_is_not_explained(
    connect: Connect, clock: metering.FixedClock
) -> None:
    m = connect(clock=clock)
    item = item_of(m, recorded_price(m))
    clock.advance(SECOND)
    [line] = m.statements.preview(
        subscription=m.subscription_items.retrieve(item).subscription
    ).lines

    with refused("figure_not_of_usage", "figure", "for its subscription item"):
        m.explain(line)
