"""Error reports arrive at the endpoints that ask for them by name, on each backend."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import standardwebhooks
import stripe

import metering
from metering.stream.error_reports import RefusedEvent
from tests.conftest import Connect
from tests.metering.usual_usage import create_meter
from tests.waiting import eventually
from tests.webhook_receiver import Received, Receiver, answering

REPORT = "v1.billing.meter.error_report_triggered"
NO_METER = "v1.billing.meter.no_meter_found"
WINDOW = timedelta(seconds=10)


def add_endpoint(
    store: metering.Metering,
    receiver: Receiver,
    enabled_events: Sequence[str] = (REPORT, NO_METER),
    path: str = "/",
    **more: Any,
) -> metering.WebhookEndpoint:
    return store.webhook_endpoints.create(
        url=receiver.url + path, enabled_events=enabled_events, **more
    )


def refuse(store: metering.Metering, *event_names: str) -> None:
    """Have events refused; of the name "nothing" there is no meter."""
    store.internals.add_refused(
        [
            RefusedEvent(
                event_name=name,
                code="no_meter" if name == "nothing" else "archived_meter",
                message="It was refused",
                identifier="request_1",
                request=None,
            )
            for name in event_names
        ]
    )


def notification(received: Received, secret: str | None) -> Any:
    """Verify and read as Stripe's library does."""
    client = stripe.StripeClient("sk_test_1")
    header = received.headers["Stripe-Signature"]
    return client.parse_event_notification(received.body, header, secret, 10**9)


def told(receiver: Receiver, path: str = "/") -> list[str]:
    return [json.loads(each.body)["type"] for each in receiver.at(path)]


