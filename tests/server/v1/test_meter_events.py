"""Meter events and adjustments, by Stripe's own client."""

import pytest
import stripe

from tests.server.running import Server
from tests.server.shapes import ADJUSTMENT, METER_EVENT, check_shape
from tests.server.usage import DAY, create_event, create_meter, event_form, now, unique


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
    form = event_form(meter.event_name, identifier=unique("identifier"))
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


@pytest.mark.parametrize(
    "value", ["123456789012345", "-0.00123456789", "123456789012345000"]
)
def test_values_have_fifteen_significant_digits(
    client: stripe.StripeClient, meter: stripe.billing.Meter, value: str
) -> None:
    assert create_event(client, meter, value).payload["value"] == value


def test_a_count_needs_no_value(client: stripe.StripeClient) -> None:
    meter = create_meter(client, formula="count")

    event = client.v1.billing.meter_events.create(
        {"event_name": meter.event_name, "payload": {"stripe_customer_id": "cus_1"}}
    )

    assert check_shape(event, METER_EVENT)["payload"] == {"stripe_customer_id": "cus_1"}


def test_an_event_is_cancelled(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    event = create_event(client, meter)

    for _ in range(2):
        adjustment = client.v1.billing.meter_event_adjustments.create(
            {
                "event_name": meter.event_name,
                "type": "cancel",
                "cancel": {"identifier": event.identifier},
            }
        )

        plain = check_shape(adjustment, ADJUSTMENT)
        assert plain["cancel"] == {"identifier": event.identifier}
        assert plain["status"] == "complete"
