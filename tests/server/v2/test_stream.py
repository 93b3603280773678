"""The stream and what it reports, by Stripe's own client."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from sqlalchemy import update

import metering
from ledger.records.sessions import meter_event_session
from tests.server.losing import losing_proxy
from tests.server.running import Answered, Server, addresses, running_server
from tests.server.shapes import (
    ERROR_REPORT_TRIGGERED,
    NO_METER_FOUND,
    V2_SESSION,
    check_shape,
)
from tests.server.usage import create_meter, summed, unique
from tests.webhook_receiver import running_receiver

STREAM = "/v2/billing/meter_event_stream"


@pytest.fixture(scope="module")
def meter(client: stripe.StripeClient) -> stripe.billing.Meter:
    return create_meter(client)


@pytest.fixture(scope="module")
def token(client: stripe.StripeClient) -> str:
    return client.v2.billing.meter_event_session.create().authentication_token


def event(meter: stripe.billing.Meter, value: str = "1", **fields: Any) -> Any:
    payload = {"stripe_customer_id": "cus_1", "value": value}
    return {"event_name": meter.event_name, "payload": payload, **fields}


def send(server: Server, token: str, body: object, **headers: str) -> Answered:
    return server.post_json(STREAM, body, Authorization=f"Bearer {token}", **headers)


def in_a_minute(server: Server) -> metering.Metering:
    """The store for somebody whose clock is ahead: the windows so far have ended."""
    ahead = metering.SystemClock().now() + timedelta(minutes=1)
    return server.store(clock=metering.FixedClock(ahead), allow_private_webhooks=True)


def make_reports(server: Server) -> None:
    with in_a_minute(server) as store:
        store.error_reports.list()


def reports_on(
    client: stripe.StripeClient, meter: stripe.billing.Meter
) -> list[dict[str, Any]]:
    listed = client.v2.core.events.list({"object_id": meter.id})
    found = [client.v2.core.events.retrieve(each.id) for each in listed.data]
    return [check_shape(each, ERROR_REPORT_TRIGGERED) for each in found]


def codes(reports: list[dict[str, Any]]) -> dict[str, int]:
    """How many errors of each code, also where a window ended between two requests."""
    counts: dict[str, int] = {}
    for report in reports:
        for each in report["data"]["reason"]["error_types"]:
            counts[each["code"]] = counts.get(each["code"], 0) + each["error_count"]
    return counts


def test_a_session_lives_for_a_quarter_of_an_hour(client: stripe.StripeClient) -> None:
    plain = check_shape(client.v2.billing.meter_event_session.create(), V2_SESSION)

    created, expires_at = (
        datetime.fromisoformat(plain[name]) for name in ("created", "expires_at")
    )
    assert expires_at - created == timedelta(minutes=15)


def test_a_hundred_events_are_recorded_at_once(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    meter = create_meter(client)

    # It answers None.
    server.client(token).v2.billing.meter_event_stream.create(
        {"events": [event(meter, str(value)) for value in range(100)]}
    )

    assert summed(client, meter) == sum(range(100))


def test_the_answer_is_empty_and_tells_the_position(
    server: Server, meter: stripe.billing.Meter, token: str
) -> None:
    answered = send(server, token, {"events": [event(meter)]})

    assert answered.json == {}
    with server.store() as store:
        assert int(answered.headers["metering-position"]) == store.position


@pytest.mark.parametrize(
    "events",
    [
        [],
        "events",
        None,
        ["event"],
        [{}],
        [{"event_name": "a"}],
        [{"event_name": "a", "payload": {}, "foo": "1"}],
        [{"event_name": "a", "payload": {}, "timestamp": "yesterday"}],
        [{"event_name": "a", "payload": {}}] * 101,
    ],
    ids=lambda events: str(events)[:40],
)
def test_a_malformed_request_is_refused_whole(
    server: Server, meter: stripe.billing.Meter, token: str, events: Any
) -> None:
    with server.store() as store:
        before = store.position
        is_list = isinstance(events, list) and len(events) == 1
        body = {"events": [event(meter), *events] if is_list else events}

        refused = send(server, token, body)

        assert refused.status == 400
        assert refused.error.keys() == {"code", "message", "type"}
        assert store.position == before


def test_duplicates_are_dropped_without_a_word(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    meter, identifier = create_meter(client), unique()
    for value in ("3", "3", "4"):
        body = {"events": [event(meter, value, identifier=identifier)] * 2}
        assert send(server, token, body).status == 200

    make_reports(server)
    assert summed(client, meter) == 3
    assert reports_on(client, meter) == []


def test_what_is_refused_is_reported_and_the_rest_recorded(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    meter, key = create_meter(client), unique("key")
    events = [
        event(meter, "5"),
        event(meter, "much"),
        event(meter, "1234567890123456"),
        {"event_name": meter.event_name, "payload": {"value": "1"}},
        {"event_name": meter.event_name, "payload": {"value": "1"}},
        event(meter, timestamp="2020-01-31T12:00:00.000Z"),
        event(meter, timestamp="2120-01-31T12:00:00.000Z"),
    ]

    assert send(server, token, {"events": events}, Idempotency_Key=key).status == 200

    make_reports(server)
    assert summed(client, meter) == 5
    [report] = reports_on(client, meter)
    assert report["related_object"] == {
        "id": meter.id,
        "type": "billing.meter",
        "url": f"/v1/billing/meters/{meter.id}",
    }
    assert codes([report]) == {
        "meter_event_invalid_value": 1,
        "meter_event_no_customer_defined": 2,
        "meter_event_value_too_many_digits": 1,
        "timestamp_in_future": 1,
        "timestamp_too_far_in_past": 1,
    }
    data = report["data"]
    assert data["developer_message_summary"] == "There are 6 invalid events"
    start, end = (
        datetime.fromisoformat(data[f"validation_{name}"]) for name in ("start", "end")
    )
    assert end - start == timedelta(seconds=10)
    [no_customer] = [
        each
        for each in data["reason"]["error_types"]
        if each["code"] == "meter_event_no_customer_defined"
    ]
    assert (
        no_customer["sample_errors"]
        == [
            {
                "error_message": (
                    "Customer mapping key stripe_customer_id not found in payload."
                ),
                "request": {"identifier": key},
            }
        ]
        * 2
    )


def test_an_invalid_event_leaves_its_identifier_free(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    meter, identifier = create_meter(client), unique()
    send(server, token, {"events": [event(meter, "much", identifier=identifier)]})

    send(server, token, {"events": [event(meter, "7", identifier=identifier)]})

    make_reports(server)
    assert summed(client, meter) == 7
    assert codes(reports_on(client, meter)) == {"meter_event_invalid_value": 1}


def test_an_event_of_an_inactive_meter_is_reported(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    meter = create_meter(client)
    client.v1.billing.meters.deactivate(meter.id)
    send(server, token, {"events": [event(meter)]})

    make_reports(server)

    assert codes(reports_on(client, meter)) == {"archived_meter": 1}


def test_an_event_without_a_meter_is_reported_on_none(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    name = unique("nothing")
    body = {"events": [{"event_name": name, "payload": {"value": "1"}}]}
    send(server, token, body, Idempotency_Key="key_of_nothing")

    make_reports(server)
    [listed] = client.v2.core.events.list(
        {"types": ["v1.billing.meter.no_meter_found"], "limit": 1}
    ).data
    found = check_shape(client.v2.core.events.retrieve(listed.id), NO_METER_FOUND)

    assert found["data"]["reason"]["error_types"] == [
        {
            "code": "no_meter",
            "error_count": 1,
            "sample_errors": [
                {
                    "error_message": (
                        f"No meter was found matching event_name {name}."
                    ),
                    "request": {"identifier": "key_of_nothing"},
                }
            ],
        }
    ]


def test_thin_events_are_listed_page_by_page(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    meters = [create_meter(client) for _ in range(3)]
    for meter in meters:
        send(server, token, {"events": [event(meter, "much")]})
    make_reports(server)

    params: Any = {
        "limit": 2,
        "created": {"gte": "2020-01-31T12:00:00+00:00"},
        "types": ["v1.billing.meter.error_report_triggered"],
    }
    first = client.v2.core.events.list(params)
    found = [each.id for each in first.auto_paging_iter()]

    everything = client.v2.core.events.list({"limit": 100, "types": params["types"]})
    assert len(first.data) == 2
    assert found == [each.id for each in everything.data]
    assert len(found) >= 3
    assert everything.next_page_url is None
    params["created"] = {"gt": "2120-01-31T12:00:00Z"}
    assert client.v2.core.events.list(params).data == []


def test_an_expired_session_says_so_to_stripes_client(
    server: Server, meter: stripe.billing.Meter
) -> None:
    with server.store() as store:
        [key, *_] = store.api_keys.list()
        session = store.meter_event_sessions.create(key_id=key.id)
        with store._engine.log.writing_beside() as connection:  # noqa: SLF001  # as if 16 minutes had passed
            ends = meter_event_session.c.expires_at - 16 * 60_000_000
            its = meter_event_session.c.session_id == session.id
            connection.execute(
                update(meter_event_session).where(its).values(expires_at=ends)
            )
    token = str(session.authentication_token)

    with pytest.raises(stripe.TemporarySessionExpiredError) as expired:
        server.client(token).v2.billing.meter_event_stream.create(
            {"events": [event(meter)]}
        )
    refused = send(server, token, {"events": [event(meter)]})

    assert expired.value.http_status == 401
    assert refused.error["code"] == "billing_meter_event_session_expired"
    assert refused.error["type"] == "temporary_session_expired"
    assert refused.error["doc_url"].startswith("https://")


def test_events_of_a_lost_answer_are_recorded_once(
    server: Server, client: stripe.StripeClient, token: str
) -> None:
    meter = create_meter(client)
    with losing_proxy(server.url) as proxy:
        proxy.losses = 2
        sender = stripe.StripeClient(
            token, **addresses(proxy.url), max_network_retries=2
        )

        sender.v2.billing.meter_event_stream.create(
            {"events": [*[event(meter)] * 3, event(meter, "much")]}
        )

    make_reports(server)
    assert len(proxy.asked) == 3
    assert summed(client, meter) == 3
    assert codes(reports_on(client, meter)) == {"meter_event_invalid_value": 1}


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    with running_server(str(tmp_path / "usage"), "--no-worker") as running:
        yield running


def sent_before_a_kill(
    server: Server, **headers: str
) -> tuple[stripe.billing.Meter, str, object]:
    """Send what is good and what is not, and kill the server that took it."""
    client = server.client()
    meter = create_meter(client)
    token = client.v2.billing.meter_event_session.create().authentication_token
    body = {"events": [event(meter, "2"), event(meter, "much")]}
    assert send(server, token, body, **headers).status == 200
    server.process.kill()
    server.process.wait()
    return meter, token, body


def test_a_killed_server_loses_neither_events_nor_reports(
    own_server: Server,
) -> None:
    meter, token, _ = sent_before_a_kill(own_server)

    with running_server(own_server.target, "--no-worker") as again:
        make_reports(again)
        assert codes(reports_on(again.client(), meter)) == {
            "meter_event_invalid_value": 1
        }
        assert summed(again.client(), meter) == 2
        # Its sessions live on in every process of the store.
        assert send(again, token, {"events": [event(meter, "3")]}).status == 200
        assert summed(again.client(), meter) == 5


def test_a_request_that_another_server_had_is_reported_once(
    own_server: Server,
) -> None:
    meter, token, body = sent_before_a_kill(own_server, Idempotency_Key="once")

    with running_server(own_server.target, "--no-worker") as again:
        assert send(again, token, body, Idempotency_Key="once").status == 200
        make_reports(again)
        reports = reports_on(again.client(), meter)
        assert codes(reports) == {"meter_event_invalid_value": 1}
        assert summed(again.client(), meter) == 2


def test_a_thin_event_that_arrived_is_fetched(own_server: Server) -> None:
    client = own_server.client()
    meter = create_meter(client)
    token = client.v2.billing.meter_event_session.create().authentication_token
    with running_receiver() as receiver:
        with own_server.store(allow_private_webhooks=True) as store:
            endpoint = store.webhook_endpoints.create(
                url=receiver.url,
                enabled_events=["v1.billing.meter.error_report_triggered"],
            )
        send(own_server, token, {"events": [event(meter, "much")]})
        with in_a_minute(own_server) as store:
            store.deliver()
        received = receiver.next()

    notification = client.parse_event_notification(
        received.body, received.headers["Stripe-Signature"], endpoint.secret, 600
    )
    assert isinstance(
        notification,
        stripe.events.V1BillingMeterErrorReportTriggeredEventNotification,
    )
    fetched = check_shape(notification.fetch_event(), ERROR_REPORT_TRIGGERED)
    assert codes([fetched]) == {"meter_event_invalid_value": 1}
    assert notification.fetch_related_object().id == meter.id
