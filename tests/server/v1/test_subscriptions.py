"""Customers and subscriptions, by Stripe's own client."""

from typing import Any

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import PRODUCT, check_shape, list_of
from tests.server.subscription_shapes import (
    CUSTOMER,
    LICENSED_ITEM,
    METERED_ITEM,
    PLAN,
    SUBSCRIPTION,
)
from tests.server.usage import create_meter, now, unique

DAY = 86_400


@pytest.fixture(scope="module")
def prices(client: stripe.StripeClient) -> dict[str, str]:
    """A metered price, one of the same meter, and a licensed one."""
    meter = create_meter(client)
    recurring: Any = {"interval": "month", "usage_type": "metered", "meter": meter.id}
    made = {}
    for name, terms in [
        ("tokens", recurring),
        ("more tokens", recurring),
        ("seats", {"interval": "year"}),
    ]:
        price: Any = {
            "currency": "usd",
            "unit_amount": 10,
            "product_data": {"name": name},
            "recurring": terms,
        }
        made[name] = client.v1.prices.create(price).id
    return made


@pytest.fixture(scope="module")
def customer(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"name": "Ada"})


def subscribe(
    client: stripe.StripeClient, customer: stripe.Customer, *prices: str, **given: Any
) -> stripe.Subscription:
    items = [{"price": each} for each in prices]
    params: Any = {"customer": customer.id, "items": items, **given}
    return client.v1.subscriptions.create(params)


def test_usage_is_billed_as_the_guide_of_stripe_says(
    client: stripe.StripeClient,
) -> None:
    meter = create_meter(client)
    product = client.v1.products.create({"name": "Alpaca AI tokens"})
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 4,
            "billing_scheme": "per_unit",
            "transform_quantity": {"divide_by": 1000, "round": "up"},
            "recurring": {
                "usage_type": "metered",
                "interval": "month",
                "meter": meter.id,
            },
            "product": product.id,
        }
    )
    customer = client.v1.customers.create({"name": "Ada", "email": "ada@example.com"})
    made = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price.id}],
            "billing_mode": {"type": "flexible"},
            "expand": ["latest_invoice.confirmation_secret", "customer"],
        }
    )
    client.v1.billing.meter_events.create(
        {
            "event_name": meter.event_name,
            "payload": {"value": "25", "stripe_customer_id": customer.id},
        }
    )

    plain = check_shape(made, {**SUBSCRIPTION, "customer": CUSTOMER})
    assert (plain["status"], plain["currency"]) == ("active", "usd")
    [item] = plain["items"]["data"]
    assert (item["price"]["id"], item["plan"]["meter"]) == (price.id, meter.id)
    assert item["current_period_start"] == plain["start_date"]
    assert plain["billing_cycle_anchor"] == plain["start_date"]
    assert 28 * DAY <= item["current_period_end"] - plain["start_date"] <= 31 * DAY
    summaries = client.v1.billing.meters.event_summaries.list(
        meter.id,
        {
            "customer": customer.id,
            "start_time": plain["start_date"] // 60 * 60,
            "end_time": plain["start_date"] // 60 * 60 + 3_600,
        },
    )
    assert [each.aggregated_value for each in summaries.data] == [25]
    canceled = client.v1.subscriptions.cancel(made.id)
    assert check_shape(canceled, SUBSCRIPTION)["status"] == "canceled"


def test_a_customer_is_created_changed_listed_and_deleted(
    client: stripe.StripeClient,
) -> None:
    email = f"{unique()}@example.com"
    address: Any = {"city": "Ulm", "country": "DE"}
    made = client.v1.customers.create(
        {
            "name": "Ada",
            "email": email,
            "address": address,
            "shipping": {"name": "Ada", "address": address},
            "preferred_locales": ["de"],
            "metadata": {"team": "ai"},
        }
    )

    plain = check_shape(made, CUSTOMER)
    assert plain["address"]["city"] == "Ulm"
    changed = client.v1.customers.update(
        made.id, {"address": "", "metadata": {"team": ""}, "tax_exempt": "exempt"}
    )
    plain = check_shape(changed, CUSTOMER)
    assert (plain["address"], plain["metadata"]) == (None, {})
    listed = client.v1.customers.list({"email": email, "created": {"lte": now()}})
    [found] = check_shape(listed, list_of(CUSTOMER))["data"]
    assert found["id"] == made.id
    gone = {"id": made.id, "object": "customer", "deleted": True}
    assert client.v1.customers.delete(made.id).to_dict() == gone
    assert client.v1.customers.retrieve(made.id).to_dict() == gone


