"""A store lives behind a pooler that gives each transaction another session."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

import metering
from ledger.database.addresses import open_database
from ledger.database.settings import DatabaseSettings
from ledger.errors import StoreBusyError, StoreUnavailableError
from tests.ledger.database.poolers import (
    PGBOUNCER,
    SESSIONS,
    pgbouncer,
    transaction_pooler,
)
from tests.waiting import eventually

pytestmark = [pytest.mark.postgresql, pytest.mark.dialect]

Pooler = Callable[[str], AbstractContextManager[str]]
POOLERS = [transaction_pooler, pgbouncer] if PGBOUNCER else [transaction_pooler]
THREADS, EACH = 6, 20


@pytest.fixture(params=POOLERS, ids=lambda pooler: pooler.__name__)
def pooled_url(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[str]:
    pooler: Pooler = request.param
    with pooler(postgresql_url) as url:
        yield url


def test_sessions_change_under_a_client(pooled_url: str) -> None:
    """What the other tests stand on: the poolers do what PgBouncer does."""
    with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as client:
        client.execute("SET application_name = 'mine'")
        found = {client.execute("SELECT pg_backend_pid()").fetchone() for _ in range(8)}

        # One client alone may keep PgBouncer's first session.
        assert len(found) > 1 or PGBOUNCER
        assert (client.info.backend_pid,) not in found


def test_a_store_behind_a_pooler_is_the_store(
    pooled_url: str, postgresql_url: str, tmp_path: Path
) -> None:
    places: dict[str, Any] = {
        "segments": tmp_path / "segments",
        "cache": tmp_path / "cache",
    }
    with (
        metering.connect(pooled_url, **places) as one,
        metering.connect(pooled_url, schema="other", pool_size=2) as other,
    ):
        stores = [one, other]
        meters = [
            store.meters.create(
                display_name="Tokens",
                event_name="tokens",
                default_aggregation={"formula": "sum"},
            )
            for store in stores
        ]

        def send(thread: int) -> None:
            for number in range(EACH):
                for store in stores[: 1 + number % 2]:
                    store.meter_events.create(
                        event_name="tokens",
                        identifier=f"{thread} {number}",
                        payload={"stripe_customer_id": "cus_1", "value": "2"},
                    )

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(send, range(THREADS)))
        assert one.seal() == 1
        one.catch_up()
        start = one.now().replace(minute=0, second=0, microsecond=0)
        values = [
            sum(
                summary.aggregated_value
                for summary in store.meters.event_summaries(
                    meter.id,
                    customer="cus_1",
                    start_time=start - timedelta(hours=1),
                    end_time=start + timedelta(hours=1),
                )
            )
            for store, meter in zip(stores, meters, strict=True)
        ]

        assert values == [2 * THREADS * EACH, THREADS * EACH]
        assert [store.verify().ok for store in stores] == [True, True]
    with metering.connect(postgresql_url, create=False, **places) as direct:
        assert direct.position == 1 + THREADS * EACH


def test_time_outs_hold_behind_a_pooler_and_directly(
    pooled_url: str, postgresql_url: str
) -> None:
    settings = DatabaseSettings(
        lock_timeout=timedelta(milliseconds=20),
        statement_timeout=timedelta(milliseconds=500),
    )
    for url in (pooled_url, postgresql_url):
        with (
            closing(open_database(postgresql_url, creates=True)) as first,
            closing(open_database(url, creates=True, settings=settings)) as second,
        ):
            with (
                first.write(),
                pytest.raises(StoreBusyError, match="lock timeout"),
                second.write(),
            ):
                pytest.fail("two write at once")
            with (
                pytest.raises(StoreUnavailableError, match="statement timeout"),
                second.read() as connection,
            ):
                connection.execute(text("SELECT pg_sleep(10)"))
            with second.write() as connection:
                connection.execute(text("SELECT 1"))


@pytest.mark.slow
def test_sealing_wants_no_second_session_while_it_holds_the_write_lock(
    pooled_url: str, tmp_path: Path
) -> None:
    def connected(name: str) -> metering.Metering:
        return metering.connect(
            pooled_url,
            cache=tmp_path / name,
            lock_timeout=timedelta(seconds=10),
            seal_events=None,
        )

    with ExitStack() as closing_all:
        sealer, *writers = (
            closing_all.enter_context(connected(f"cache-{number}"))
            for number in range(1 + SESSIONS)
        )
        sealer.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        is_sealed = threading.Event()

        def write(writer: metering.Metering) -> int:
            count = 0
            while not (is_sealed.is_set() and count):
                writer.meter_events.create(
                    event_name="tokens",
                    payload={"stripe_customer_id": "cus_1", "value": "2"},
                )
                count += 1
            return count

        with ThreadPoolExecutor(SESSIONS) as threads:
            counts = [threads.submit(write, writer) for writer in writers]
            try:
                for _ in range(5):
                    start = sealer.position
                    eventually(lambda start=start: sealer.position > start)  # type: ignore[misc]  # a default is no argument
                    assert sealer.seal() > 0
            finally:
                is_sealed.set()
        # Nobody gave up: the others waited with every session there is.
        assert sealer.position == 1 + sum(count.result() for count in counts)


def test_a_pool_gives_no_more_connections_than_it_has(postgresql_url: str) -> None:
    settings = DatabaseSettings(lock_timeout=timedelta(milliseconds=20), pool_size=1)
    with closing(
        open_database(postgresql_url, creates=True, settings=settings)
    ) as database:
        with (
            database.read(),
            database.watch() as connection,
            pytest.raises(StoreBusyError),
            database.read(),
        ):
            pytest.fail("there is one connection")
        # What is held is not the pool's.
        with database.read(), database.write() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
