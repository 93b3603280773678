"""Secrets of endpoints lie encrypted where there is a key, and deliveries wait for it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import stripe
from sqlalchemy import select, update

import metering
from ledger.database.addresses import open_database
from ledger.database.store import Database
from ledger.records.secret_keys import SecretKeys, key_name_of
from ledger.records.signing_secrets import webhook_secret
from tests.conftest import Connect
from tests.metering.usual_usage import create_meter
from tests.metering.usual_webhooks import add_endpoint
from tests.waiting import eventually
from tests.webhook_receiver import Received, Receiver

OLD, NEW = "a1" * 32, "b2" * 32
Open = Callable[[str], metering.Metering]


@pytest.fixture
def open_with(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the store as a process does that has some keys."""

    def opened(keys: str) -> metering.Metering:
        monkeypatch.setenv("METERING_SECRET_KEY", keys)
        return connect(
            allow_private_webhooks=True, webhook_timeout=timedelta(milliseconds=300)
        )

    return opened


@pytest.fixture
def database(store_target: str) -> Iterator[Database]:
    with closing(open_database(store_target, creates=True)) as opened:
        yield opened


def stored(database: Database) -> dict[str, list[str]]:
    """The secrets as the database has them, by endpoint, the oldest first."""
    rows = select(webhook_secret).order_by(webhook_secret.c.created)
    found: dict[str, list[str]] = {}
    with database.read() as connection:
        for row in connection.execute(rows):
            found.setdefault(row.endpoint_id, []).append(row.secret)
    return found


def name_of(keys: str) -> str:
    return SecretKeys([bytes.fromhex(keys)]).names[0]


def check_signed(received: Received, secret: str | None) -> None:
    header, body = received.headers["Stripe-Signature"], received.body.decode()
    assert stripe.WebhookSignature.verify_header(body, header, secret, None)


@pytest.mark.dialect
def test_a_secret_is_encrypted_and_signs(
    open_with: Open, receiver: Receiver, database: Database
) -> None:
    store = open_with(NEW)
    endpoint = add_endpoint(store, receiver)
    rotated = store.webhook_endpoints.rotate_secret(endpoint.id)
    create_meter(store)

    store.deliver()

    (received,) = receiver.received
    for secret in (endpoint.secret, rotated.secret):
        check_signed(received, secret)
        assert str(secret) not in str(stored(database))
    names = [key_name_of(each) for each in stored(database)[endpoint.id]]
    assert names == [name_of(NEW)] * 2


@pytest.mark.dialect
def test_secrets_in_the_clear_are_encrypted_by_a_call(
    open_with: Open, receiver: Receiver, database: Database
) -> None:
    clear = open_with("")
    endpoint, other = add_endpoint(clear, receiver), add_endpoint(clear, receiver, "/b")
    assert stored(database)[endpoint.id] == [endpoint.secret]
    store = open_with(NEW)
    create_meter(store)

    assert store.webhook_endpoints.encrypt_secrets() == 2
    assert store.webhook_endpoints.encrypt_secrets() == 0

    assert str(endpoint.secret) not in str(stored(database))
    assert str(other.secret) not in str(stored(database))
    store.deliver()
    check_signed(receiver.at("/")[0], endpoint.secret)
    check_signed(receiver.at("/b")[0], other.secret)


@pytest.mark.dialect
def test_a_key_is_replaced(
    open_with: Open, receiver: Receiver, database: Database
) -> None:
    endpoint = add_endpoint(open_with(OLD), receiver)
    both = open_with(f"{NEW},{OLD}")
    create_meter(both)
    both.deliver()

    assert both.webhook_endpoints.encrypt_secrets() == 1

    store = open_with(NEW)
    store.meters.update(store.meters.list()[0].id, display_name="Renamed")
    store.deliver()
    assert len(receiver.received) == 2
    for each in receiver.received:
        check_signed(each, endpoint.secret)
    assert key_name_of(stored(database)[endpoint.id][0]) == name_of(NEW)


