"""Usage that credits are to cover, over HTTP: checked, spent, and what it leaves."""

import pytest
import stripe

from tests.server.extensions.credits.test_credit_holds import raw
from tests.server.usage import create_grant, meter_form

V1 = "/metering/v1"


def test_usage_is_spent_once_and_only_where_credits_cover_it(
    client: stripe.StripeClient,
) -> None:
    customer = client.v1.customers.create({"name": "A customer"}).id
    meter = client.v1.billing.meters.create(meter_form())  # type: ignore[arg-type]  # a form
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 10,
            "recurring": {
                "interval": "month",
                "usage_type": "metered",
                "meter": meter.id,
            },
            "product_data": {"name": "Tokens"},
        }
    )
    client.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": price.id}]}
    )
    create_grant(client, customer)
    usage = {"customer": customer, "meter": meter.event_name}
    spent = {**usage, "identifier": "e_1", "quantity": "70.5"}

    allowed = raw(client, "post", f"{V1}/check", **usage, quantity="12.5")
    made = raw(client, "post", f"{V1}/spend", **spent)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        raw(client, "post", f"{V1}/spend", **{**spent, "identifier": "e_2"})
    again = raw(client, "post", f"{V1}/spend", **spent)
    left = raw(
        client,
        "get",
        f"{V1}/credit_balance_summary",
        customer=customer,
        include_unbilled_usage="true",
    )

    assert (allowed["allowed"], allowed["amount"]["monetary"]["value"]) == (True, 125)
    assert (made["object"], made["duplicate"]) == ("metering.meter_event", False)
    assert (refused.value.code, refused.value.param) == (
        "insufficient_credits",
        "quantity",
    )
    assert again == {**made, "duplicate": True}
    [balance] = left["balances"]
    assert balance["unbilled_usage"]["monetary"]["value"] == 705
    assert balance["available_balance"]["monetary"]["value"] == 295
