"""A year is rehearsed on a test clock by Stripe's own client, over HTTP."""

from typing import Any

import pytest
import stripe

from tests.metering.test_clocks.rehearsed import ALERTED, METERED_SCOPE, TABLE, first_of
from tests.metering.usual_credits import METERED, money
from tests.server.running import Server
from tests.server.usage import create_meter, unique


def second(month: int) -> int:
    """The first second of a month of 2026, or of the next January."""
    return int(first_of(month).timestamp())


def test_a_clock_has_the_shape_of_the_reference(client: stripe.StripeClient) -> None:
    clocks = client.v1.test_helpers.test_clocks

    made = clocks.create({"frozen_time": second(1), "name": "a"})

    assert made.frozen_time == second(1)
    assert made.deletes_after - made.created == 30 * 86_400
    assert made.to_dict() == clocks.retrieve(made.id).to_dict()
    assert made.id in [each.id for each in clocks.list().data]
    deleted = clocks.delete(made.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (
        made.id,
        "test_helpers.test_clock",
        True,
    )
    with pytest.raises(stripe.InvalidRequestError) as gone:
        clocks.retrieve(made.id)
    assert gone.value.http_status == 404


def test_a_clock_is_expanded_in_what_lives_by_it(client: stripe.StripeClient) -> None:
    v1 = client.v1
    clock = v1.test_helpers.test_clocks.create({"frozen_time": second(1)})
    customer = v1.customers.create({"test_clock": clock.id})
    granted: Any = {
        "customer": customer.id,
        "amount": money(1),
        "applicability_config": METERED,
        "category": "paid",
    }
    grant = v1.billing.credit_grants.create(granted)

    wanted: Any = {"expand": ["test_clock"]}
    for shown in (
        v1.customers.retrieve(customer.id, wanted),
        v1.billing.credit_grants.retrieve(grant.id, wanted),
    ):
        assert shown.to_dict()["test_clock"]["id"] == clock.id


def test_an_update_takes_no_clock(client: stripe.StripeClient) -> None:
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": second(1)})
    customer = client.v1.customers.create({"test_clock": clock.id})

    params: Any = {"test_clock": clock.id}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.customers.update(customer.id, params)
    assert "Received unknown parameter: test_clock" in str(refusal.value)


def subscribed(
    client: stripe.StripeClient, server: Server, customer: str, meter: str
) -> tuple[stripe.Subscription, str]:
    """A subscription to usage at 2 cents, credits each month, and a price of 3 cents."""
    recurring: Any = {"interval": "month", "usage_type": "metered", "meter": meter}
    cheap, dear = (
        client.v1.prices.create(
            {
                "currency": "usd",
                "unit_amount": amount,
                "product_data": {"name": "Calls"},
                "recurring": recurring,
            }
        ).id
        for amount in (2, 3)
    )
    made = client.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": cheap}]}
    )
    scheduled = server.post_json(
        "/metering/v1/credit_schedules",
        {
            "customer": customer,
            "amount": money(500),
            "interval": "month",
            "applicability_config": METERED,
            "expires_after": 2,
        },
    )
    assert scheduled.status == 200
    alert: Any = {
        "title": "Low",
        "alert_type": "credit_balance_threshold",
        "credit_balance_threshold": {
            "lte": {
                "balance_type": "monetary",
                "monetary": money(400)["monetary"],
            },
            "filters": [{"type": "customer", "customer": customer}],
        },
    }
    client.v1.billing.alerts.create(alert)
    return made, dear


def told_of(client: stripe.StripeClient, clock: str) -> tuple[list[int], list[str]]:
    """When alerts triggered, and what became of a clock, oldest first."""
    told = [*client.v1.events.list({"limit": 100}).auto_paging_iter()][::-1]
    triggered = [
        each.created for each in told if each.type == "billing.alert.triggered"
    ]
    of_clock = [
        each.type.rpartition(".")[2]
        for each in told
        if each.type.startswith("test_helpers.") and each.data.object["id"] == clock
    ]
    return triggered, of_clock


def test_a_year_is_rehearsed_month_by_month(
    client: stripe.StripeClient, server: Server
) -> None:
    """Usage, a recurring grant, an alert, another price and the end with a period: every number is in the table."""
    v1, event_name = client.v1, unique("calls")
    meter = create_meter(client, event_name=event_name).id
    clock = v1.test_helpers.test_clocks.create({"frozen_time": second(1)})
    customer = v1.customers.create({"name": "Ada", "test_clock": clock.id})
    assert (customer.created, customer.test_clock) == (second(1), clock.id)
    subscription, dear = subscribed(client, server, customer.id, meter)
    [item] = subscription["items"].data
    assert (item.current_period_start, item.current_period_end) == (
        second(1),
        second(2),
    )

    for month, expected in enumerate(TABLE, 1):
        for number in range(5):
            value = str(10 * month + number)
            payload = {"stripe_customer_id": customer.id, "value": value}
            v1.billing.meter_events.create(
                {"event_name": event_name, "payload": payload}
            )
        change: Any = {}
        if month == 6:
            change = {"items": [{"id": item.id, "price": dear}]}
        if month == 11:
            change = {"cancel_at_period_end": True}
        v1.subscriptions.update(subscription.id, change)
        moved = v1.test_helpers.test_clocks.advance(
            clock.id, {"frozen_time": second(month + 1)}
        )
        assert (moved.status, moved.frozen_time) == ("ready", second(month + 1))
        span = {"start_time": second(month), "end_time": second(month + 1)}
        asked: Any = {"customer": customer.id, **span}
        [summary] = v1.billing.meters.event_summaries.list(meter, asked).data
        assert summary.aggregated_value == expected.quantity
        stated = server.post_json(
            "/metering/v1/statements",
            {"id": unique("st"), "subscription": subscription.id, **span},
        ).json
        assert (stated["subtotal"], stated["amount_due"]) == (
            expected.subtotal,
            expected.due,
        )
        asked = {"customer": customer.id, "filter": METERED_SCOPE}
        [left] = v1.billing.credit_balance_summary.retrieve(asked).balances
        assert left.available_balance.monetary is not None
        assert left.available_balance.monetary.value == expected.left

    ended = v1.subscriptions.retrieve(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", second(12))
    assert v1.subscriptions.list({"test_clock": clock.id}).data == []
    with server.store() as store:
        store.catch_up()
    assert told_of(client, clock.id) == (
        [int(each.timestamp()) for each in ALERTED],
        ["created", *["advancing", "ready"] * 11],
    )
