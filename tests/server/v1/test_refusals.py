"""What Stripe refuses is refused with its status, code and parameter."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.server.running import Server
from tests.server.usage import (
    DAY,
    HOUR,
    create_alert,
    create_grant,
    create_meter,
    now,
)

Ask = Callable[[stripe.StripeClient, stripe.billing.Meter], object]
TODAY = now() // DAY * DAY


@pytest.fixture(scope="module")
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return create_meter(client)


def after(create: Any, first: Any, then: Any) -> Ask:
    """Do to something new what cannot be done after the first."""

    def ask(client: stripe.StripeClient, meter: stripe.billing.Meter) -> None:
        made = create(client, meter)
        first(client.v1.billing, made.id)
        then(client.v1.billing, made.id)

    return ask


def summarize(**bounds: Any) -> Ask:
    params = {"customer": "cus_1", "start_time": TODAY - DAY, "end_time": TODAY}
    return lambda client, meter: client.v1.billing.meters.event_summaries.list(
        meter.id,
        {**params, **bounds},  # type: ignore[typeddict-item]  # as many as a test gives
    )


def create_endpoint(*types: Any) -> Ask:
    return lambda client, _: client.v1.webhook_endpoints.create(
        {"url": "https://127.0.0.1/hooks", "enabled_events": list(types)}
    )


def cancel(client: stripe.StripeClient, meter: stripe.billing.Meter) -> object:
    return client.v1.billing.meter_event_adjustments.create(
        {
            "event_name": meter.event_name,
            "type": "cancel",
            "cancel": {"identifier": "none"},
        }
    )


REFUSALS: dict[str, tuple[Ask, int, str | None, str | None]] = {
    "a meter that is not there": (
        lambda client, _: client.v1.billing.meters.retrieve("mtr_none"),
        *(404, "resource_missing", "id"),
    ),
    "an event that is not there": (
        lambda client, _: client.v1.events.retrieve("evt_none"),
        *(404, "resource_missing", "id"),
    ),
    "a meter that is inactive": (
        after(
            lambda client, _: create_meter(client),
            lambda billing, it: billing.meters.deactivate(it),
            lambda billing, it: billing.meters.deactivate(it),
        ),
        *(400, "meter_status_invalid", "id"),
    ),
    "an alert that is archived": (
        after(
            create_alert,
            lambda billing, it: billing.alerts.archive(it),
            lambda billing, it: billing.alerts.activate(it),
        ),
        *(400, "alert_status_invalid", "id"),
    ),
    "a grant that is voided": (
        after(
            lambda client, _: create_grant(client),
            lambda billing, it: billing.credit_grants.void_grant(it),
            lambda billing, it: billing.credit_grants.expire(it),
        ),
        *(400, "credit_grant_voided", "id"),
    ),
    "an event name that has a meter": (
        lambda client, meter: create_meter(client, event_name=meter.event_name),
        *(400, "resource_already_exists", "event_name"),
    ),
    "an end off the minute": (
        summarize(end_time=TODAY + 30),
        *(400, None, "end_time"),
    ),
    "an end off the hour": (
        summarize(end_time=TODAY + 60, value_grouping_window="hour"),
        *(400, None, "end_time"),
    ),
    "an end off the day": (
        summarize(end_time=TODAY + HOUR, value_grouping_window="day"),
        *(400, None, "end_time"),
    ),
    "an end that is the start": (
        summarize(end_time=TODAY - DAY),
        *(400, None, "end_time"),
    ),
    "an alert of a meter that is not there": (
        lambda client, meter: create_alert(
            client,
            meter,
            usage_threshold={"gte": 1, "meter": "mtr_none", "recurrence": "one_time"},
        ),
        *(400, "resource_missing", "usage_threshold[meter]"),
    ),
    "alerts of a meter that is not there": (
        lambda client, _: client.v1.billing.alerts.list({"meter": "mtr_none"}),
        *(400, "resource_missing", "meter"),
    ),
    "an alert without its threshold": (
        lambda client, meter: create_alert(client, meter, usage_threshold=None),
        *(400, "parameter_missing", "usage_threshold"),
    ),
    "credits for metered prices and for one": (
        lambda client, _: create_grant(
            client,
            applicability_config={
                "scope": {"price_type": "metered", "prices": [{"id": "price_1"}]}
            },
        ),
        *(400, "parameters_exclusive", "applicability_config[scope]"),
    ),
    "transactions of nobody": (
        lambda client, _: client.v1.billing.credit_balance_transactions.list(),
        *(400, "parameter_missing", "customer"),
    ),
    "events of a type and of types": (
        lambda client, _: client.v1.events.list(
            {"type": "billing.meter.created", "types": ["billing.meter.created"]}
        ),
        *(400, "parameters_exclusive", "types"),
    ),
    "an endpoint for a type that there is not": (
        create_endpoint("invoice.paid"),
        *(400, None, "enabled_events"),
    ),
    "a cancellation of an event that is not there": (
        cancel,
        *(400, "resource_missing", "cancel[identifier]"),
    ),
}


@pytest.mark.parametrize(
    ("ask", "status", "code", "param"), REFUSALS.values(), ids=REFUSALS
)
def test_what_cannot_be_done_is_refused_as_by_stripe(
    client: stripe.StripeClient,
    meter: stripe.billing.Meter,
    ask: Ask,
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        ask(client, meter)

    error = refused.value
    assert (error.http_status, error.code, error.param) == (status, code, param)


def test_a_path_of_nothing_says_what_there_is_not(server: Server) -> None:
    between = f"customer=a&start_time=0&end_time={DAY}"
    for below in ("", f"/event_summaries?{between}"):
        missing = server.ask("GET", f"/v1/billing/meters/mtr_none{below}")

        assert missing.status == 404
        assert missing.error["message"] == "No such billing meter: 'mtr_none'"


def test_a_cancellation_names_its_event(
    server: Server, meter: stripe.billing.Meter
) -> None:
    form = {"event_name": meter.event_name, "type": "cancel"}

    refused = server.ask("POST", "/v1/billing/meter_event_adjustments", form)

    assert refused.error["code"] == "parameter_missing"
    assert refused.error["param"] == "cancel[identifier]"
