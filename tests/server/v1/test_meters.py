"""Meters and their summaries, by Stripe's own client."""

from decimal import Decimal
from typing import Any

import stripe

from tests.server.shapes import METER, SUMMARY, check_shape, list_of
from tests.server.usage import DAY, HOUR, create_event, create_meter, now, unique


def test_a_meter_is_created_with_the_usual_settings(
    client: stripe.StripeClient,
) -> None:
    name = unique("event")

    meter = client.v1.billing.meters.create(
        {
            "display_name": "Search API Calls",
            "event_name": name,
            "default_aggregation": {"formula": "sum"},
        }
    )

    plain = check_shape(meter, METER)
    assert plain["id"].startswith("mtr_test_")
    assert abs(plain["created"] - now()) < 60
    assert plain["display_name"] == "Search API Calls"
    assert plain["event_name"] == name
    assert plain["customer_mapping"]["event_payload_key"] == "stripe_customer_id"
    assert plain["value_settings"] == {"event_payload_key": "value"}
    assert plain["event_time_window"] is None
    assert plain["status"] == "active"


def test_a_meter_is_created_with_the_settings_it_is_given(
    client: stripe.StripeClient,
) -> None:
    meter = create_meter(
        client,
        formula="last",
        customer_mapping={"event_payload_key": "who", "type": "by_id"},
        value_settings={"event_payload_key": "tokens"},
        event_time_window="hour",
    )

    plain = check_shape(meter, METER)
    assert plain["default_aggregation"] == {"formula": "last"}
    assert plain["customer_mapping"] == {"event_payload_key": "who", "type": "by_id"}
    assert plain["value_settings"] == {"event_payload_key": "tokens"}
    assert plain["event_time_window"] == "hour"


def test_a_meter_is_retrieved_and_renamed(client: stripe.StripeClient) -> None:
    meter = create_meter(client)

    renamed = client.v1.billing.meters.update(meter.id, {"display_name": "Other"})

    check_shape(renamed, METER)
    retrieved = client.v1.billing.meters.retrieve(meter.id)
    assert check_shape(retrieved, METER)["display_name"] == "Other"
    assert client.v1.billing.meters.update(meter.id, {}) == retrieved


def test_a_meter_is_deactivated_and_reactivated(client: stripe.StripeClient) -> None:
    meter = create_meter(client)

    inactive = client.v1.billing.meters.deactivate(meter.id)

    plain = check_shape(inactive, METER)
    assert plain["status"] == "inactive"
    assert abs(plain["status_transitions"]["deactivated_at"] - now()) < 60
    active = client.v1.billing.meters.reactivate(meter.id)
    plain = check_shape(active, METER)
    assert plain["status"] == "active"
    assert plain["status_transitions"] == {"deactivated_at": None}


def test_meters_are_listed_by_status(client: stripe.StripeClient) -> None:
    meter = create_meter(client)
    client.v1.billing.meters.deactivate(meter.id)

    listed = client.v1.billing.meters.list({"status": "inactive", "limit": 1})

    plain = check_shape(listed, list_of(METER))
    assert [each["id"] for each in plain["data"]] == [meter.id]
    assert plain["url"] == "/v1/billing/meters"


TODAY = now() // DAY * DAY
TOMORROW = TODAY + 2 * DAY
"""After whatever the tests record, also if midnight passes."""


def summaries(
    client: stripe.StripeClient, meter: stripe.billing.Meter, **keywords: Any
) -> Any:
    params = {
        "customer": "cus_1",
        "start_time": TODAY - DAY,
        "end_time": TOMORROW,
        **keywords,
    }
    found = client.v1.billing.meters.event_summaries.list(meter.id, params)  # type: ignore[arg-type]  # as many as a test gives
    return check_shape(found, list_of(SUMMARY))


def test_usage_is_summed_exactly(client: stripe.StripeClient) -> None:
    meter = create_meter(client)
    for value in ("0.1", "0.2", "-0.05", "900000000000000", "1E-7"):
        create_event(client, meter, value)

    [summary] = summaries(client, meter)["data"]

    assert summary["aggregated_value"] == Decimal("900000000000000.2500001")
    assert (summary["start_time"], summary["end_time"]) == (
        TODAY - DAY,
        TOMORROW,
    )
    assert summary["meter"] == meter.id


def test_a_customer_without_usage_has_a_summary_of_nothing(
    client: stripe.StripeClient,
) -> None:
    [summary] = summaries(client, create_meter(client))["data"]

    assert summary["aggregated_value"] == 0


def test_usage_is_summed_by_the_hour_the_newest_first(
    client: stripe.StripeClient,
) -> None:
    meter, first = create_meter(client), TODAY - DAY
    for hour in range(3):
        create_event(client, meter, "2", timestamp=first + hour * HOUR)

    page = client.v1.billing.meters.event_summaries.list(
        meter.id,
        {
            "customer": "cus_1",
            "start_time": first,
            "end_time": TODAY,
            "value_grouping_window": "hour",
            "limit": 2,
        },
    )

    assert check_shape(page, list_of(SUMMARY))["has_more"] is True
    starts = [each.start_time for each in page.auto_paging_iter()]
    assert starts == [first + 2 * HOUR, first + HOUR, first]
