"""Own arguments that every method of the library takes, for tests of them all."""

import inspect
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import pyarrow as pa

import metering
from tests.metering.usual_credits import METERED, grant, money, run
from tests.metering.usual_usage import PAYLOAD, create_event, create_meter

Given = dict[str, Any]


def usual_arguments(
    m: metering.Metering, url: str = "https://example.com"
) -> Mapping[str, Given]:
    """Arguments by method, where it needs any, of resources that are made for them."""
    meter = create_meter(m)
    event = create_event(m)
    threshold = {"gte": 1, "meter": meter.id, "recurrence": "one_time"}
    alert: Given = {"title": "a", "usage_threshold": threshold}
    endpoint: Given = {"url": url, "enabled_events": ["*"]}
    invoice = {
        "invoice": "in_1",
        "customer": "cus_1",
        "period_end": m.now(),
        "lines": [{"id": "il_1", "amount": 1, "currency": "usd"}],
    }
    metered = {
        "display_name": "a",
        "event_name": "calls",
        "default_aggregation": {"formula": "sum"},
    }
    span = {"customer": "cus_1", "start_time": 0, "end_time": 60}
    price: Given = {
        "currency": "usd",
        "product_data": {"name": "a", "metadata": {"a": "b"}},
        "billing_scheme": "tiered",
        "tiers_mode": "volume",
        "tiers": [{"up_to": 1, "flat_amount": 1}, {"up_to": "inf", "unit_amount": 1}],
        "recurring": {"interval": "day", "usage_type": "metered", "meter": meter.id},
        "currency_options": {"eur": {"tiers": [{"up_to": "inf", "unit_amount": 1}]}},
    }
    made = m.prices.create(**price)
    paid = m.subscriptions.create(customer="cus_1", items=[{"price": made.id}])
    terms: Any = {"interval": "day", "usage_type": "metered", "aggregate_usage": "sum"}
    counted = m.prices.create(
        currency="usd", product=made.product, unit_amount=1, recurring=terms
    )
    recorded = m.subscriptions.create(customer="cus_1", items=[{"price": counted.id}])
    of_records: Given = {"item_id": recorded.items.data[0].id}
    stated: Given = {"prices": [made.id], **span}
    m.statements.finalize(id="st_1", **stated)
    features = m.entitlements.features
    feature = features.create(lookup_key="sso", name="SSO").id
    other = features.create(lookup_key="audit", name="Audit").id
    hung = m.entitlements.product_features.create(
        made.product, entitlement_feature=feature
    )
    grant_id = grant(m, 1_000).id
    held: Given = {"id": "job_1", "customer": "cus_1", "amount": money(1)}
    m.credit_holds.create(**held)
    spent: Given = {"customer": "cus_1", "meter": meter.id, "quantity": 1}
    limited: Given = {
        "customer": "cus_2",
        "amount": money(1_000),
        "prices": [made.id],
        "metadata": {"a": "b"},
    }
    scheduled: Given = {
        "id": "plan",
        "customer": "cus_3",
        "amount": money(),
        "applicability_config": METERED,
        "interval": "month",
        "rollover": {"type": "percent", "percent": 50},
        "metadata": {"a": "b"},
    }
    m.credit_schedules.create(**scheduled)
    m.credit_pools.create(id="team", cap=money())
    m.credit_pools.add_member("team", customer="cus_1")
    reported: Given = {
        "report_type": "metering.credits_activity.1",
        "parameters": {
            "columns": ["id", "amount"],
            "format": "csv",
            "interval_end": m.now(),
            "interval_start": 0,
            "timezone": "Europe/Berlin",
        },
    }
    run_id = m.reports.create(**reported).id
    m.reports.make()
    made_file = m.reports.retrieve(run_id).result
    assert made_file is not None
    m.reports.create(**reported)
    given: dict[str, Given] = {
        "corrections.apply": correction_of(event),
        "corrections.preview": {"changes": correction_of(event)["changes"]},
        "alerts.create": alert,
        "api_keys.create": {"name": "a", "scopes": ["read"]},
        # No directory can be made there.
        "backup": {"target": "/dev/null/backup"},
        "export": {"target": "/dev/null/export"},
        "credit_balance_summary.history": span,
        "credit_balance_summary.retrieve": {
            "customer": "cus_1",
            "filter": {"type": "credit_grant", "credit_grant": "credgr_1"},
        },
        "credit_grants.create": {
            "customer": "cus_1",
            "amount": money(),
            "applicability_config": METERED,
            "metadata": {"a": "b"},
        },
        "credit_holds.create": held,
        "credit_pools.create": {"id": "team", "cap": money()},
        "credit_schedules.create": scheduled,
        "credit_holds.settle_many": {"source": [{"hold": "job_1"}]},
        "credits.apply": invoice,
        "credits.apply_many": {"source": run({"period_end": m.now()})},
        "credits.preview": invoice,
        "credits.preview_many": {"source": run({"period_end": m.now()})},
        "credits.reinstate": {"invoice": "in_1"},
        "credits.reinstate_many": {"source": ["in_1"]},
        "credit_balance_transactions.list": {"customer": "cus_1"},
        "entitlements.check": {"customer": "cus_1", "feature": "sso"},
        "entitlements.features.create": {
            "lookup_key": "seats",
            "name": "Seats",
            "metadata": {"a": "b"},
        },
        "entitlements.product_features.create": {"entitlement_feature": other},
        "branch": {"target": ":memory:"},
        "explain": {"meter": meter.id, **span},
        "error_reports.list": {"created": {"gte": 0}},
        "events.list": {"created": {"gte": 0}},
        "meter_event_adjustments.create": {
            "event_name": "tokens",
            "type": "cancel",
            "cancel": {"identifier": event.identifier},
        },
        "meter_events.create": {"event_name": "tokens", "payload": PAYLOAD},
        "meter_events.ingest": {
            "source": [{"event_name": "tokens", **PAYLOAD}],
            "now": True,
        },
        "meters.create": metered,
        "meters.ensure": metered,
        "meters.event_summaries": {"meter_id": meter.id, **span},
        "prices.create": price,
        "prices.list": {"recurring": {"interval": "day"}, "lookup_keys": ["a"]},
        "prices.search": {"query": "active:true"},
        "products.search": {"query": "active:true"},
        "products.create": {
            "name": "a",
            "default_price_data": {"currency": "usd", "unit_amount_decimal": "0.5"},
            "marketing_features": [{"name": "a"}],
        },
        "customers.create": {
            "address": {"city": "a"},
            "shipping": {"name": "a", "address": {"city": "a"}},
            "metadata": {"a": "b"},
        },
        "rate": {
            "usage": pa.table({"meter": [meter.id], "value": [1]}),
            "prices": [made.id],
        },
        "reaggregate": {"filters": {"model": ["a"]}, "group_by": ["model"]},
        "reports.create": reported,
        "reports.download": {"path": "none/report.csv"},
        "reports.retrieve_type": {"report_type": reported["report_type"]},
        "sql": {"query": "SELECT 1"},
        "check": {**spent, "price": made.id},
        "spend": {**spent, "payload": {"a": "b"}},
        "spend_limits.create": limited,
        "statements.finalize": {"id": "st_1", **stated},
        "statements.preview": stated,
        "statements.run": {"period_end": 0},
        "subscription_items.create": {"subscription": paid.id, "price": made.id},
        "subscription_items.create_usage_record": {**of_records, "quantity": 1},
        "subscription_items.list": {"subscription": paid.id},
        "subscription_items.list_usage_record_summaries": of_records,
        "subscriptions.cancel": {"cancellation_details": {"feedback": "other"}},
        "subscriptions.create": {
            "customer": "cus_1",
            "items": [{"price": made.id, "metadata": {"a": "b"}}],
            "billing_mode": {"type": "classic"},
        },
        "subscriptions.resume": {"billing_cycle_anchor": {"type": "unchanged"}},
        "subscriptions.update": {
            "items": [{"id": paid.items.data[0].id, "price": made.id}],
            "cancellation_details": {"comment": "a"},
        },
        "test_clocks.advance": {"frozen_time": "2040-01-01T00:00:00Z"},
        "test_clocks.create": {"frozen_time": 0},
        "webhook_endpoints.create": endpoint,
    }
    ids = {
        "alert_id": m.alerts.create(**alert).id,
        "customer_id": m.customers.create(name="a").id,
        "endpoint_id": m.webhook_endpoints.create(**endpoint).id,
        "feature_id": feature,
        "file_id": made_file.id,
        "grant_id": grant_id,
        "hold_id": "job_1",
        "correction_id": m.corrections.apply(**correction_of(create_event(m))).id,
        "item_id": paid.items.data[0].id,
        "key_id": m.api_keys.create(name="a").id,
        "limit_id": m.spend_limits.create(**limited).id,
        "meter_id": meter.id,
        "pool_id": "team",
        "price_id": made.id,
        "product_feature_id": hung.id,
        "product_id": made.product,
        "run_id": run_id,
        "schedule_id": "plan",
        "statement_id": "st_1",
        "subscription_id": paid.id,
        "test_clock": m.test_clocks.create(frozen_time=0).id,
    }
    return {"ids": ids, **given}


def correction_of(event: metering.MeterEvent) -> Given:
    """Arguments that cancel an event."""
    which = {"event_name": event.event_name, "identifiers": [event.identifier]}
    changes = [{"type": "cancel", **which}]
    return {"changes": changes, "reason": "twice", "author": "a"}


def with_arguments(
    m: metering.Metering, path: str, usual: Mapping[str, Given]
) -> tuple[Callable[..., Any], Given]:
    """A method such as ``meters.create``, and arguments that it takes."""
    method: Callable[..., Any] = attrgetter(path)(m)
    known = inspect.signature(method).parameters
    needed = {name: "x" for name, each in known.items() if each.default is each.empty}
    ids = {name: each for name, each in usual["ids"].items() if name in known}
    given = {**needed, **ids}
    return method, given | usual.get(path, {})
