"""Typed calls of the library, as an application has them; mypy checks this file."""

from datetime import datetime, timedelta
from decimal import Decimal

import metering


def prepare(m: metering.Metering) -> metering.Alert:
    """Objects are dicts of known keys, and words are of closed sets."""
    meter = m.meters.create(
        display_name="Tokens",
        event_name="tokens",
        default_aggregation={"formula": "sum"},
        customer_mapping={"event_payload_key": "account"},
        event_time_window="hour",
    )
    m.credit_grants.create(
        customer="cus_1",
        amount={"type": "monetary", "monetary": {"currency": "usd", "value": 1_000}},
        applicability_config={"scope": {"prices": [{"id": "price_1"}]}},
        category="promotional",
        expires_at=m.meters.retrieve(event_name="tokens").created + timedelta(days=30),
    )
    threshold: metering.UsageThresholdParams = {
        "gte": 1_000,
        "meter": meter.id,
        "recurrence": "calendar_month",
        "filters": [{"type": "customer", "customer": "cus_1"}],
    }
    return m.alerts.create(title="Much", usage_threshold=threshold)


def refused_by_mypy(m: metering.Metering) -> None:
    """What the library would refuse, the type checker refuses first."""
    m.meters.create(
        display_name="Tokens",
        event_name="tokens",
        default_aggregation={"formula": "median"},  # type: ignore[typeddict-item]  # no formula
    )
    m.alerts.create(title="Much", usage_threshold={"gte": 1})  # type: ignore[arg-type]  # no meter
    m.meters.retrieve(1)  # type: ignore[arg-type]  # no id
    m.alerts.list(alert_type="spend")  # type: ignore[arg-type]  # no type of alerts


def read(m: metering.Metering, at: metering.Time) -> dict[str, Decimal]:
    """Lists have the type of their resources, page after page."""
    page: metering.ListObject[metering.Meter] = m.meters.list(status="active", limit=10)
    meters: list[metering.Meter] = list(page.auto_paging_iter())
    since: datetime = meters[0].created
    summaries = m.meters.event_summaries(
        meters[0].id, customer="cus_1", start_time=since, end_time=at
    )
    return {each.id: each.aggregated_value for each in summaries}
