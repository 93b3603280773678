"""Own a year of one subscription, as anybody lives it who can move a time."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import metering
from tests.metering.usual_credits import METERED, money

_OF_THE_STORE = ("test_helpers.", "billing.meter.", "product.", "price.")
METERED_SCOPE: Any = {
    "type": "applicability_scope",
    "applicability_scope": {"price_type": "metered"},
}


class Month(NamedTuple):
    """What a month comes to."""

    quantity: int
    subtotal: int
    due: int
    left: int


# 500 cents are granted each month and expire after two. The price rises in June from 2 to
# 3 cents, which the whole of June is billed at since it is changed before it begins.
TABLE = [
    Month(60, 120, 0, 880),
    Month(110, 220, 0, 780),
    Month(160, 320, 0, 680),
    Month(210, 420, 0, 580),
    Month(260, 520, 0, 480),
    Month(310, 930, 0, 50),
    Month(360, 1080, 530, 0),
    Month(410, 1230, 730, 0),
    Month(460, 1380, 880, 0),
    Month(510, 1530, 1030, 0),
    Month(560, 1680, 1180, 0),
]
ALERTED = [datetime(2026, month, 1, tzinfo=UTC) for month in range(7, 13)]
"""When credits fell to 400 cents: as the statements of June to November drew."""


def first_of(month: int) -> datetime:
    """The first instant of a month of 2026, or of the next January."""
    return datetime(2026 + month // 13, (month - 1) % 12 + 1, 1, tzinfo=UTC)


def begin(m: metering.Metering, customer: str) -> tuple[metering.Subscription, str]:
    """Subscribe a customer to usage at 2 cents, and return a price of 3 cents too."""
    meter = m.meters.ensure(
        display_name="Calls",
        event_name="calls",
        default_aggregation={"formula": "sum"},
    )
    cheap, dear = (
        m.prices.create(
            currency="usd",
            product_data={"name": "Calls"},
            unit_amount=amount,
            recurring={"interval": "month", "usage_type": "metered", "meter": meter.id},
        ).id
        for amount in (2, 3)
    )
    m.credit_schedules.create(
        customer=customer,
        amount=money(500),
        interval="month",
        applicability_config=METERED,
        expires_after=2,
    )
    m.alerts.create(
        title="Low",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {
                "balance_type": "monetary",
                "monetary": {"currency": "usd", "value": 400},
            },
            "filters": [{"type": "customer", "customer": customer}],
        },
    )
    subscription = m.subscriptions.create(customer=customer, items=[{"price": cheap}])
    return subscription, dear


def live(
    m: metering.Metering, customer: str, move: Callable[[datetime], object]
) -> list[Month]:
    """Live the year month by month, and return what each came to.

    Args:
        m: whose time is at the beginning of 2026 to the customer.
        customer: without anything so far.
        move: moves the time of the customer.
    """
    subscription, dear = begin(m, customer)
    months = []
    for month in range(1, 13):
        for number in range(5):
            value = str(10 * month + number)
            payload = {"stripe_customer_id": customer, "value": value}
            m.meter_events.create(event_name="calls", payload=payload)
        m.catch_up()
        if month == 6:
            item = subscription.items.data[0].id
            m.subscriptions.update(subscription.id, items=[{"id": item, "price": dear}])
        if month == 11:
            m.subscriptions.update(subscription.id, cancel_at_period_end=True)
        move(first_of(month + 1))
        m.catch_up()
        if month == 12:
            break
        statement = m.statements.finalize(
            id=f"st_{month}",
            subscription=subscription.id,
            start_time=first_of(month),
            end_time=first_of(month + 1),
        )
        m.catch_up()
        months.append(
            Month(
                int(sum((each.quantity for each in statement.lines), Decimal(0))),
                statement.subtotal,
                statement.amount_due,
                left(m, customer),
            )
        )
    return months


def left(m: metering.Metering, customer: str) -> int:
    """The credits that a customer can draw."""
    summary = m.credit_balance_summary.retrieve(customer=customer, filter=METERED_SCOPE)
    return sum(each.available_balance.monetary.value for each in summary.balances)


def told(m: metering.Metering) -> list[tuple[str, datetime]]:
    """The events of what belongs to customers, oldest first."""
    events = m.events.list(limit=100).auto_paging_iter()
    found = [
        (str(each.type), each.created)
        for each in events
        if not each.type.startswith(_OF_THE_STORE)
    ]
    return found[::-1]
