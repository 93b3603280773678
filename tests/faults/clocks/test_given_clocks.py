"""What lies beside the log follows no clock that was given, and no log, into the future."""

from datetime import timedelta

import pytest
from sqlalchemy import update

import metering
from ledger.records.idempotency import Request
from ledger.records.outbox_tables import webhook_delivery, webhook_outbox
from metering.access.api_keys import digest_of
from metering.arguments.clock import microseconds
from metering.webhooks.delivery.delivering import Lanes
from metering.webhooks.delivery.sending import sender_of
from tests.conftest import Connect
from tests.metering.usual_usage import create_meter

YEAR, DAY = timedelta(days=365), timedelta(days=1)
# Nothing listens there.
NOWHERE = "http://127.0.0.1:9/"

pytestmark = [
    pytest.mark.dialect,
    pytest.mark.parametrize("is_spoiled", [False, True], ids=["right", "spoiled"]),
]


@pytest.fixture
def ours(connect: Connect) -> metering.Metering:
    """A connection by the system's clock, which is right, with something to deliver."""
    opened = connect(allow_private_webhooks=True)
    opened.webhook_endpoints.create(url=NOWHERE, enabled_events=["*"])
    create_meter(opened)
    return opened


@pytest.fixture
def ahead(
    connect: Connect, ours: metering.Metering, *, is_spoiled: bool
) -> metering.Metering:
    """Another one, by a clock of a year from now; it may have recorded something."""
    clock = metering.FixedClock(ours.now() + YEAR)
    opened = connect(clock=clock, allow_private_webhooks=True)
    if is_spoiled:
        create_meter(opened, "of_next_year")
    return opened


def request_of(key: str) -> Request:
    return Request(
        key_id="key_1",
        idempotency_key=key,
        fingerprint=key.encode(),
        request_id=f"req_{key}",
    )


def test_a_request_is_not_forgotten(
    ours: metering.Metering, ahead: metering.Metering
) -> None:
    ours.internals.requests.answer(request_of("made"), 200, b"{}")

    ahead.internals.requests.answer(request_of("another"), 200, b"{}")

    for each in (ours, ahead):
        assert each.internals.requests.find(request_of("made")) is not None


def test_a_delivery_is_not_put_off(
    ours: metering.Metering, ahead: metering.Metering
) -> None:
    ahead.deliver()

    delivery = last_delivery(ours)
    assert delivery.status == "pending"
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at < ours.now() + DAY


def test_a_delivery_that_was_put_off_by_a_year_is_due(
    ours: metering.Metering, ahead: metering.Metering
) -> None:
    """By an earlier release, or on a machine whose clock was wrong."""
    ahead.deliver()
    made = len(last_delivery(ours).attempts)
    a_year_on = microseconds(ours.now() + YEAR)
    with ours._engine.outbox() as (outbox, _):  # noqa: SLF001  # as it is stored
        outbox.connection.execute(
            update(webhook_delivery).values(next_attempt_at=a_year_on)
        )
        outbox.connection.execute(
            update(webhook_outbox).values(claimed_by="dead", claimed_until=a_year_on)
        )

    with Lanes(ours._engine, sender_of(ours._engine.settings)) as lanes:  # noqa: SLF001  # without alerts
        lanes.deliver_all()

    delivery = last_delivery(ours)
    assert len(delivery.attempts) == made + 1
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at < ours.now() + DAY


def last_delivery(m: metering.Metering) -> metering.WebhookDelivery:
    [endpoint] = m.webhook_endpoints.list()
    [delivery] = m.webhook_endpoints.deliveries(endpoint.id, limit=1)
    return delivery


def test_a_session_is_open_for_minutes(
    ours: metering.Metering, ahead: metering.Metering
) -> None:
    key = ours.api_keys.create(name="tests")
    sessions = [
        each.meter_event_sessions.create(key_id=key.id) for each in (ours, ahead)
    ]

    for each in (ours, ahead):
        for session in sessions:
            token = digest_of(str(session.authentication_token))
            assert not each.internals.sessions_by_digest([token])[token].is_expired
            assert session.expires_at < ours.now() + DAY


def test_a_key_is_created_now(
    ours: metering.Metering, ahead: metering.Metering
) -> None:
    before = ours.api_keys.create(name="before")

    created = ahead.api_keys.create(name="after")

    assert before.created <= created.created < ours.now() + DAY
