"""Own the alerts of the fault tests, what must trigger, and processes that evaluate.

What must trigger is computed from the events as a store lists them.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import metering
from tests.faults.usage import open_store, table
from tests.faults.writing import Acknowledged
from tests.metering.usual_credits import apply, grant, line
from tests.metering.usual_prices import create_price, metered

THRESHOLDS = (200, 700, 1_000, 6_000)
SPEND = 1_401
"""In cents, of which each unit costs two."""
Triggered = tuple[int, str, int, Decimal]
"""A threshold, a customer, the position of the event, and the usage with it."""


def create_alerts(store: metering.Metering) -> None:
    (meter,) = store.meters.list()
    for gte in THRESHOLDS:
        store.alerts.create(
            title="An alert",
            usage_threshold={
                "gte": gte,
                "meter": meter.id,
                "recurrence": "one_time",
            },
        )
    price = create_price(store, recurring=metered(meter.id), unit_amount=2)
    store.alerts.create(
        title="An alert",
        alert_type="spend_threshold",
        spend_threshold={
            "gte": SPEND,
            "currency": "usd",
            "prices": [price.id],
            "recurrence": "one_time",
        },
    )


def assert_triggered_once(store: metering.Metering) -> int:
    """Check that all that must have triggered has, once; and say how much it is."""
    store.catch_up()
    position = store.position
    found: list[Triggered] = []
    for each in store.alerts.triggered():
        alert, at = each.alert, each.event_position
        threshold = alert.usage_threshold or alert.spend_threshold
        assert threshold is not None
        assert at is not None
        found.append((threshold.gte, each.customer, at, each.value))
    assert sorted(found) == sorted(_due(store))
    store.catch_up()
    assert store.position == position
    assert store.verify().problems == ()
    return len(found)


def _due(store: metering.Metering) -> list[Triggered]:
    due: list[Triggered] = []
    for gte in (*THRESHOLDS, SPEND):
        usage: dict[str, Decimal] = {}
        done = set()
        for event in store.meter_events.list():
            customer = event.payload["stripe_customer_id"]
            usage[customer] = usage.get(customer, Decimal(0))
            usage[customer] += Decimal(event.payload["value"])
            value = usage[customer]
            if gte == SPEND:
                value = (2 * value).to_integral_value(ROUND_HALF_UP)
            if value >= gte and customer not in done:
                done.add(customer)
                due.append((gte, customer, event.position, value))
    return due


def watch_credits(store: metering.Metering) -> None:
    monetary: Any = {"currency": "usd", "value": 500}
    for includes_usage in (False, True):
        store.alerts.create(
            title="An alert",
            alert_type="credit_balance_threshold",
            credit_balance_threshold={
                "lte": {"balance_type": "monetary", "monetary": monetary},
                "include_unbilled_usage": includes_usage,
            },
        )


def let_credits_fall(store: metering.Metering, customer: str) -> None:
    """Let credits fall to 400, and once they were topped up, to nothing."""
    for granted, billed in ((1_000, 600), (600, 1_000)):
        made = grant(store, granted, customer=customer)
        apply(
            store,
            f"in_{made.id}",
            line(billed),
            customer=customer,
            period_end=made.effective_at,
        )


def assert_credits_fell_once(
    store: metering.Metering, customers: Sequence[str]
) -> None:
    """Check that every fall of some customers has triggered both alerts, once."""
    store.catch_up()
    position = store.position
    found = [
        (each.customer, int(each.value))
        for each in store.alerts.triggered()
        if each.alert.credit_balance_threshold is not None
    ]
    assert sorted(found) == sorted(
        (customer, value) for customer in customers for value in (0, 0, 400, 400)
    )
    store.catch_up()
    assert store.position == position
    assert store.verify().problems == ()


def evaluate_and_write(
    target: str, numbers: Sequence[int], seed: int, pipe: Connection
) -> None:
    """Send events in their order, and between them evaluate, seal and make anew."""
    generator = Random(seed)
    with open_store(target) as store:
        rest = numbers
        while rest:
            size = generator.choice([1, 3, 20])
            part, rest = rest[:size], rest[size:]
            receipt = store.meter_events.ingest(table(part))
            pipe.send(
                Acknowledged(
                    numbers=part,
                    accepted=receipt.accepted,
                    duplicates=receipt.duplicates,
                )
            )
            deeds = (store.catch_up, store.catch_up, store.seal, store.rebuild)
            (deed,) = generator.choices(deeds, [4, 4, 1, 0.3])
            deed()
