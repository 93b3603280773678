"""Every event arrives at least once, signed, in order, however receivers behave."""

from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import standardwebhooks
import stripe

import metering
from metering.stream.error_reports import RefusedEvent
from tests.conftest import Connect
from tests.metering.usual_credits import apply, grant, line
from tests.metering.usual_usage import PAYLOAD, create_event, create_meter
from tests.metering.usual_webhooks import add_endpoint, bodies
from tests.webhook_receiver import (
    Received,
    Receiver,
    answering,
    resetting,
    talking_much,
)

REPORT = "v1.billing.meter.error_report_triggered"


@pytest.fixture
def sending(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(
        clock=clock,
        allow_private_webhooks=True,
        webhook_timeout=timedelta(milliseconds=300),
    )


def stripe_event(
    received: Received, secret: str | None, clock: metering.FixedClock
) -> Any:
    """Verify as Stripe's library does, which looks at the real time."""
    header = received.headers["Stripe-Signature"]
    body = received.body.decode()
    assert stripe.WebhookSignature.verify_header(body, header, secret, None)
    assert header.startswith(f"t={int(clock.now().timestamp())},")
    return stripe.Webhook.construct_event(body, header, secret, tolerance=10**9)


def test_an_event_is_signed_as_stripe_does(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoint = add_endpoint(sending, receiver)
    meter = create_meter(sending)

    receipt = sending.deliver()

    assert receipt == metering.DeliveryReceipt(enqueued=1, delivered=1, failed=0)
    (received,) = receiver.received
    event = stripe_event(received, endpoint.secret, clock)
    assert event.type == "billing.meter.created"
    assert event.data.object.id == meter.id
    assert event.created == int(clock.now().timestamp())
    assert event.pending_webhooks == 1
    with pytest.raises(stripe.SignatureVerificationError):
        stripe_event(received, "whsec_other", clock)


def test_an_event_is_signed_by_standard_webhooks(
    connect: Connect, receiver: Receiver
) -> None:
    sending = connect(allow_private_webhooks=True)
    endpoint = add_endpoint(sending, receiver, signature="standard")
    create_meter(sending)

    sending.deliver()

    (received,) = receiver.received
    assert endpoint.secret is not None
    verified = standardwebhooks.Webhook(endpoint.secret).verify(
        received.body, received.headers
    )
    assert verified["id"] == received.headers["webhook-id"]
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_AAAA").verify(received.body, received.headers)


def test_both_secrets_sign_until_the_overlap_ends(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    first = add_endpoint(sending, receiver)
    second = sending.webhook_endpoints.rotate_secret(first.id)
    create_meter(sending)
    sending.deliver()

    both = receiver.received[-1]
    assert stripe_event(both, first.secret, clock) == stripe_event(
        both, second.secret, clock
    )

    clock.advance(timedelta(hours=24))
    create_meter(sending, "requests")
    sending.deliver()

    assert second.secret != first.secret
    assert stripe_event(receiver.received[-1], second.secret, clock)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe_event(receiver.received[-1], first.secret, clock)


def test_both_secrets_sign_by_standard_webhooks_too(
    connect: Connect, receiver: Receiver
) -> None:
    sending = connect(allow_private_webhooks=True)
    first = add_endpoint(sending, receiver, signature="standard")
    second = sending.webhook_endpoints.rotate_secret(first.id)
    create_meter(sending)
    sending.deliver()
    third = sending.webhook_endpoints.rotate_secret(first.id, overlap=timedelta(0))
    create_meter(sending, "requests")
    sending.deliver()

    def verifies(secret: str | None, received: Received) -> bool:
        assert secret is not None
        try:
            standardwebhooks.Webhook(secret).verify(received.body, received.headers)
        except standardwebhooks.WebhookVerificationError:
            return False
        return True

    early, late = receiver.received
    secrets = [each.secret for each in (first, second, third)]
    assert [verifies(each, early) for each in secrets] == [True, True, False]
    assert [verifies(each, late) for each in secrets] == [False, False, True]


def test_first_attempts_keep_the_order_of_the_log(
    sending: metering.Metering, receiver: Receiver
) -> None:
    add_endpoint(sending, receiver, "/a")
    add_endpoint(sending, receiver, "/b", enabled_events=["billing.meter.created"])
    meter = create_meter(sending)
    for number in range(5):
        sending.meters.update(meter.id, display_name=f"Tokens {number}")

    sending.deliver()

    listed = [event.id for event in sending.events.list()]
    assert [each["id"] for each in bodies(receiver, "/a")] == listed[::-1]
    assert [each["id"] for each in bodies(receiver, "/b")] == listed[-1:]
    assert sending.deliver().delivered == 0


def test_what_was_before_an_endpoint_is_not_sent(
    sending: metering.Metering, receiver: Receiver
) -> None:
    create_meter(sending)
    endpoint = add_endpoint(sending, receiver)
    sending.webhook_endpoints.update(endpoint.id, disabled=True)
    create_meter(sending, "requests")
    assert sending.deliver().enqueued == 0
    sending.webhook_endpoints.update(endpoint.id, disabled=False)
    meter = create_meter(sending, "images")

    sending.deliver()

    (received,) = bodies(receiver)
    assert received["data"]["object"]["id"] == meter.id


BAD = {
    "500": answering(500),
    "302": answering(302, {"Location": "/elsewhere"}),
    "404": answering(404),
    "reset": resetting,
}


@pytest.mark.dialect
@pytest.mark.parametrize("behaviour", [*BAD, "stall"])
def test_a_receiver_that_fails_is_tried_again_with_the_same_bytes(
    sending: metering.Metering,
    receiver: Receiver,
    clock: metering.FixedClock,
    behaviour: str,
) -> None:
    endpoint = add_endpoint(sending, receiver)
    create_meter(sending)
    receiver.behaviours["/"] = BAD.get(behaviour, receiver.stalling)

    assert sending.deliver().failed == 1
    assert sending.deliver() == metering.DeliveryReceipt(
        enqueued=0, delivered=0, failed=0
    )
    clock.advance(timedelta(seconds=10))
    assert sending.deliver().failed == 1
    del receiver.behaviours["/"]
    clock.advance(timedelta(minutes=1))
    assert sending.deliver().delivered == 1

    first, *others = receiver.received
    assert [each.body for each in others] == [first.body] * 2
    assert receiver.at("/elsewhere") == []
    (delivery,) = sending.webhook_endpoints.deliveries(endpoint.id)
    assert delivery.status == "delivered"
    codes = [attempt.status_code for attempt in delivery.attempts]
    assert codes == [int(behaviour) if behaviour.isdigit() else None] * 2 + [204]
    errors = {"reset": "connection_lost", "stall": "timeout"}
    assert delivery.attempts[0].error == errors.get(behaviour)
    assert (delivery.next_attempt_at, delivery.delivered_at) == (None, clock.now())


def test_an_answer_of_ten_megabytes_is_not_read(
    sending: metering.Metering, receiver: Receiver
) -> None:
    add_endpoint(sending, receiver)
    create_meter(sending)
    receiver.behaviours["/"] = talking_much

    assert sending.deliver().delivered == 1


def test_an_endpoint_that_stalls_does_not_hold_up_others(
    sending: metering.Metering, receiver: Receiver
) -> None:
    add_endpoint(sending, receiver, "/stalls")
    add_endpoint(sending, receiver, "/works")
    receiver.behaviours["/stalls"] = receiver.stalling
    for name in ("a", "b", "c"):
        create_meter(sending, name)

    receipt = sending.deliver()

    assert (receipt.delivered, receipt.failed) == (3, 3)
    assert len(receiver.at("/works")) == 3
    # The other one was still stalling.
    assert receiver.received[-1].path == "/stalls"


def test_an_endpoint_that_is_gone_is_disabled(
    sending: metering.Metering, receiver: Receiver
) -> None:
    endpoint = add_endpoint(sending, receiver)
    receiver.behaviours["/"] = answering(410)
    create_meter(sending)
    create_meter(sending, "requests")

    assert sending.deliver().failed == 1
    create_meter(sending, "images")
    sending.deliver()

    assert sending.webhook_endpoints.retrieve(endpoint.id).status == "disabled"
    assert len(receiver.received) == 1


def test_after_three_days_a_delivery_is_given_up(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoint = add_endpoint(sending, receiver)
    receiver.behaviours["/"] = answering(503)
    create_meter(sending)
    delays: list[timedelta] = []

    while True:
        sending.deliver()
        (delivery,) = sending.webhook_endpoints.deliveries(endpoint.id)
        if delivery.next_attempt_at is None:
            break
        delays.append(delivery.next_attempt_at - clock.now())
        clock.set(delivery.next_attempt_at)

    assert delivery.status == "failed"
    assert timedelta(seconds=3.75) <= delays[0] <= timedelta(seconds=6.25)
    assert timedelta(hours=3) <= delays[-1] <= timedelta(hours=5)
    assert timedelta(days=2.5) < clock.now() - delivery.created <= timedelta(days=3)
    assert 20 <= len(delivery.attempts) <= 30
    clock.advance(timedelta(days=1))
    assert sending.deliver().failed == 0


def test_nothing_is_sent_to_an_address_that_is_not_public(
    connect: Connect, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoint = add_endpoint(connect(clock=clock, allow_private_webhooks=True), receiver)
    careful = connect(clock=clock)
    create_meter(careful)

    assert careful.deliver().failed == 1

    (delivery,) = careful.webhook_endpoints.deliveries(endpoint.id)
    assert delivery.attempts[0].error == "url_refused"
    assert receiver.received == []


def test_a_rebuild_sends_nothing_again(
    sending: metering.Metering, receiver: Receiver
) -> None:
    endpoint = add_endpoint(sending, receiver)
    create_meter(sending)
    sending.deliver()

    sending.rebuild()
    receipt = sending.deliver()

    assert receipt.enqueued == 0
    assert len(sending.webhook_endpoints.deliveries(endpoint.id)) == 1
    assert sending.verify().problems == ()


@pytest.mark.dialect
def test_every_kind_of_event_arrives(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    add_endpoint(sending, receiver)
    meter = create_meter(sending)
    sending.meters.update(meter.id, display_name="Other")
    sending.alerts.create(
        title="A lot",
        usage_threshold={"gte": 5, "meter": meter.id, "recurrence": "one_time"},
    )
    create_event(sending, payload={**PAYLOAD, "value": "7.5"})
    grant(sending, expires_at=clock.now() + timedelta(days=1))
    apply(sending, "in_1", line(400))
    sending.deliver()
    sending.alerts.create(
        title="Few",
        alert_type="credit_balance_threshold",
        credit_balance_threshold={
            "lte": {
                "balance_type": "monetary",
                "monetary": {"currency": "usd", "value": 0},
            }
        },
    )
    clock.advance(timedelta(days=1))
    sending.deliver()
    sending.deliver()

    told = bodies(receiver)
    assert [each["type"].removeprefix("billing.") for each in told] == [
        "meter.created",
        "meter.updated",
        "credit_grant.created",
        "credit_balance_transaction.created",
        "credit_balance_transaction.created",
        "alert.triggered",
        "alert.triggered",
        "credit_balance_transaction.created",
    ]
    assert told[1]["data"]["previous_attributes"] == {"display_name": "A meter"}
    assert "previous_attributes" not in told[0]["data"]
    assert told[5]["data"]["object"]["value"] == 7.5
    assert told[5]["data"]["object"]["alert"]["title"] == "A lot"
    fallen = told[6]["data"]["object"]
    assert fallen["value"] == 0
    assert fallen["alert"]["alert_type"] == "credit_balance_threshold"
    assert fallen["alert"]["title"] == "Few"
    expired = told[7]["data"]["object"]
    assert expired["debit"]["type"] == "credits_expired"
    assert expired["debit"]["amount"]["monetary"]["value"] == 600
    assert [each.id for each in sending.events.list()] == [
        each["id"] for each in reversed(told)
    ]


@pytest.mark.dialect
def test_a_report_is_sent_behind_what_was_recorded_before_it(
    connect: Connect, clock: metering.FixedClock, receiver: Receiver
) -> None:
    store = connect(clock=clock, allow_private_webhooks=True)
    add_endpoint(store, receiver, enabled_events=["*", REPORT])
    create_meter(store, "first")
    store.internals.add_refused(
        [
            RefusedEvent(
                event_name="first",
                code="meter_event_invalid_value",
                message="It is no number",
                identifier="request_1",
                request=None,
            )
        ]
    )

    def recording_and_reporting(handler: BaseHTTPRequestHandler) -> None:
        """Do what another process may do while an event is being sent."""
        receiver.behaviours.clear()
        create_meter(store, "second")
        clock.advance(timedelta(seconds=10))
        assert len(store.error_reports.list()) == 1
        answering(204)(handler)

    receiver.behaviours["/"] = recording_and_reporting
    store.deliver()
    store.deliver()

    types = [each["type"] for each in bodies(receiver)]
    assert types == ["billing.meter.created"] * 2 + [REPORT]
