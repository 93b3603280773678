"""What is sent follows from the log, and not from when somebody delivers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

import metering
from ledger.database.addresses import open_database
from tests.metering.usual_credits import apply, grant, line
from tests.metering.usual_usage import NOW, create_meter
from tests.metering.usual_webhooks import add_endpoint, bodies
from tests.webhook_receiver import Receiver, answering

HOUR = timedelta(hours=1)


def told(receiver: Receiver, path: str = "/") -> list[str]:
    """The names of the meters that events told of, or else their types."""
    return [
        each["data"]["object"].get("event_name", each["type"].removeprefix("billing."))
        for each in bodies(receiver, path)
    ]


def nothing(store: metering.Metering) -> None:
    del store


def deliver(store: metering.Metering) -> None:
    store.deliver()


def forget_tables(store: metering.Metering) -> None:
    store.rebuild()


@pytest.mark.parametrize("between", [nothing, deliver, forget_tables])
def test_an_update_holds_for_what_happens_after_it(
    sending: metering.Metering,
    receiver: Receiver,
    between: Callable[[metering.Metering], None],
) -> None:
    endpoints = sending.webhook_endpoints
    endpoint = add_endpoint(sending, receiver, enabled_events=["billing.meter.created"])
    meter = create_meter(sending, "first")
    sending.meters.update(meter.id, display_name="not wanted yet")
    between(sending)
    endpoints.update(endpoint.id, enabled_events=["billing.meter.updated"])
    create_meter(sending, "not wanted any more")
    sending.meters.update(meter.id, display_name="wanted now")
    between(sending)
    endpoints.update(endpoint.id, disabled=True)
    sending.meters.update(meter.id, display_name="happened while disabled")
    between(sending)
    endpoints.update(endpoint.id, disabled=False, enabled_events=["*"])
    create_meter(sending, "last")

    sending.deliver()

    assert told(receiver) == ["first", "first", "last"]
    names = [each["data"]["object"]["display_name"] for each in bodies(receiver)]
    assert names == ["A meter", "wanted now", "A meter"]


@pytest.mark.dialect
@pytest.mark.parametrize("between", [nothing, deliver])
def test_what_was_not_delivered_before_a_stop_is_delivered_after_it(
    sending: metering.Metering,
    receiver: Receiver,
    clock: metering.FixedClock,
    between: Callable[[metering.Metering], None],
) -> None:
    receiver.behaviours["/"] = answering(500)
    endpoint = add_endpoint(sending, receiver)
    create_meter(sending, "before")
    between(sending)
    sending.webhook_endpoints.update(endpoint.id, disabled=True)
    tried = len(receiver.received)
    clock.advance(timedelta(days=40))
    assert sending.deliver().delivered == 0
    assert len(receiver.received) == tried

    del receiver.behaviours["/"]
    sending.webhook_endpoints.update(endpoint.id, disabled=False)
    sending.deliver()

    assert told(receiver)[tried:] == ["before"]


def test_an_endpoint_that_is_deleted_is_sent_nothing_more(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    receiver.behaviours["/"] = answering(500)
    endpoint = add_endpoint(sending, receiver)
    create_meter(sending)
    sending.deliver()
    create_meter(sending, "requests")
    sending.webhook_endpoints.delete(endpoint.id)
    clock.advance(timedelta(minutes=1))

    assert sending.deliver() == metering.DeliveryReceipt(
        enqueued=0, delivered=0, failed=0
    )
    assert len(receiver.received) == 1
    for ask in (
        sending.webhook_endpoints.retrieve,
        sending.webhook_endpoints.deliveries,
        sending.webhook_endpoints.rotate_secret,
        sending.webhook_endpoints.delete,
    ):
        with pytest.raises(metering.ResourceMissingError, match=endpoint.id):
            ask(endpoint.id)


@pytest.mark.dialect
def test_what_was_sent_is_forgotten_after_thirty_days(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    endpoints = sending.webhook_endpoints
    works = add_endpoint(sending, receiver)
    gone = add_endpoint(sending, receiver, "/gone")
    receiver.behaviours["/gone"] = answering(500)
    create_meter(sending)
    sending.deliver()
    endpoints.update(gone.id, disabled=True)
    create_meter(sending, "requests")
    sending.deliver()
    clock.advance(timedelta(days=30))
    sending.deliver()
    assert len(endpoints.deliveries(works.id)) == 2

    clock.advance(timedelta(microseconds=1))
    sending.deliver()

    # The first is still to be sent to the other one.
    (kept,) = endpoints.deliveries(works.id)
    assert kept.event == sending.events.list()[-1].id
    assert sending.deliver().enqueued == 0
    assert len(sending.events.list()) == 2
    endpoints.update(gone.id, disabled=False)
    del receiver.behaviours["/gone"]
    sending.deliver()
    assert told(receiver, "/gone") == ["tokens", "tokens"]
    assert receiver.at("/gone")[0].body == receiver.at("/gone")[1].body
    sending.deliver()
    assert endpoints.deliveries(works.id) == []


def test_an_expiry_is_told_once_whatever_is_given_back_after_it(
    sending: metering.Metering, receiver: Receiver, clock: metering.FixedClock
) -> None:
    add_endpoint(sending, receiver)
    grant(sending, expires_at=NOW + 1 * HOUR)
    apply(sending, "in_1", line(1_000))
    grant(sending, expires_at=NOW + 2 * HOUR)
    grant(sending, expires_at=NOW + 3 * HOUR)
    sending.deliver()
    before = len(receiver.received)
    clock.advance(HOUR)
    assert sending.deliver().delivered == 0
    sending.credits.reinstate(invoice="in_1")
    sending.deliver()
    clock.advance(HOUR)
    sending.deliver()
    position = sending.position

    for _ in range(3):
        sending.deliver()

    kinds = [each["data"]["object"] for each in bodies(receiver)[before:]]
    # Given back and at once expired again; then the second grant.
    assert [(each["debit"] or each["credit"])["type"] for each in kinds] == [
        "credits_application_invoice_voided",
        "credits_expired",
        "credits_expired",
    ]
    assert sending.position == position
    clock.advance(HOUR)
    assert sending.deliver().delivered == 1


def test_a_round_of_a_worker_that_has_nothing_to_do_scans_nothing(
    tmp_path: Any, receiver: Receiver, clock: metering.FixedClock
) -> None:
    target = str(tmp_path / "usage")
    statements: list[tuple[str, Any]] = []

    def on_statement(
        connection: object, cursor: object, statement: str, given: Any, *_: object
    ) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            statements.append((statement, given))

    with metering.connect(target, clock=clock, allow_private_webhooks=True) as store:
        add_endpoint(store, receiver)
        create_meter(store)
        grant(store, expires_at=NOW + 1 * HOUR)
        store.deliver()
        event.listen(Engine, "before_cursor_execute", on_statement)
        try:
            store.deliver()
            clock.advance(HOUR)
            store.deliver()
        finally:
            event.remove(Engine, "before_cursor_execute", on_statement)

    database = open_database(target, creates=False)
    plans = []
    with database.read() as connection:
        for statement, given in statements:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            plans += [row.detail for row in rows]
    database.close()
    long_tables = (
        "webhook_delivery",
        "webhook_attempt",
        "webhook_event",
        "credit_grant",
        "credit_application",
        "resource_change",
        "log_commit",
    )
    assert any("credit_grant_expiry" in plan for plan in plans)
    assert any("webhook_delivery_pending" in plan for plan in plans)
    assert any("webhook_delivery_first" in plan for plan in plans)
    assert any("webhook_event_created" in plan for plan in plans)
    scans = [plan for plan in plans if plan.startswith("SCAN")]
    assert [plan for plan in scans if plan.split()[1] in long_tables] == []
