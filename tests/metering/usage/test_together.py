"""Events that are recorded together are judged each as if it came alone."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

import metering
from ledger.records.idempotency import Request
from metering.usage.meter_events import NewMeterEvent, Recorded
from tests.conftest import Connect
from tests.metering.usual_usage import NOW, PAYLOAD, create_event, create_meter, total

EVENT = NewMeterEvent(
    event_name="tokens", payload=PAYLOAD, identifier=None, timestamp=None, request=None
)


@pytest.fixture
def opened(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def error_of(recorded: Recorded) -> metering.InvalidRequestError:
    assert isinstance(recorded, metering.InvalidRequestError)
    return recorded


def event_of(recorded: Recorded) -> metering.MeterEvent:
    assert isinstance(recorded, metering.MeterEvent)
    return recorded


def test_events_are_recorded_in_one_commit(opened: metering.Metering) -> None:
    meter = create_meter(opened)
    events = [replace(EVENT, identifier=f"event {at}") for at in range(100)]

    recorded = opened.internals.record_events(events)

    assert [event_of(each).position for each in recorded] == list(range(2, 102))
    assert list(opened.meter_events.list()) == recorded
    assert total(opened, meter) == 100


def test_each_is_judged_as_if_it_came_alone(opened: metering.Metering) -> None:
    meter = create_meter(opened)
    original = create_event(opened, identifier="there")

    recorded = opened.internals.record_events(
        [
            replace(EVENT, identifier="new"),
            replace(EVENT, payload={"value": "1"}),
            replace(EVENT, identifier="there"),
            replace(EVENT, identifier="there", payload={**PAYLOAD, "value": "2"}),
            replace(EVENT, event_name="others"),
            replace(EVENT, identifier="new"),
            replace(EVENT, timestamp=NOW - timedelta(days=36)),
            replace(EVENT, identifier="given", timestamp=NOW - timedelta(days=1)),
        ]
    )

    new = event_of(recorded[0])
    assert (new.position, new.duplicate) == (original.position + 1, False)
    assert error_of(recorded[1]).code == "meter_event_no_customer_defined"
    assert recorded[2] == create_event(opened, identifier="there")
    conflict = recorded[3]
    assert isinstance(conflict, metering.IdentifierConflictError)
    assert (conflict.identifier, conflict.fields) == ("there", ("value",))
    assert error_of(recorded[4]).code == "no_meter"
    again = event_of(recorded[5])
    assert (again.position, again.duplicate) == (new.position, True)
    assert error_of(recorded[6]).code == "timestamp_too_far_in_past"
    assert event_of(recorded[7]).timestamp == NOW - timedelta(days=1)
    assert total(opened, meter) == 3


def test_nothing_is_recorded_where_every_one_is_refused(
    opened: metering.Metering,
) -> None:
    recorded = opened.internals.record_events([EVENT, EVENT])

    assert [error_of(each).code for each in recorded] == ["no_meter", "no_meter"]
    assert opened.position == 0


def test_a_meter_that_another_process_made_is_known(
    connect: Connect, opened: metering.Metering, clock: metering.FixedClock
) -> None:
    other = connect(clock=clock)
    create_meter(opened, "first")
    create_event(opened, "first")
    create_meter(other)

    recorded = opened.internals.record_events(
        [replace(EVENT, event_name="first"), EVENT]
    )

    assert [event_of(each).event_name for each in recorded] == ["first", "tokens"]


def test_a_meter_that_another_process_deactivated_takes_nothing(
    connect: Connect, opened: metering.Metering, clock: metering.FixedClock
) -> None:
    other = connect(clock=clock)
    meter = create_meter(opened)
    create_event(opened)
    other.meters.deactivate(meter.id)

    recorded = opened.internals.record_events([EVENT, EVENT])

    assert {error_of(each).code for each in recorded} == {"archived_meter"}


@pytest.mark.dialect
def test_requests_are_written_down_with_the_events_that_are_new(
    opened: metering.Metering,
) -> None:
    create_meter(opened)
    create_event(opened, identifier="there")

    def request(name: str) -> Request:
        return Request(
            key_id="key_1", idempotency_key=name, fingerprint=b"", request_id="req_1"
        )

    opened.internals.record_events(
        [
            replace(EVENT, request=request("refused"), payload={}),
            replace(EVENT, request=request("there"), identifier="there"),
            replace(EVENT, request=request("new"), identifier="new"),
            EVENT,
            replace(EVENT, request=request("other"), identifier="other"),
        ]
    )

    found = {
        name: opened.internals.requests.find(request(name)) is not None
        for name in ("refused", "there", "new", "other")
    }
    assert found == {"refused": False, "there": False, "new": True, "other": True}
