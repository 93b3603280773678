"""A rule of meter events holds at every door: forms of v1 and JSON of v2."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from metering.arguments.times import time_of
from tests.server.bulk import CLOUD_EVENT, cloud_event, numbers_of, send
from tests.server.forms import form_of
from tests.server.running import Server
from tests.server.usage import DAY, create_meter, now

FORMS, JSONS = "/v1/billing/meter_events", "/v2/billing/meter_events"
VALUE = "payload[value]"
INVALID = (("meter_event_invalid_value", VALUE), "payload_invalid_value")
TOO_LONG = (("meter_event_value_too_many_digits", VALUE), "payload_invalid_value")
NO_METER = 'No active meter found for event name "nothing"'
TOO_MANY_DIGITS = "The value in the event payload can have at most 15 digits."
NO_CUSTOMER = "Customer mapping key stripe_customer_id not found in payload."


def valued(value: str) -> dict[str, Any]:
    return {"payload": {"stripe_customer_id": "cus_1", "value": value}}


RULES: list[tuple[dict[str, Any], tuple[str, str], str, str]] = [
    (
        {"event_name": "nothing"},
        ("resource_missing", "event_name"),
        "no_meter",
        NO_METER,
    ),
    (
        {"payload": {"value": "1"}},
        ("meter_event_no_customer_defined", "payload[stripe_customer_id]"),
        "payload_no_customer_defined",
        NO_CUSTOMER,
    ),
    (
        {"payload": {"stripe_customer_id": "cus_1"}},
        ("meter_event_invalid_value", VALUE),
        "payload_no_value_defined",
        "Value key value not found in payload",
    ),
    *(
        (valued(each), *INVALID, f"Invalid value {each!r}: expected a decimal such as")
        for each in ("", "much", "1,5", "NaN", "1_000", " 1")
    ),
    *(
        (valued(each), *TOO_LONG, f"{TOO_MANY_DIGITS} Received {each}.")
        for each in ("1234567890123456", "0.1234567890123456", "12345678.12345678")
    ),
    (
        {"timestamp": now() - 36 * DAY},
        ("timestamp_too_far_in_past", "timestamp"),
        "timestamp_too_far_in_past",
        "The event timestamp cannot be more than 35 days in past.",
    ),
    (
        {"timestamp": now() + 36 * DAY},
        ("timestamp_in_future", "timestamp"),
        "timestamp_in_future",
        "The event timestamp cannot be more than 5 minutes in the future.",
    ),
]


def named(part: dict[str, Any] | tuple[str, str] | str) -> str:
    """Name a case by what is wrong; its time is another one in each run."""
    return part[:40] if isinstance(part, str) else next(iter(part))


@pytest.fixture(scope="module")
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return create_meter(client)


@pytest.mark.parametrize(("fields", "v1", "v2", "words"), RULES, ids=named)
def test_an_event_that_breaks_a_rule_is_refused_by_forms_and_by_json(
    server: Server,
    meter: stripe.billing.Meter,
    fields: dict[str, Any],
    v1: tuple[str, str],
    v2: str,
    words: str,
) -> None:
    event = {"event_name": meter.event_name, **valued("1"), **fields}
    in_v2 = dict(event)
    if "timestamp" in event:
        in_v2["timestamp"] = time_of(datetime.fromtimestamp(event["timestamp"], UTC))

    by_form = server.ask("POST", FORMS, form_of(event))
    by_json = server.post_json(JSONS, in_v2)

    assert by_form.status == 400
    assert (by_form.error["code"], by_form.error["param"]) == v1
    assert (by_json.status, by_json.error["code"]) == (400, v2)
    assert by_json.error.keys() == {"code", "message", "type"}
    for refused in (by_form, by_json):
        assert refused.error["message"].startswith(words)


def test_an_event_of_an_inactive_meter_is_refused_at_every_door(
    server: Server, client: stripe.StripeClient
) -> None:
    meter = create_meter(client)
    client.v1.billing.meters.deactivate(meter.id)
    event = {"event_name": meter.event_name, **valued("1")}

    for refused in (
        server.ask("POST", FORMS, form_of(event)),
        server.post_json(JSONS, event),
    ):
        assert (refused.status, refused.error["code"]) == (400, "archived_meter")


@pytest.mark.parametrize("is_active", [True, False])
def test_a_repetition_is_a_duplicate_at_every_door_whatever_its_age_and_its_meter(
    server: Server, client: stripe.StripeClient, *, is_active: bool
) -> None:
    meter, old = create_meter(client), now() - 400 * DAY
    event = cloud_event(
        meter.event_name,
        "1",
        source="a",
        time=time_of(datetime.fromtimestamp(old, UTC)),
    )
    body = json.dumps(event).encode()
    assert numbers_of(send(server, CLOUD_EVENT, body, "?backfill=true")) == (1, 0, 0)
    if not is_active:
        client.v1.billing.meters.deactivate(meter.id)
    again = {"event_name": meter.event_name, "identifier": "a/1", **valued("1.0")}
    in_v2 = {**again, "timestamp": event["time"]}
    token = client.v2.billing.meter_event_session.create().authentication_token

    by_form = server.ask("POST", FORMS, form_of({**again, "timestamp": old}))
    by_json = server.post_json(JSONS, in_v2)
    streamed = server.post_json(
        "/v2/billing/meter_event_stream",
        {"events": [in_v2]},
        Authorization=f"Bearer {token}",
    )

    assert by_form.status == by_json.status == 400
    for refused in (by_form, by_json):
        assert (
            refused.error["message"] == "An event already exists with identifier a/1."
        )
    assert streamed.status == 200
    assert numbers_of(send(server, CLOUD_EVENT, body)) == (0, 1, 0)
    with server.store() as store:
        [found] = store.meter_events.list(event_name=meter.event_name)
    assert found.identifier == "a/1"