@pytest.mark.dialect
@pytest.mark.parametrize("keys", ["", OLD])
def test_without_its_key_a_delivery_waits_and_is_not_lost(
    open_with: Open, receiver: Receiver, keys: str
) -> None:
    store = open_with(NEW)
    endpoint = add_endpoint(store, receiver)
    create_meter(store)
    without = open_with(keys)

    with pytest.raises(metering.SecretError) as raised:
        without.deliver()

    assert raised.value.code == "secret_key_missing"
    assert endpoint.id in raised.value.message
    assert name_of(NEW) in raised.value.message
    assert receiver.received == []
    (delivery,) = without.webhook_endpoints.deliveries(endpoint.id)
    assert (delivery.status, delivery.attempts) == ("pending", ())
    assert open_with(NEW).deliver().delivered == 1
    check_signed(receiver.received[0], endpoint.secret)


@pytest.mark.dialect
def test_one_secret_that_cannot_be_read_delays_no_other_endpoint(
    open_with: Open, receiver: Receiver, database: Database
) -> None:
    store = open_with(NEW)
    good, bad = add_endpoint(store, receiver, "/good"), add_endpoint(store, receiver)
    swap(database, good.id, bad.id)
    create_meter(store)

    with pytest.raises(metering.SecretError) as raised:
        store.deliver()

    assert raised.value.code == "secret_damaged"
    assert bad.id in raised.value.message
    check_signed(receiver.at("/good")[0], good.secret)
    assert len(receiver.received) == 1
    store.webhook_endpoints.rotate_secret(bad.id, overlap=timedelta(0))
    assert store.deliver().delivered == 1


@pytest.mark.parametrize("way", ["deleted", "disabled", "delivered"])
def test_a_delivery_that_waits_no_more_is_no_failure(
    open_with: Open, receiver: Receiver, way: str
) -> None:
    store = open_with(NEW)
    endpoint = add_endpoint(store, receiver)
    create_meter(store)
    without = open_with("")

    with without.worker(poll=timedelta(milliseconds=1)):
        eventually(lambda: is_failing(without))
        if way == "deleted":
            store.webhook_endpoints.delete(endpoint.id)
        elif way == "disabled":
            store.webhook_endpoints.update(endpoint.id, disabled=True)
        else:
            store.deliver()
        eventually(lambda: not is_failing(without))


def is_failing(store: metering.Metering) -> bool:
    return any(each.failing_since is not None for each in store.loops())


def swap(database: Database, one: str, other: str) -> None:
    """Give an endpoint what is stored as the secret of another one."""
    secrets = stored(database)
    with database.write() as connection:
        connection.execute(
            update(webhook_secret)
            .where(webhook_secret.c.endpoint_id == other)
            .values(secret=secrets[one][0])
        )


@pytest.mark.dialect
def test_without_a_key_no_secret_is_added_in_the_clear(
    open_with: Open, receiver: Receiver, database: Database
) -> None:
    endpoint = add_endpoint(open_with(NEW), receiver)
    without = open_with("")
    before = stored(database)
    calls: list[Callable[[], Any]] = [
        lambda: add_endpoint(without, receiver),
        lambda: without.webhook_endpoints.rotate_secret(endpoint.id),
        without.webhook_endpoints.encrypt_secrets,
    ]

    for call in calls:
        with pytest.raises(metering.SecretError, match="METERING_SECRET_KEY"):
            call()

    assert stored(database) == before


def test_a_worker_goes_on_without_the_key_and_says_what_waits(
    open_with: Open, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_with(NEW)
    endpoint = add_endpoint(store, receiver)
    create_meter(store)
    without = open_with("")

    with caplog.at_level(logging.ERROR), without.worker() as worker:
        eventually(lambda: endpoint.id in caplog.text)
        assert not worker.has_ended

    assert "Deliveries wait" in caplog.text
    assert open_with(NEW).deliver().delivered == 1