def test_a_subscription_is_changed_paused_and_ended(
    client: stripe.StripeClient, customer: stripe.Customer, prices: dict[str, str]
) -> None:
    made = subscribe(
        client,
        customer,
        prices["tokens"],
        prices["seats"],
        trial_end=now() + DAY,
        expand=["items.data.price.product"],
    )

    priced = {**METERED_ITEM["price"], "product": PRODUCT}  # type: ignore[dict-item]  # a shape
    shown = {**LICENSED_ITEM, "price": priced}, {**METERED_ITEM, "price": priced}
    items = {**SUBSCRIPTION["items"], "data": [shown]}  # type: ignore[dict-item]  # a shape
    plain = check_shape(made, {**SUBSCRIPTION, "items": items})
    assert (plain["status"], plain["trial_end"] - now() > DAY - 60) == (
        "trialing",
        True,
    )
    tokens, seats = plain["items"]["data"]
    assert (seats["quantity"], tokens.get("quantity")) == (1, None)
    changed = client.v1.subscriptions.update(
        made.id,
        {
            "items": [
                {"id": seats["id"], "quantity": 3},
                {"id": tokens["id"], "price": prices["more tokens"]},
            ],
            "trial_end": "now",
            "cancel_at_period_end": True,
            "proration_behavior": "none",
        },
    )
    plain = check_shape(changed, SUBSCRIPTION)
    tokens, seats = plain["items"]["data"]
    assert (plain["status"], seats["quantity"]) == ("active", 3)
    assert plain["cancel_at"] == tokens["current_period_end"]
    assert tokens["price"]["id"] == prices["more tokens"]
    kept = client.v1.subscriptions.update(made.id, {"cancel_at": ""})
    assert (kept.cancel_at, kept.cancel_at_period_end) == (None, False)
    paused = client.v1.subscriptions.pause(made.id)
    assert check_shape(paused, SUBSCRIPTION)["status"] == "paused"
    resumed = client.v1.subscriptions.resume(
        made.id, {"billing_cycle_anchor": {"type": "unchanged"}}
    )
    assert check_shape(resumed, SUBSCRIPTION)["status"] == "active"
    ended = client.v1.subscriptions.cancel(
        made.id, {"cancellation_details": {"feedback": "other"}, "invoice_now": True}
    )
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.feedback == "other"
    listed = client.v1.subscriptions.list(
        {
            "customer": customer.id,
            "status": "canceled",
            "created": {"gte": made.created},
        }
    )
    assert made.id in [
        each["id"] for each in check_shape(listed, list_of(SUBSCRIPTION))["data"]
    ]


def test_items_are_created_changed_listed_and_deleted(
    client: stripe.StripeClient, customer: stripe.Customer, prices: dict[str, str]
) -> None:
    subscription = subscribe(client, customer, prices["tokens"])
    params: Any = {"subscription": subscription.id, "price": prices["seats"]}
    options: Any = {"idempotency_key": unique()}

    made = client.v1.subscription_items.create(params, options)

    plain = check_shape(made, LICENSED_ITEM)
    assert (plain["quantity"], plain["plan"]["interval"]) == (1, "year")
    assert PLAN.keys() == plain["plan"].keys()
    assert client.v1.subscription_items.create(params, options) == made
    changed = client.v1.subscription_items.update(made.id, {"quantity": 2})
    assert check_shape(changed, LICENSED_ITEM)["quantity"] == 2
    listed = client.v1.subscription_items.list({"subscription": subscription.id})
    found = check_shape(listed, list_of((METERED_ITEM, LICENSED_ITEM)))["data"]
    assert found[0]["id"] == made.id
    deleted = client.v1.subscription_items.delete(
        made.id, {"proration_behavior": "none"}
    )
    gone = {"id": made.id, "object": "subscription_item", "deleted": True}
    assert deleted.to_dict() == gone
    assert client.v1.subscription_items.retrieve(made.id).id == made.id
    assert len(client.v1.subscriptions.retrieve(subscription.id)["items"].data) == 1


REFUSED: list[tuple[str, str, int, str | None, str]] = [
    ("POST", "/v1/subscriptions?", 400, "customer", "No such customer: 'cus_x'"),
    (
        "POST",
        "/v1/subscription_items?subscription=sub_x",
        400,
        "subscription",
        "No such subscription: 'sub_x'",
    ),
    ("GET", "/v1/subscriptions/sub_x", 404, "id", "No such subscription: 'sub_x'"),
    ("DELETE", "/v1/subscriptions/sub_x", 404, "id", "No such subscription: 'sub_x'"),
    (
        "GET",
        "/v1/subscription_items/si_x",
        404,
        "id",
        "No such subscription_item: 'si_x'",
    ),
    ("GET", "/v1/subscription_items", 400, "subscription", "Missing required param"),
    ("GET", "/v1/customers/cus_x", 404, "id", "No such customer: 'cus_x'"),
    ("DELETE", "/v1/customers/cus_x", 404, "id", "No such customer: 'cus_x'"),
]


@pytest.mark.parametrize(
    ("method", "path", "status", "param", "message"), REFUSED, ids=str
)
def test_what_stripe_refuses_is_refused_alike(
    server: Server, method: str, path: str, status: int, param: str | None, message: str
) -> None:
    target, _, query = path.partition("?")
    body = ""
    if target.endswith("s") and method == "POST":
        items = "items[0][price]=price_x&customer=cus_x"
        body = f"{query}&price=price_x" if query else items

    answered = server.ask(method, target if body else path, body)

    assert answered.status == status
    assert answered.error["message"].startswith(message)
    assert answered.error.get("param") == param


def test_a_quantity_of_what_a_meter_counts_is_refused(
    client: stripe.StripeClient, customer: stripe.Customer, prices: dict[str, str]
) -> None:
    items: Any = [{"price": prices["tokens"], "quantity": 1}]

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        client.v1.subscriptions.create({"customer": customer.id, "items": items})

    assert refusal.value.param == "items[0][quantity]"
    assert refusal.value.user_message == (
        "Quantity should not be specified where usage_type is `metered`. Remove quantity"
        " from `items[0]`"
    )
