"""The outbox costs two write transactions a delivery, and waits for no append."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import Engine, event

import metering
from ledger.database.addresses import open_database
from ledger.records.outbox import Outbox
from tests.conftest import Connect
from tests.metering.usual_usage import create_meter
from tests.metering.usual_webhooks import add_endpoint
from tests.webhook_receiver import Receiver

NOW = 1_700_000_000_000_000
LEASE = 90_000_000


@contextmanager
def counting_commits() -> Iterator[list[object]]:
    """Count the database transactions that write, of all stores."""
    committed: list[object] = []
    writes = {"INSERT", "UPDATE", "DELETE", "COPY"}
    dirty: set[int] = set()

    def on_statement(
        connection: object, cursor: object, statement: str, *_: object
    ) -> None:
        if statement.lstrip().partition(" ")[0].upper() in writes:
            dirty.add(id(connection))

    def on_commit(connection: object) -> None:
        if id(connection) in dirty:
            dirty.discard(id(connection))
            committed.append(connection)

    event.listen(Engine, "before_cursor_execute", on_statement)
    event.listen(Engine, "commit", on_commit)
    try:
        yield committed
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)
        event.remove(Engine, "commit", on_commit)


@pytest.mark.dialect
@pytest.mark.parametrize("count", [1, 5])
def test_each_delivery_costs_a_write_and_the_lane_one_more(
    sending: metering.Metering, receiver: Receiver, count: int
) -> None:
    add_endpoint(sending, receiver)
    for number in range(count):
        create_meter(sending, f"meter {number}")

    with counting_commits() as committed:
        receipt = sending.deliver()

    assert (receipt.delivered, receipt.failed) == (count, 0)
    # All are enqueued in one; one takes the lease; each attempt is recorded in one,
    # which fetches the next.
    assert len(committed) == 1 + 1 + count


@pytest.mark.postgresql
@pytest.mark.dialect
def test_deliveries_do_not_wait_for_who_holds_the_lock_of_the_log(
    postgresql_url: str, receiver: Receiver
) -> None:
    with (
        metering.connect(postgresql_url, allow_private_webhooks=True) as store,
        closing(open_database(postgresql_url, creates=False)) as other,
    ):
        add_endpoint(store, receiver)
        create_meter(store, "calls")

        with other.write():
            receipt = store.deliver()

        assert (receipt.delivered, receipt.failed) == (1, 0)


@pytest.mark.dialect
def test_a_lease_is_one_holders_until_it_expires(
    connect: Connect, store_target: str
) -> None:
    connect()
    with closing(open_database(store_target, creates=False)) as database:

        def leased(holder: str, now: int) -> bool:
            with database.write_beside() as connection:
                outbox = Outbox(connection)
                return outbox.lease("we_1", holder, now, now + LEASE)

        with database.write() as connection:
            Outbox(connection).open("we_1")

        assert leased("ours", NOW)
        assert not leased("theirs", NOW + LEASE - 1)
        # The process that holds it may have failed to give it back.
        assert leased("ours", NOW + LEASE - 1)
        assert leased("theirs", NOW + 2 * LEASE)
        with database.write_beside() as connection:
            outbox = Outbox(connection)
            assert not outbox.renew("we_1", "ours", NOW + 9 * LEASE)
            outbox.release("we_1", "ours")
        assert not leased("third", NOW + 2 * LEASE)


@pytest.mark.postgresql
@pytest.mark.dialect
def test_an_endpoint_whose_row_is_locked_is_left_to_the_other_process(
    postgresql_url: str,
) -> None:
    with metering.connect(postgresql_url):
        pass
    with (
        closing(open_database(postgresql_url, creates=False)) as ours,
        closing(open_database(postgresql_url, creates=False)) as theirs,
    ):
        with ours.write() as connection:
            Outbox(connection).open("we_1")
            Outbox(connection).open("we_2")

        with ours.write_beside() as first, theirs.write_beside() as second:
            assert Outbox(first).lease("we_1", "ours", NOW, NOW + LEASE)
            # It does not wait; and other endpoints are free.
            assert not Outbox(second).lease("we_1", "theirs", NOW, NOW + LEASE)
            assert Outbox(second).lease("we_2", "theirs", NOW, NOW + LEASE)
