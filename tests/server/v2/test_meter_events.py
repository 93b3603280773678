"""Meter events and adjustments of v2, by Stripe's own client."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from metering.arguments.times import time_of
from tests.server.running import Answered, Server
from tests.server.shapes import V2_ADJUSTMENT, V2_METER_EVENT, check_shape
from tests.server.usage import create_meter, now, summed, unique

EVENTS = "/v2/billing/meter_events"
ADJUSTMENTS = "/v2/billing/meter_event_adjustments"


@pytest.fixture(scope="module")
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return create_meter(client)


def ask(server: Server, body: object, path: str = EVENTS, **headers: str) -> Answered:
    return server.post_json(path, body, **headers)


def event(meter: stripe.billing.Meter, **fields: Any) -> dict[str, Any]:
    payload = {"stripe_customer_id": "cus_1", "value": "25"}
    return {"event_name": meter.event_name, "payload": payload, **fields}


def test_an_event_is_recorded_as_it_was_sent(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> None:
    identifier, timestamp = unique(), time_of(datetime.fromtimestamp(now() - 60, UTC))

    created = client.v2.billing.meter_events.create(
        {**event(meter), "identifier": identifier, "timestamp": timestamp}  # type: ignore[typeddict-item]  # a dict of the test's
    )

    plain = check_shape(created, V2_METER_EVENT)
    assert plain.pop("created").endswith("Z")
    assert plain == {
        "object": "v2.billing.meter_event",
        "event_name": meter.event_name,
        "identifier": identifier,
        "livemode": False,
        "payload": {"stripe_customer_id": "cus_1", "value": "25"},
        "timestamp": timestamp,
    }


def test_a_request_that_comes_again_records_nothing_again(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    for fields in ({}, {"identifier": unique()}):
        key = unique("key")
        first = ask(server, event(meter, **fields), Idempotency_Key=key)
        again = ask(server, event(meter, **fields), Idempotency_Key=key)
        other = ask(server, event(meter, payload={}), Idempotency_Key=key)

        assert (first.status, again.status) == (200, 200)
        assert again.json == first.json
        assert again.headers["idempotency-replayed"] == "true"
        assert other.status == 400
        assert other.error["type"] == "idempotency_error"
    assert summed(client, meter) == 50


def test_a_refused_request_is_done_when_it_comes_again(
    server: Server, client: stripe.StripeClient
) -> None:
    meter, key = create_meter(client), unique("key")
    client.v1.billing.meters.deactivate(meter.id)
    assert ask(server, event(meter), Idempotency_Key=key).status == 400
    client.v1.billing.meters.reactivate(meter.id)

    again = ask(server, event(meter), Idempotency_Key=key)

    assert again.status == 200
    assert summed(client, meter) == 25


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"timestamp": "2020-13-31T12:00:00Z"}, "timestamp_invalid"),
        ({"timestamp": "1706702400"}, "timestamp_invalid"),
        ({"foo": "1"}, "parameter_unknown"),
        ({"expand": ["payload"]}, "parameter_unknown"),
        ({"payload": None}, "parameter_missing"),
        ({"payload": ["1"]}, "invalid_request"),
        ({"payload": {"stripe_customer_id": "cus_1", "value": 1}}, "invalid_request"),
        ({"identifier": "i" * 101}, "invalid_request"),
    ],
)
def test_a_refusal_has_a_code_of_v2(
    server: Server, meter: stripe.billing.Meter, fields: dict[str, Any], code: str
) -> None:
    refused = ask(server, event(meter) | fields)

    assert refused.status == 400
    assert refused.error["code"] == code
    assert refused.error.keys() == {"code", "message", "type"}


def test_a_duplicate_is_refused(server: Server, meter: stripe.billing.Meter) -> None:
    body = event(meter, identifier=unique())
    assert ask(server, body).status == 200

    refused = ask(server, body)

    assert (refused.status, refused.error["code"]) == (400, "duplicate_meter_event")
    assert refused.error["message"] == (
        f"An event already exists with identifier {body['identifier']}."
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"a"',
        b"\xff",
        b'{"a":' * 100_000,
        b'{"event_name":"\\ud800","payload":{}}',
        b"a=1",
    ],
    ids=lambda body: body[:8],
)
def test_a_body_that_is_no_json_object_is_refused(server: Server, body: bytes) -> None:
    refused = ask(server, body)

    assert refused.status == 400
    assert refused.error["code"] == "invalid_request"


def test_a_form_is_refused(server: Server) -> None:
    refused = server.ask("POST", EVENTS, {"event_name": "a"})

    assert refused.status == 400
    assert "application/json" in refused.error["message"]


def test_errors_of_v2_have_its_shape(server: Server) -> None:
    for path, key, status, code in (
        ("/v2/none", server.key, 404, "not_found"),
        ("/v2/core/events/evt_none", server.key, 404, "resource_missing"),
        ("/v2/core/events", "sk_test_none", 401, "not_authenticated"),
    ):
        refused = server.ask("GET", path, key=key)

        assert refused.status == status
        assert refused.error.keys() == {"code", "message", "type"}
        assert refused.error["code"] == code


def test_an_event_is_cancelled(server: Server, client: stripe.StripeClient) -> None:
    meter, identifier = create_meter(client), unique()
    ask(server, event(meter, identifier=identifier))
    assert summed(client, meter) == 25

    first, again = (
        client.v2.billing.meter_event_adjustments.create(
            {
                "event_name": meter.event_name,
                "type": "cancel",
                "cancel": {"identifier": identifier},
            }
        )
        for _ in range(2)
    )

    plain = check_shape(first, V2_ADJUSTMENT)
    assert plain["cancel"] == {"identifier": identifier}
    assert plain["status"] == "complete"
    assert again.id == first.id
    assert summed(client, meter) == 0


def test_a_cancellation_names_an_event_that_is_there(
    server: Server, meter: stripe.billing.Meter
) -> None:
    body: dict[str, Any] = {"event_name": meter.event_name, "type": "cancel"}

    missing = ask(server, body, ADJUSTMENTS)
    unknown = ask(server, {**body, "cancel": {"identifier": "none"}}, ADJUSTMENTS)

    assert (missing.status, missing.error["code"]) == (400, "parameter_missing")
    assert (unknown.status, unknown.error["code"]) == (400, "resource_missing")
