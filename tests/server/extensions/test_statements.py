"""Statements over HTTP: previewed, finalised once, compared, voided, and run."""

import json
from typing import Any

import pytest
import stripe

from tests.server.running import Server
from tests.server.usage import create_meter, now, unique

STATEMENTS = "/metering/v1/statements"


@pytest.fixture
def asked(client: stripe.StripeClient) -> dict[str, Any]:
    """What a statement of some usage is made of."""
    meter = create_meter(client)
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "product_data": {"name": "Tokens"},
            "unit_amount": 10,
            "recurring": {
                "interval": "month",
                "usage_type": "metered",
                "meter": meter.id,
            },
        }
    )
    customer = unique("cus")
    use(client, meter.event_name, customer, "2.5")
    return {
        "event_name": meter.event_name,
        "customer": customer,
        "prices": [price.id],
        "start_time": "2026-01-01T00:00:00.000001Z",
        "end_time": "2100-01-01T00:00:00Z",
        "at": now(),
    }


def use(
    client: stripe.StripeClient, event_name: str, customer: str, value: str
) -> None:
    client.v1.billing.meter_events.create(
        {
            "event_name": event_name,
            "payload": {"stripe_customer_id": customer, "value": value},
            "timestamp": now() - 60,
        }
    )


def ask(client: stripe.StripeClient, method: Any, path: str = "", **params: Any) -> Any:
    response = client.raw_request(method, f"{STATEMENTS}{path}", **params)
    return json.loads(response.body)


def test_a_statement_is_previewed_finalised_compared_and_voided(
    client: stripe.StripeClient, asked: dict[str, Any]
) -> None:
    event_name, statement_id = asked.pop("event_name"), unique("st")

    preview = ask(client, "post", "/preview", **asked)
    made = ask(client, "post", id=statement_id, **asked)
    use(client, event_name, asked["customer"], "1")
    again = ask(client, "post", id=statement_id, **asked)
    drift = ask(client, "get", f"/{statement_id}/drift")
    why = ask(client, "get", f"/{statement_id}/explanation")
    listed = ask(client, "get", customer=asked["customer"])
    void = ask(client, "post", f"/{statement_id}/void")

    assert preview["status"] == "preview"
    assert made["digest"] == preview["digest"]
    assert made["period_start"] == "2026-01-01T00:00:00.000001Z"
    [line] = made["lines"]
    assert (line["quantity"], line["amount"], made["amount_due"]) == ("2.5", 25, 25)
    assert again == made
    assert listed == {
        "object": "list",
        "data": [made],
        "has_more": False,
        "url": STATEMENTS,
    }
    assert (why["value"], why["adds_up"]) == (25, True)
    assert why["parts"][0]["quantity"]["event_count"] == 1
    assert drift["object"] == "metering.statement_drift"
    assert (drift["statement"], drift["amount_change"]) == (statement_id, 10)
    assert drift["lines"][0]["quantity_change"] == "1"
    assert [(each["kind"], each["value"]) for each in drift["causes"]] == [
        ("event", "1")
    ]
    assert void["status"] == "void"
    assert ask(client, "get", f"/{statement_id}") == void


def test_a_run_states_what_has_ended(
    server: Server, client: stripe.StripeClient, asked: dict[str, Any]
) -> None:
    with server.store() as store:
        subscription = store.subscriptions.create(
            customer=asked["customer"],
            items=[{"price": price} for price in asked["prices"]],
            backdate_start_date=now() - 40 * 86_400,
        )

    made = ask(client, "post", "/run", period_end=now(), customers=[asked["customer"]])
    again = ask(client, "post", "/run", period_end=now(), customers=[asked["customer"]])
    [stated] = ask(client, "get", subscription=subscription.id)["data"]

    assert (made["finalized"], made["rejected"], made["rejections"]) == (1, 0, [])
    assert (again["finalized"], again["repeated"]) == (0, 1)
    assert stated["subscription"] == subscription.id


def test_what_breaks_a_rule_is_refused(
    client: stripe.StripeClient, asked: dict[str, Any]
) -> None:
    del asked["event_name"], asked["at"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        ask(client, "post", "/preview", **asked)

    error = refusal.value
    assert (error.code, error.param, error.http_status) == (
        "period_not_ended",
        "at",
        400,
    )
