"""Own the ordinary things that these tests ask a server for."""

import uuid
from typing import Any

import stripe

import metering
from tests.server.running import Server

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def now() -> int:
    return int(metering.SystemClock().now().timestamp())


def unique(prefix: str = "name") -> str:
    return f"{prefix}_{uuid.uuid4().hex[:12]}"


def meter_form(**more: str) -> dict[str, str]:
    return {
        "display_name": "A meter",
        "event_name": unique("event"),
        "default_aggregation[formula]": "sum",
        **more,
    }


def event_form(event_name: str, **more: str) -> dict[str, str]:
    return {
        "event_name": event_name,
        "payload[stripe_customer_id]": "cus_1",
        "payload[value]": "1",
        **more,
    }


def grant_form(customer: str = "cus_1") -> dict[str, str]:
    return {
        "customer": customer,
        "amount[type]": "monetary",
        "amount[monetary][currency]": "usd",
        "amount[monetary][value]": "100",
        "applicability_config[scope][price_type]": "metered",
    }


def summed(client: stripe.StripeClient, meter: stripe.billing.Meter) -> float:
    """What the usage of cus_1 comes to, from yesterday to tomorrow."""
    today = now() // DAY * DAY
    params: Any = {
        "customer": "cus_1",
        "start_time": today - DAY,
        "end_time": today + 2 * DAY,
    }
    [summary] = client.v1.billing.meters.event_summaries.list(meter.id, params).data
    return summary.aggregated_value


def create_meter(
    client: stripe.StripeClient, formula: Any = "sum", **keywords: Any
) -> stripe.billing.Meter:
    params = {
        "display_name": "A meter",
        "event_name": unique("event"),
        "default_aggregation": {"formula": formula},
        **keywords,
    }
    return client.v1.billing.meters.create(params)  # type: ignore[arg-type]  # as many as a test gives


def create_event(
    client: stripe.StripeClient,
    meter: stripe.billing.Meter,
    value: str = "1",
    customer: str = "cus_1",
    **keywords: Any,
) -> stripe.billing.MeterEvent:
    params = {
        "event_name": meter.event_name,
        "payload": {"stripe_customer_id": customer, "value": value},
        **keywords,
    }
    return client.v1.billing.meter_events.create(params)  # type: ignore[arg-type]  # as many as a test gives


def create_grant(
    client: stripe.StripeClient, customer: str = "cus_1", **keywords: Any
) -> stripe.billing.CreditGrant:
    params = {
        "customer": customer,
        "amount": {"type": "monetary", "monetary": {"currency": "usd", "value": 1_000}},
        "applicability_config": {"scope": {"price_type": "metered"}},
        **keywords,
    }
    return client.v1.billing.credit_grants.create(params)  # type: ignore[arg-type]  # as many as a test gives


def create_alert(
    client: stripe.StripeClient, meter: stripe.billing.Meter, **keywords: Any
) -> stripe.billing.Alert:
    params = {
        "title": "Much",
        "alert_type": "usage_threshold",
        "usage_threshold": {"gte": 10, "meter": meter.id, "recurrence": "one_time"},
        **keywords,
    }
    return client.v1.billing.alerts.create(params)  # type: ignore[arg-type]  # as many as a test gives


def one_of_each(server: Server, **of_meter: str) -> tuple[dict[str, str], str]:
    """Create a resource of each kind: ids by the beginning of their paths, a token."""
    client = server.client()
    meter = create_meter(client, **of_meter)
    create_event(client, meter)
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "https://127.0.0.1:9/", "enabled_events": ["*"]}
    )
    ids = {
        "/v1/billing/meters/": meter.id,
        "/v1/billing/alerts/": create_alert(client, meter).id,
        "/v1/billing/credit_grants/": create_grant(client).id,
        "/v1/webhook_endpoints/": endpoint.id,
    }
    session = client.v2.billing.meter_event_session.create()
    return ids, session.authentication_token
