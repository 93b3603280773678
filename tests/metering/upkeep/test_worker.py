"""A worker does by itself, once, what is due on a store, until it is left."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import pytest

import metering
from metering.webhooks.delivery.delivering import Lanes
from metering.webhooks.delivery.sending import sender_of
from metering.webhooks.enqueueing import enqueue
from tests.conftest import Connect
from tests.metering.usual_credits import grant
from tests.metering.usual_usage import columns, create_event, create_meter
from tests.metering.usual_webhooks import add_endpoint
from tests.waiting import PATIENCE_SECONDS, eventually
from tests.webhook_receiver import Receiver, answering


@pytest.fixture
def working(connect: Connect, clock: metering.FixedClock) -> metering.Metering:
    """A store whose worker may send to this machine, with a meter."""
    opened = connect(
        clock=clock, allow_private_webhooks=True, webhook_timeout=timedelta(seconds=20)
    )
    create_meter(opened)
    return opened


def create_alert(store: metering.Metering, gte: int = 2) -> metering.Alert:
    (meter,) = store.meters.list()
    threshold: Any = {"gte": gte, "meter": meter.id, "recurrence": "one_time"}
    return store.alerts.create(title="Much", usage_threshold=threshold)


def states(store: metering.Metering, endpoint: metering.WebhookEndpoint) -> list[str]:
    return [each.status for each in store.webhook_endpoints.deliveries(endpoint.id)]


def test_what_an_alert_triggers_arrives(
    working: metering.Metering, receiver: Receiver
) -> None:
    add_endpoint(working, receiver)
    alert = create_alert(working)
    receipts: SimpleQueue[metering.WorkReceipt] = SimpleQueue()

    with working.worker(progress=receipts.put):
        create_event(working)
        create_event(working)
        received = json.loads(receiver.next().body)

    assert received["type"] == "billing.alert.triggered"
    assert received["data"]["object"]["alert"]["id"] == alert.id
    assert received["data"]["object"]["value"] == 2
    done = [receipts.get() for _ in range(receipts.qsize())]
    assert sum(each.triggered for each in done) == 1
    assert sum(each.enqueued for each in done) == 1
    assert sum(each.delivered for each in done) == 1
    assert sum(each.failed for each in done) == 0
    assert all(one.position <= other.position for one, other in pairwise(done))
    assert working.position >= done[-1].position >= 3


def test_what_another_connection_records_is_noticed(
    working: metering.Metering, receiver: Receiver, connect: Connect
) -> None:
    add_endpoint(working, receiver)
    create_alert(working)
    other = connect(clock=metering.FixedClock(working.meters.list()[0].created))

    with working.worker():
        create_event(other)
        create_event(other)
        received = json.loads(receiver.next().body)

    assert received["type"] == "billing.alert.triggered"
    assert [each.value for each in other.alerts.triggered()] == [Decimal(2)]


@pytest.mark.dialect
def test_two_workers_on_a_store_do_nothing_twice(
    working: metering.Metering,
    receiver: Receiver,
    connect: Connect,
    clock: metering.FixedClock,
) -> None:
    endpoint = add_endpoint(working, receiver)
    create_alert(working)
    other = connect(clock=clock, allow_private_webhooks=True)

    with working.worker(), other.worker():
        for number in range(30):
            payload = {"stripe_customer_id": f"cus_{number}", "value": "3"}
            create_event(working, payload=payload)
        eventually(lambda: states(working, endpoint).count("delivered") == 10)
        eventually(lambda: len(receiver.received) == 30)

    triggered = working.alerts.triggered()
    assert len(triggered) == len({each.customer for each in triggered}) == 30
    told = [json.loads(each.body)["data"]["object"] for each in receiver.received]
    # In the order of the log, whoever of the two sent.
    assert [each["customer"] for each in told] == [each.customer for each in triggered]


def test_an_attempt_that_failed_is_made_again_when_it_is_due(
    working: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoint = add_endpoint(working, receiver)
    receiver.behaviours["/"] = answering(500)

    with working.worker():
        create_meter(working, "requests")
        first = receiver.next()
        (at,) = receiver.received
        eventually(lambda: len(attempts(working, endpoint)) == 1)
        receiver.behaviours["/"] = answering(204)
        clock.advance(timedelta(seconds=10))
        again = receiver.next()
        eventually(lambda: states(working, endpoint) == ["delivered"])

    assert again.body == first.body == at.body
    assert [each.status_code for each in attempts(working, endpoint)] == [500, 204]


def attempts(
    store: metering.Metering, endpoint: metering.WebhookEndpoint
) -> list[metering.WebhookAttempt]:
    (delivery,) = store.webhook_endpoints.deliveries(endpoint.id)
    return list(delivery.attempts)


def test_leaving_waits_for_the_attempt_that_is_being_made(
    working: metering.Metering, receiver: Receiver
) -> None:
    endpoint = add_endpoint(working, receiver)
    receiver.behaviours["/"] = receiver.stalling
    create_meter(working, "requests")
    worker = working.worker()

    with worker:
        receiver.next()
        threading.Timer(0.2, receiver.released.set).start()

    # The receiver says nothing in the end, so the attempt failed; but it is written.
    (attempt, *_) = attempts(working, endpoint)
    assert (attempt.status_code, attempt.error) == (None, "connection_lost")
    assert worker.join(0)


def test_lanes_that_have_not_begun_when_they_are_left_do_nothing(
    working: metering.Metering, receiver: Receiver
) -> None:
    stopping = threading.Event()
    endpoint = add_endpoint(working, receiver)
    create_meter(working, "requests")
    engine = working._engine  # noqa: SLF001  # lanes are made of it
    enqueue(engine)

    with Lanes(engine, sender_of(engine.settings), stopping.is_set) as lanes:
        lanes.start_due()
        stopping.set()

    tally = lanes.ended()
    assert len(receiver.received) == tally.delivered <= 1
    assert tally.failed == 0
    (delivery,) = working.webhook_endpoints.deliveries(endpoint.id)
    assert len(delivery.attempts) == tally.delivered


def test_a_tail_that_grew_too_long_is_sealed(
    connect: Connect, clock: metering.FixedClock
) -> None:
    with connect(clock=clock, seal_events=None) as writer:
        create_meter(writer)
        keeping = connect(clock=clock, seal_events=100)
        with keeping.worker():
            writer.meter_events.ingest(columns(150), backfill=True)
            eventually(lambda: keeping.verify().segments == 1)


def test_credits_that_expire_are_told_when_their_time_comes(
    working: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    add_endpoint(working, receiver)

    with working.worker():
        grant(working, 500, expires_at=clock.now() + timedelta(hours=1))
        granted = [json.loads(receiver.next().body)["type"] for _ in range(2)]
        clock.advance(timedelta(hours=2))
        expired = json.loads(receiver.next().body)

    assert set(granted) == {
        "billing.credit_grant.created",
        "billing.credit_balance_transaction.created",
    }
    assert expired["type"] == "billing.credit_balance_transaction.created"
    assert expired["data"]["object"]["debit"]["type"] == "credits_expired"


@pytest.mark.dialect
def test_an_error_ends_the_worker_and_is_raised_where_it_is_left(
    working: metering.Metering, caplog: pytest.LogCaptureFixture
) -> None:
    worker = working.worker()

    def close_and_wait() -> None:
        with worker:
            working.close()
            worker.join(PATIENCE_SECONDS)

    with pytest.raises(metering.StoreClosedError):
        close_and_wait()

    with pytest.raises(metering.StoreClosedError):
        worker.join()
    (said,) = caplog.records
    assert said.getMessage().endswith(" is closed; connect to it again")
    assert said.exc_info is None


def test_a_fault_of_one_step_is_seen_stops_no_other_and_is_raised_where_it_is_left(
    working: metering.Metering, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = add_endpoint(working, receiver)
    worker = working.worker(progress=fail)

    def work() -> None:
        with worker:
            create_meter(working, "requests")
            eventually(lambda: "progress" in failing(working))
            create_meter(working, "more")
            eventually(lambda: states(working, endpoint) == ["delivered"] * 2)
            assert not worker.has_ended

    with pytest.raises(ZeroDivisionError):
        work()

    said = [each for each in caplog.records if each.exc_info is not None]
    assert [each.getMessage() for each in said] == [
        "What the worker did is not reported"
    ]
    assert working.loops() == ()


def test_what_was_done_while_a_progress_function_failed_is_reported_later(
    working: metering.Metering, receiver: Receiver
) -> None:
    endpoint = add_endpoint(working, receiver)
    receipts: list[metering.WorkReceipt] = []

    def fail_at_first(receipt: metering.WorkReceipt) -> None:
        receipts.append(receipt)
        if len(receipts) == 1:
            raise metering.StoreBusyError("another store", "it is locked")

    with working.worker(progress=fail_at_first):
        create_meter(working, "requests")
        eventually(lambda: len(receipts) > 0)
        create_meter(working, "more")
        eventually(lambda: states(working, endpoint) == ["delivered"] * 2)

    assert sum(each.enqueued for each in receipts[1:]) == 2
    assert sum(each.delivered for each in receipts[1:]) == 2


def fail(receipt: metering.WorkReceipt) -> None:
    raise ZeroDivisionError(receipt.position)


def failing(store: metering.Metering) -> dict[str, str | None]:
    return {each.name: each.code for each in store.loops() if each.failing_since}


def test_an_error_of_the_block_goes_before_one_of_the_worker(
    working: metering.Metering,
) -> None:
    def fail() -> None:
        working.close()
        raise ArithmeticError

    with pytest.raises(ArithmeticError), working.worker():
        fail()


@pytest.mark.parametrize("timeout", [timedelta(0), timedelta(hours=1), 10])
def test_how_long_to_wait_for_an_endpoint_is_checked(
    connect: Connect, timeout: timedelta
) -> None:
    with pytest.raises(metering.InvalidRequestError, match=r"webhook_timeout.*0:05:00"):
        connect(webhook_timeout=timeout)


@pytest.mark.parametrize("poll", [timedelta(0), timedelta(hours=2), 0.05])
def test_how_often_to_look_is_checked(
    working: metering.Metering, poll: timedelta
) -> None:
    with pytest.raises(metering.InvalidRequestError, match=r"poll.*up to 0:00:01"):
        working.worker(poll=poll)
