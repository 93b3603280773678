"""An invoice is previewed by Stripe's own client, as its guide to usage-based billing does."""

import json
from decimal import Decimal
from typing import Any

import pytest
import stripe

from tests.server.shapes import differences, list_of
from tests.server.usage import create_grant, create_meter, now, unique

PRETAX = {
    "amount": int,
    "credit_balance_transaction": None,
    "discount": None,
    "type": "credit_balance_transaction",
}
ABSENT = {
    "OBJECT_NAME",
    "confirmation_secret",
    "deleted",
    "payments",
    "status_details",
}
"""What Stripe's invoices have only where it is expanded, or not before they are final."""
LINE: Any = {
    "id": str,
    "object": "line_item",
    "amount": int,
    "currency": "usd",
    "description": str,
    "discount_amounts": [],
    "discountable": bool,
    "discounts": [],
    "invoice": None,
    "livemode": False,
    "metadata": dict,
    "parent": {
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": False,
            "proration_details": None,
            "subscription": str,
            "subscription_item": str,
        },
        "type": "subscription_item_details",
    },
    "period": {"end": int, "start": int},
    "pretax_credit_amounts": [PRETAX],
    "pricing": {
        "price_details": {"price": str, "product": str},
        "type": "price_details",
        "unit_amount_decimal": (str, None),
    },
    "quantity": int,
    "quantity_decimal": str,
    "subscription": str,
    "subtotal": int,
    "taxes": [],
}


def test_a_guide_leads_from_a_product_to_an_invoice(
    client: stripe.StripeClient,
) -> None:
    customer = client.v1.customers.create({"name": "Ada"})
    meter = create_meter(client)
    product = client.v1.products.create({"name": "Tokens"})
    recurring: Any = {
        "interval": "month",
        "usage_type": "metered",
        "meter": meter.id,
    }
    plain = client.v1.prices.create(
        {
            "currency": "usd",
            "product": product.id,
            "unit_amount_decimal": Decimal("0.05"),
            "recurring": recurring,
        }
    )
    graduated = client.v1.prices.create(
        {
            "currency": "usd",
            "product": product.id,
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [
                {"up_to": 100, "unit_amount": 0},
                {"up_to": "inf", "unit_amount": 2},
            ],
            "recurring": recurring,
        }
    )
    create_grant(client, customer.id)
    subscription = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": plain.id}, {"price": graduated.id}],
            "metadata": {"team": "ai"},
        }
    )
    client.v1.billing.meter_events.create(
        {
            "event_name": meter.event_name,
            "payload": {"stripe_customer_id": customer.id, "value": "700"},
            "timestamp": now(),
        }
    )

    invoice = client.v1.invoices.create_preview({"subscription": subscription.id})
    by_customer = client.v1.invoices.create_preview({"customer": customer.id})

    assert by_customer.lines == invoice.lines
    assert invoice.id
    assert invoice.id.startswith("upcoming_in")
    assert (invoice.status, invoice.billing_reason) == ("draft", "upcoming")
    assert invoice.parent
    assert invoice.parent.subscription_details
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert invoice.last_response
    body = json.loads(str(invoice.last_response.body), parse_float=Decimal)
    assert differences(body["lines"], list_of(LINE)) == []
    assert set(stripe.Invoice.__annotations__) - ABSENT == set(body)
    data = body["lines"]["data"]
    [free, charged, cheap] = data
    assert [(each["quantity"], each["amount"]) for each in data] == [
        (100, 0),
        (600, 1_200),
        (700, 35),
    ]
    assert [each["description"] for each in data] == [
        "100 × Tokens (Tier 1 at $0.00 / month)",  # noqa: RUF001  # Stripe's sign
        "600 × Tokens (Tier 2 at $0.02 / month)",  # noqa: RUF001  # the same
        "700 × Tokens (at $0.0005 / month)",  # noqa: RUF001  # the same
    ]
    items = subscription["items"].data
    assert free["parent"]["subscription_item_details"]["subscription_item"] in {
        each.id for each in items
    }
    assert charged["period"] == {
        "start": items[0].current_period_start,
        "end": items[0].current_period_end,
    }
    assert cheap["pricing"]["unit_amount_decimal"] == "0.05"
    assert [each["amount"] for each in charged["pretax_credit_amounts"]] == [1_000]
    assert invoice.subtotal == 1_235
    assert invoice.amount_due == invoice.total == 235
    assert invoice.total_pretax_credit_amounts
    assert [each.amount for each in invoice.total_pretax_credit_amounts] == [1_000]


def test_what_has_no_invoice_is_refused(client: stripe.StripeClient) -> None:
    for given, code, param in (
        ({}, "parameter_missing", "customer"),
        ({"subscription": "sub_x"}, "resource_missing", "subscription"),
        ({"customer": unique("cus")}, "invoice_upcoming_none", None),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            client.v1.invoices.create_preview(given)  # type: ignore[arg-type]  # as wrong as said
        assert (refusal.value.code, refusal.value.param) == (code, param)