def test_stripes_library_reads_a_report_that_arrived(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    meter = create_meter(sending)
    endpoint = add_endpoint(sending, receiver)
    refuse(sending, "tokens", "tokens")
    clock.advance(WINDOW)

    receipt = sending.deliver()

    [report] = sending.error_reports.list()
    [received] = receiver.received
    event = notification(received, endpoint.secret)
    assert receipt == metering.DeliveryReceipt(enqueued=1, delivered=1, failed=0)
    assert type(event).__name__ == "V1BillingMeterErrorReportTriggeredEventNotification"
    assert (event.id, event.type, event.livemode) == (report.id, REPORT, False)
    assert event.related_object.id == meter.id
    with pytest.raises(stripe.SignatureVerificationError):
        notification(received, "whsec_other")
    assert json.loads(received.body) == {
        "id": report.id,
        "object": "v2.core.event",
        "context": None,
        "created": event.created,
        "livemode": False,
        "reason": None,
        "related_object": {
            "id": meter.id,
            "type": "billing.meter",
            "url": f"/v1/billing/meters/{meter.id}",
        },
        "type": REPORT,
    }


def test_a_report_of_no_meter_has_no_related_object(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoint = add_endpoint(sending, receiver, [NO_METER])
    refuse(sending, "nothing")
    clock.advance(WINDOW)

    sending.deliver()

    [received] = receiver.received
    event = notification(received, endpoint.secret)
    assert type(event).__name__ == "V1BillingMeterNoMeterFoundEventNotification"
    assert "related_object" not in json.loads(received.body)


def test_a_report_is_signed_by_standard_webhooks_too(
    connect: Connect, receiver: Receiver
) -> None:
    # The library looks at the real time.
    now = metering.SystemClock().now()
    clock = metering.FixedClock(now - WINDOW)
    sending = connect(clock=clock, allow_private_webhooks=True)
    endpoint = add_endpoint(sending, receiver, signature="standard")
    refuse(sending, "nothing")
    clock.advance(WINDOW)

    sending.deliver()

    [received] = receiver.received
    verified = standardwebhooks.Webhook(str(endpoint.secret)).verify(
        received.body, received.headers
    )
    assert verified["id"] == received.headers["webhook-id"]


def test_reports_go_to_those_who_name_their_type(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    asked = {
        "/both": [REPORT, NO_METER, "billing.meter.created"],
        "/report": [REPORT],
        "/no_meter": ["*", NO_METER],
        "/every": ["*"],
    }
    for path, enabled_events in asked.items():
        add_endpoint(sending, receiver, enabled_events, path)
    create_meter(sending)
    refuse(sending, "tokens", "nothing")
    clock.advance(WINDOW)

    sending.deliver()

    made = "billing.meter.created"
    assert {path: told(receiver, path) for path in asked} == {
        "/both": [made, NO_METER, REPORT],
        "/report": [REPORT],
        "/no_meter": [made, NO_METER],
        "/every": [made],
    }


@pytest.mark.parametrize("whoever", ["list", "retrieve", "add", "other"])
def test_whoever_makes_a_report_it_is_delivered_once(
    connect: Connect,
    sending: metering.Metering,
    receiver: Receiver,
    clock: metering.FixedClock,
    whoever: str,
) -> None:
    add_endpoint(sending, receiver)
    refuse(sending, "nothing")
    clock.advance(WINDOW)

    match whoever:
        case "list":
            sending.error_reports.list()
        case "retrieve":
            with pytest.raises(metering.ResourceMissingError):
                sending.error_reports.retrieve("evt_none")
        case "add":
            refuse(sending, "nothing")
        case _:
            connect(clock=clock, livemode=True).error_reports.list()
    sending.deliver()
    sending.deliver()

    [report] = sending.error_reports.list()
    assert [json.loads(each.body)["id"] for each in receiver.received] == [report.id]


def test_reports_of_both_modes_say_which(
    connect: Connect,
    sending: metering.Metering,
    receiver: Receiver,
    clock: metering.FixedClock,
) -> None:
    live = connect(clock=clock, livemode=True)
    add_endpoint(sending, receiver)
    refuse(live, "nothing")
    refuse(sending, "nothing")
    clock.advance(WINDOW)

    sending.deliver()

    [of_live], [of_test] = live.error_reports.list(), sending.error_reports.list()
    bodies = [json.loads(each.body) for each in receiver.received]
    assert {each["id"]: each["livemode"] for each in bodies} == {
        of_live.id: True,
        of_test.id: False,
    }


def test_who_wanted_a_report_when_its_window_ended_gets_it(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    change = sending.webhook_endpoints.update
    kept, late, early = (
        add_endpoint(sending, receiver, path=path)
        for path in ("/kept", "/disabled_later", "/enabled_later")
    )
    narrow = add_endpoint(sending, receiver, ["*"], "/asks_later")
    gone = add_endpoint(sending, receiver, path="/gone")
    change(early.id, disabled=True)
    refuse(sending, "nothing")
    clock.advance(WINDOW + timedelta(microseconds=1))

    change(late.id, disabled=True)
    change(early.id, disabled=False)
    change(narrow.id, enabled_events=[NO_METER])
    change(kept.id, description="Changed")
    add_endpoint(sending, receiver, path="/created_later")
    sending.webhook_endpoints.delete(gone.id)
    sending.deliver()

    assert [each.path for each in receiver.received] == ["/kept"]
    # It is sent what it was not once it may be.
    change(late.id, disabled=False)
    sending.deliver()
    assert [each.path for each in receiver.received] == ["/kept", "/disabled_later"]


def test_a_report_is_sent_until_it_is_taken_and_each_attempt_is_kept(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoint = add_endpoint(sending, receiver)
    receiver.behaviours["/"] = answering(500)
    refuse(sending, "nothing")
    clock.advance(WINDOW)
    sending.deliver()
    del receiver.behaviours["/"]
    clock.advance(timedelta(minutes=1))

    sending.deliver()

    [report] = sending.error_reports.list()
    [delivery] = sending.webhook_endpoints.deliveries(endpoint.id)
    assert (delivery.event, delivery.type) == (report.id, NO_METER)
    assert delivery.status == "delivered"
    assert [each.status_code for each in delivery.attempts] == [500, 204]
    first, second = receiver.received
    assert first.body == second.body


@pytest.mark.dialect
def test_reports_and_events_arrive_in_the_order_in_which_they_came(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoint = add_endpoint(sending, receiver, ["*", NO_METER])
    for name in ("first", "second"):
        create_meter(sending, name)
        for _ in range(2):
            refuse(sending, "nothing")
            clock.advance(WINDOW)
            sending.error_reports.list()

    assert sending.deliver().delivered == 6

    made = "billing.meter.created"
    assert told(receiver) == [made, NO_METER, NO_METER] * 2
    listed = sending.webhook_endpoints.deliveries(endpoint.id)
    assert [each.event for each in listed][::-1] == [
        json.loads(each.body)["id"] for each in receiver.received
    ]


def test_a_worker_tells_of_reports_by_itself(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    add_endpoint(sending, receiver)
    refuse(sending, "nothing")

    with sending.worker():
        clock.advance(WINDOW)
        eventually(lambda: told(receiver) == [NO_METER])
