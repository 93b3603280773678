"""An append in one statement, which PostgreSQL can do, keeps to the order of writers."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

import metering
from ledger.database.addresses import open_database
from tests.metering.usual_usage import create_event, create_meter
from tests.waiting import eventually

pytestmark = [pytest.mark.postgresql, pytest.mark.dialect]


def test_an_append_waits_where_another_one_writes(postgresql_url: str) -> None:
    with (
        metering.connect(postgresql_url) as store,
        closing(open_database(postgresql_url, creates=False)) as other,
        ThreadPoolExecutor() as threads,
    ):
        create_meter(store)
        with other.write():
            sent = threads.submit(create_event, store)
            eventually(lambda: is_awaited(postgresql_url))
            assert not sent.done()

        assert sent.result().position == 2


def is_awaited(url: str) -> bool:
    """Whether anybody waits for the write lock."""
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(url) as connection:
        return connection.execute(waiting).fetchone() is not None


def test_an_append_takes_in_what_others_recorded_first(postgresql_url: str) -> None:
    with (
        metering.connect(postgresql_url) as one,
        metering.connect(postgresql_url) as another,
    ):
        create_meter(one)
        sent = [
            create_event(store, identifier=f"{number}")
            for number in range(5)
            for store in (one, another)
        ]

        assert [event.position for event in sent] == [2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
        assert [event.duplicate for event in sent] == [False, True] * 5
        assert one.verify().ok
