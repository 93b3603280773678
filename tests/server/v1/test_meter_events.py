"""Meter events and adjustments, by Stripe's own client."""

from typing import Any

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import ADJUSTMENT, METER_EVENT, check_shape
from tests.server.usage import DAY, create_event, create_meter, now, unique


@pytest.fixture(scope="module")
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return create_meter(client)


def test_an_event_is_recorded_as_it_was_sent(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    at = now()

    event = client.v1.billing.meter_events.create(
        {
            "event_name": meter.event_name,
            "identifier": "identifier_123",
            "payload": {"stripe_customer_id": "cus_1", "value": "25", "model": "ä+&="},
            "timestamp": at - 60,
        }
    )

    plain = check_shape(event, METER_EVENT)
    assert abs(plain.pop("created") - at) < 60
    assert plain == {
        "object": "billing.meter_event",
        "event_name": meter.event_name,
        "identifier": "identifier_123",
        "livemode": False,
        "payload": {"stripe_customer_id": "cus_1", "value": "25", "model": "ä+&="},
        "timestamp": at - 60,
    }


def test_an_event_needs_neither_identifier_nor_timestamp(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    first, second = create_event(client, meter), create_event(client, meter)

    check_shape(first, METER_EVENT)
    assert first.identifier != second.identifier
    assert abs(first.timestamp - now()) < 60


def test_a_duplicate_is_refused_in_the_words_that_clients_know(
    server: Server, meter: stripe.billing.Meter
) -> None:
    form = {
        "event_name": meter.event_name,
        "identifier": unique("identifier"),
        "payload[stripe_customer_id]": "cus_1",
        "payload[value]": "1",
    }
    path = "/v1/billing/meter_events"
    assert server.ask("POST", path, form, Idempotency_Key=unique()).status == 200

    for again in (form, {**form, "payload[value]": "2"}):
        refused = server.ask("POST", path, again, Idempotency_Key=unique())

        assert refused.status == 400
        assert refused.headers["stripe-should-retry"] == "false"
        assert refused.error == {
            "type": "invalid_request_error",
            "message": f"An event already exists with identifier {form['identifier']}.",
        }
    assert server.ask("POST", path, form).status == 400


def test_an_event_without_a_meter_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.billing.meter_events.create(
            {"event_name": "nothing", "payload": {"stripe_customer_id": "cus_1"}}
        )

    assert refused.value.user_message == (
        'No active meter found for event name "nothing"'
    )
    assert (refused.value.code, refused.value.param) == (
        "resource_missing",
        "event_name",
    )
    assert refused.value.http_status == 400


def test_an_inactive_meter_takes_no_events(client: stripe.StripeClient) -> None:
    meter = create_meter(client)
    client.v1.billing.meters.deactivate(meter.id)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        create_event(client, meter)

    assert refused.value.code == "archived_meter"


def test_an_old_event_is_refused_with_the_second_that_is_allowed(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    at = now()
    create_event(client, meter, timestamp=at - 34 * DAY)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        create_event(client, meter, timestamp=at - 36 * DAY)

    words, _, second = str(refused.value.user_message).rstrip(".").rpartition(" ")
    assert words == (
        "The event timestamp cannot be more than 35 days in past. Expected a timestamp"
        " greater than or equal to"
    )
    assert 0 <= int(second) - (at - 35 * DAY) < 60
    assert refused.value.code == "timestamp_too_far_in_past"


def test_an_event_of_the_future_is_refused(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create_event(client, meter, timestamp=now() + 600)

    assert refused.value.code == "timestamp_in_future"


def test_a_customer_is_needed(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.billing.meter_events.create(
            {"event_name": meter.event_name, "payload": {"value": "1"}}
        )

    assert refused.value.user_message == (
        "Customer mapping key stripe_customer_id not found in payload."
    )


@pytest.mark.parametrize(
    ("value", "is_taken"),
    [
        ("123456789012345", True),
        ("-0.00123456789", True),
        ("123456789012345000", True),
        ("1234567890123456", False),
        ("0.1234567890123456", False),
        ("12345678.12345678", False),
    ],
)
def test_values_have_fifteen_significant_digits(
    client: stripe.StripeClient,
    meter: stripe.billing.Meter,
    value: str,
    is_taken: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    if is_taken:
        create_event(client, meter, value)
        return
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create_event(client, meter, value)

    assert refused.value.user_message == (
        f"The value in the event payload can have at most 15 digits. Received {value}."
    )


@pytest.mark.parametrize("value", ["", "much", "1,5", "NaN", "1_000", " 1"])
def test_a_value_is_a_number(
    client: stripe.StripeClient, meter: stripe.billing.Meter, value: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create_event(client, meter, value)

    assert refused.value.code == "meter_event_invalid_value"


def test_a_count_needs_no_value(client: stripe.StripeClient) -> None:
    meter = create_meter(client, formula="count")

    event = client.v1.billing.meter_events.create(
        {"event_name": meter.event_name, "payload": {"stripe_customer_id": "cus_1"}}
    )

    assert check_shape(event, METER_EVENT)["payload"] == {"stripe_customer_id": "cus_1"}


def cancel(client: stripe.StripeClient, event_name: str, identifier: str) -> Any:
    adjustment = client.v1.billing.meter_event_adjustments.create(
        {
            "event_name": event_name,
            "type": "cancel",
            "cancel": {"identifier": identifier},
        }
    )
    return check_shape(adjustment, ADJUSTMENT)


def test_an_event_is_cancelled(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    event = create_event(client, meter)

    for _ in range(2):
        plain = cancel(client, meter.event_name, event.identifier)

        assert plain["cancel"] == {"identifier": event.identifier}
        assert plain["status"] == "complete"


def test_an_event_that_is_not_there_cannot_be_cancelled(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        cancel(client, meter.event_name, "none")

    assert refused.value.http_status == 400
    assert refused.value.code == "resource_missing"


def test_a_cancellation_names_its_event(
    server: Server, meter: stripe.billing.Meter
) -> None:
    form = {"event_name": meter.event_name, "type": "cancel"}

    refused = server.ask("POST", "/v1/billing/meter_event_adjustments", form)

    assert refused.error["code"] == "parameter_missing"
    assert refused.error["param"] == "cancel[identifier]"
