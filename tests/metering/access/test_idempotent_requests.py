"""Requests under an idempotency key: written down with their effect, on each backend."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

import metering
from ledger.database.addresses import open_database
from ledger.errors import RequestRepeatedError
from ledger.records.idempotency import Request
from ledger.records.requests import idempotent_request
from metering.usage.meter_events import NewMeterEvent
from tests.conftest import Connect
from tests.metering.usual_usage import PAYLOAD, create_meter

pytestmark = pytest.mark.dialect

REQUEST = Request(
    key_id="key_1",
    idempotency_key="again",
    fingerprint=b"\x01" * 32,
    request_id="req_1",
)


def record_event(store: metering.Metering, identifier: str, request: Request) -> None:
    event = NewMeterEvent(
        event_name="tokens",
        payload=PAYLOAD,
        identifier=identifier,
        timestamp=None,
        request=request,
    )
    (recorded,) = store.internals.record_events([event])
    assert isinstance(recorded, metering.MeterEvent)


@pytest.fixture
def opened(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    return connect(clock=clock)


def test_what_a_request_made_is_written_down_with_it(opened: metering.Metering) -> None:
    with opened.internals.requests.on_behalf_of(REQUEST):
        meter = create_meter(opened)

    known = opened.internals.requests.find(REQUEST)
    assert known is not None
    assert (known.resource_id, known.status, known.body) == (meter.id, None, None)
    assert (known.fingerprint, known.request_id) == (b"\x01" * 32, "req_1")


def test_a_request_that_was_written_down_has_no_second_effect(
    connect: Connect, opened: metering.Metering, clock: metering.FixedClock
) -> None:
    other = connect(clock=clock)
    with opened.internals.requests.on_behalf_of(REQUEST):
        create_meter(opened)

    with (
        other.internals.requests.on_behalf_of(replace(REQUEST, request_id="req_2")),
        pytest.raises(RequestRepeatedError),
    ):
        create_meter(other, "others")

    assert [each.event_name for each in opened.meters.list()] == ["tokens"]


def test_an_answer_is_kept_beside_what_was_made(opened: metering.Metering) -> None:
    with opened.internals.requests.on_behalf_of(REQUEST):
        meter = create_meter(opened)

    opened.internals.requests.answer(REQUEST, 200, b"{}")

    known = opened.internals.requests.find(REQUEST)
    assert known is not None
    assert (known.resource_id, known.status, known.body) == (meter.id, 200, b"{}")


def test_a_request_is_written_down_with_the_event_it_records(
    opened: metering.Metering,
) -> None:
    create_meter(opened)
    later = replace(REQUEST, idempotency_key="later")
    record_event(opened, "a", REQUEST)
    record_event(opened, "a", later)

    assert opened.internals.requests.find(REQUEST) is not None
    assert opened.internals.requests.find(later) is None


def test_requests_that_share_a_commit_are_written_down_each(
    opened: metering.Metering,
) -> None:
    create_meter(opened)
    requests = [replace(REQUEST, idempotency_key=str(each)) for each in range(16)]

    threads = [
        threading.Thread(target=record_event, args=(opened, each.idempotency_key, each))
        for each in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(opened.internals.requests.find(each) for each in requests)


def test_requests_are_forgotten_after_a_day(
    opened: metering.Metering, clock: metering.FixedClock
) -> None:
    opened.internals.requests.answer(REQUEST, 200, b"{}")
    clock.advance(timedelta(hours=24) - timedelta(microseconds=1))
    assert opened.internals.requests.find(REQUEST) is not None

    clock.advance(timedelta(microseconds=1))

    assert opened.internals.requests.find(REQUEST) is None


def test_keys_are_free_for_other_usage_after_a_day(
    opened: metering.Metering, clock: metering.FixedClock
) -> None:
    create_meter(opened)
    later = replace(REQUEST, fingerprint=b"\x02" * 32, request_id="req_2")

    for request in (REQUEST, later):
        record_event(opened, request.request_id, request)
        known = opened.internals.requests.find(REQUEST)
        assert known is not None
        assert (known.request_id, known.fingerprint) == (
            request.request_id,
            request.fingerprint,
        )
        clock.advance(timedelta(hours=24))


def stored_requests(target: str) -> list[str]:
    """The idempotency keys of all requests that take room."""
    address = target if "://" in target else Path(target)
    database = open_database(address, creates=False)
    try:
        with database.read() as connection:
            keys = select(idempotent_request.c.idempotency_key)
            return list(connection.execute(keys).scalars())
    finally:
        database.close()


def test_what_is_forgotten_makes_room_as_usage_is_recorded(
    opened: metering.Metering, clock: metering.FixedClock, store_target: str
) -> None:
    create_meter(opened)
    for minute in range(3):
        request = replace(REQUEST, idempotency_key=str(minute))
        record_event(opened, str(minute), request)
        clock.advance(timedelta(minutes=1))
    assert len(stored_requests(store_target)) == 3

    clock.advance(timedelta(hours=24))
    for at in range(4):
        request = replace(REQUEST, idempotency_key=f"later {at}")
        record_event(opened, f"later {at}", request)

    kept = ["later 0", "later 1", "later 2", "later 3"]
    assert sorted(stored_requests(store_target)) == kept


def test_requests_outlive_the_tables_that_follow_from_the_log(
    opened: metering.Metering,
) -> None:
    opened.internals.requests.answer(REQUEST, 200, b"{}")

    opened.rebuild()

    assert opened.internals.requests.find(REQUEST) is not None


def test_an_answer_takes_no_other_request_s_place(
    connect: Connect, opened: metering.Metering, clock: metering.FixedClock
) -> None:
    """Two servers do the same at once; the slower is refused for what the other did."""
    other = connect(clock=clock)
    with opened.internals.requests.on_behalf_of(REQUEST):
        meter = create_meter(opened)

    other.internals.requests.answer(
        replace(REQUEST, request_id="req_2", fingerprint=b"\x02" * 32), 400, b"no"
    )

    known = opened.internals.requests.find(REQUEST)
    assert known is not None
    assert (known.resource_id, known.status, known.body) == (meter.id, None, None)
    assert (known.fingerprint, known.request_id) == (b"\x01" * 32, "req_1")

    other.internals.requests.answer(
        replace(REQUEST, request_id="req_3"), 200, b"yes", original="req_1"
    )

    known = opened.internals.requests.find(REQUEST)
    assert known is not None
    assert (known.status, known.body, known.request_id) == (200, b"yes", "req_3")
