"""Alerts, by Stripe's own client."""

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import (
    ALERT,
    CREDIT_ALERT,
    SPEND_ALERT,
    check_shape,
    differences,
    list_of,
)
from tests.server.usage import create_alert, create_meter


def test_an_alert_is_created(client: stripe.StripeClient) -> None:
    meter = create_meter(client)

    alert = client.v1.billing.alerts.create(
        {
            "title": "API Request usage alert",
            "alert_type": "usage_threshold",
            "usage_threshold": {
                "gte": 10_000,
                "meter": meter.id,
                "recurrence": "one_time",
                "filters": [{"type": "customer", "customer": "cus_1"}],
            },
        }
    )

    plain = check_shape(alert, ALERT)
    assert plain["id"].startswith("alrt_")
    assert plain["status"] == "active"
    assert plain["title"] == "API Request usage alert"
    assert plain["usage_threshold"] == {
        "gte": 10_000,
        "meter": meter.id,
        "recurrence": "one_time",
        "filters": [{"type": "customer", "customer": "cus_1"}],
    }


def test_an_alert_for_everybody_has_no_filters(client: stripe.StripeClient) -> None:
    alert = create_alert(client, create_meter(client))

    assert check_shape(alert, ALERT)["usage_threshold"]["filters"] is None


def test_an_alert_may_watch_credits(server: Server) -> None:
    form = {
        "title": "Little left",
        "alert_type": "credit_balance_threshold",
        "credit_balance_threshold[lte][balance_type]": "monetary",
        "credit_balance_threshold[lte][monetary][currency]": "usd",
        "credit_balance_threshold[lte][monetary][value]": "500",
    }

    answered = server.ask("POST", "/v1/billing/alerts", form)

    assert differences(answered.json, CREDIT_ALERT) == []
    limit = answered.json["credit_balance_threshold"]["lte"]
    assert limit["monetary"] == {"currency": "usd", "value": 500}


def test_an_alert_may_watch_what_unbilled_usage_leaves(server: Server) -> None:
    form = {
        "title": "Little left",
        "alert_type": "credit_balance_threshold",
        "credit_balance_threshold[lte][balance_type]": "monetary",
        "credit_balance_threshold[lte][monetary][currency]": "usd",
        "credit_balance_threshold[lte][monetary][value]": "500",
        "credit_balance_threshold[include_unbilled_usage]": "true",
    }

    made = server.ask("POST", "/v1/billing/alerts", form)
    form["credit_balance_threshold[include_unbilled_usage]"] = "false"
    usual = server.ask("POST", "/v1/billing/alerts", form)

    assert made.json["credit_balance_threshold"]["include_unbilled_usage"] is True
    assert "include_unbilled_usage" not in usual.json["credit_balance_threshold"]


def test_an_alert_may_watch_spend(server: Server, client: stripe.StripeClient) -> None:
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "product_data": {"name": "Tokens"},
            "unit_amount": 10,
            "recurring": {
                "interval": "month",
                "usage_type": "metered",
                "meter": create_meter(client).id,
            },
        }
    )
    form = {
        "title": "Dear",
        "alert_type": "spend_threshold",
        "spend_threshold[gte]": "5000",
        "spend_threshold[currency]": "usd",
        "spend_threshold[prices][0]": price.id,
    }

    answered = server.ask("POST", "/v1/billing/alerts", form)

    assert differences(answered.json, SPEND_ALERT) == []
    listed = client.v1.billing.alerts.list({"limit": 1}).data[0]
    assert (listed.id, listed.usage_threshold) == (answered.json["id"], None)
    refused = {**form, "spend_threshold[currency]": "eur"}
    assert server.ask("POST", "/v1/billing/alerts", refused).status == 400


@pytest.mark.parametrize("spelling", ["filters[0][{}]", "filters[][{}]"])
def test_filters_come_indexed_or_in_empty_brackets(
    server: Server, client: stripe.StripeClient, spelling: str
) -> None:
    form = {
        "title": "Much",
        "alert_type": "usage_threshold",
        "usage_threshold[gte]": "10",
        "usage_threshold[meter]": create_meter(client).id,
        "usage_threshold[recurrence]": "one_time",
    }
    name, _, rest = spelling.partition("[")
    for key, value in (("type", "customer"), ("customer", "cus_1")):
        form[f"usage_threshold[{name}][{rest}".format(key)] = value

    answered = server.ask("POST", "/v1/billing/alerts", form)

    assert answered.status == 200, answered.body
    filters = answered.json["usage_threshold"]["filters"]
    assert filters == [{"type": "customer", "customer": "cus_1"}]


def test_an_alert_is_switched_off_and_on_and_archived(
    client: stripe.StripeClient,
) -> None:
    meter = create_meter(client)
    alert = create_alert(client, meter)
    alerts = client.v1.billing.alerts

    assert check_shape(alerts.deactivate(alert.id), ALERT)["status"] == "inactive"
    assert check_shape(alerts.activate(alert.id), ALERT)["status"] == "active"
    assert check_shape(alerts.archive(alert.id), ALERT)["status"] == "archived"
    assert check_shape(alerts.retrieve(alert.id), ALERT)["status"] == "archived"
    assert check_shape(alerts.list({"meter": meter.id}), list_of(ALERT))["data"] == []
