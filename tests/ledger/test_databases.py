"""Databases that hold a log: durable, snapshot reads, and one writer at a time."""

import resource
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from ledger.database.addresses import open_database
from ledger.database.directories import LOG_FILE
from ledger.database.settings import DatabaseSettings
from ledger.database.sqlite import SQLiteDatabase
from ledger.database.store import Database
from ledger.errors import (
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
)
from tests.ledger.conftest import OpenDatabase

pytestmark = pytest.mark.dialect


@pytest.fixture
def database(open_store: OpenDatabase) -> Database:
    """A database with one table, `number`, and one row in it."""
    opened = open_store()
    with opened.write() as connection:
        connection.execute(text("CREATE TABLE number (value integer)"))
        connection.execute(text("INSERT INTO number VALUES (1)"))
    return opened


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[SQLiteDatabase]:
    database = SQLiteDatabase(tmp_path / LOG_FILE)
    yield database
    database.close()


def numbers(connection: Connection) -> list[int]:
    rows = connection.execute(text("SELECT value FROM number ORDER BY value"))
    return list(rows.scalars())


def insert(connection: Connection, value: int) -> None:
    connection.execute(text("INSERT INTO number VALUES (:value)"), {"value": value})


def test_what_was_written_is_read(database: Database, open_store: OpenDatabase) -> None:
    with database.write() as connection:
        insert(connection, 2)

    for reader in (database, open_store()):
        with reader.read() as connection:
            assert numbers(connection) == [1, 2]


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            insert(connection, 2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()

    with database.read() as connection:
        assert numbers(connection) == [1]


def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(StoreUnavailableError), database.read() as connection:
        insert(connection, 2)

    with database.write() as connection:
        assert numbers(connection) == [1]


def test_a_read_sees_one_snapshot(database: Database, open_store: OpenDatabase) -> None:
    other = open_store()

    with database.read() as connection:
        before = numbers(connection)
        with other.write() as writing:
            insert(writing, 2)
        during = numbers(connection)
    with database.read() as connection:
        after = numbers(connection)

    assert (before, during, after) == ([1], [1], [1, 2])


def test_a_read_does_not_see_what_is_not_committed(
    database: Database, open_store: OpenDatabase
) -> None:
    other = open_store()

    with database.write() as writing:
        insert(writing, 2)
        with other.read() as connection:
            assert numbers(connection) == [1]


def test_a_writer_waits_for_the_one_before_and_sees_what_it_wrote(
    database: Database, open_store: OpenDatabase
) -> None:
    other, seen, begun = open_store(), list[int](), threading.Event()

    def write_too() -> None:
        begun.set()
        with other.write() as connection:
            seen.extend(numbers(connection))

    second = threading.Thread(target=write_too)
    with database.write() as connection:
        second.start()
        assert begun.wait(timeout=60)
        insert(connection, 2)
    second.join()

    assert seen == [1, 2]


def test_writers_of_many_threads_take_turns(database: Database) -> None:
    def add_one() -> None:
        for _ in range(10):
            with database.write() as connection:
                insert(connection, max(numbers(connection)) + 1)

    threads = [threading.Thread(target=add_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as connection:
        assert numbers(connection) == list(range(1, 82))


def test_errors_of_the_driver_are_ours_and_show_no_values(database: Database) -> None:
    with pytest.raises(StoreUnavailableError) as caught, database.write() as connection:
        connection.execute(
            text("INSERT INTO nothing VALUES (:value)"), {"value": "secret"}
        )

    assert "secret" not in str(caught.value)
    assert database.address in caught.value.message


def test_commits_to_a_file_are_durable(sqlite_database: SQLiteDatabase) -> None:
    for opened in (sqlite_database.read(), sqlite_database.write()):
        with opened as connection:
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "wal_autocheckpoint")
            }

        assert settings == {
            "journal_mode": "wal",
            "synchronous": 2,
            "wal_autocheckpoint": 0,
        }


def test_an_interrupt_leaves_no_transaction_in_a_connection_that_is_held(
    sqlite_database: SQLiteDatabase, tmp_path: Path
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for borrow, name in (
        (sqlite_database.write, "begin"),
        (sqlite_database.watch, "before_cursor_execute"),
    ):
        with borrow() as connection:
            engine = connection.engine
        event.listen(engine, name, interrupt)
        with pytest.raises(KeyboardInterrupt), borrow() as connection:
            connection.execute(text("SELECT 1"))
        event.remove(engine, name, interrupt)

        with closing(sqlite3.connect(tmp_path / LOG_FILE, timeout=0)) as another:
            another.execute("BEGIN IMMEDIATE")
        with borrow() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1


def wait_for_fold() -> None:
    """Wait until what a large commit left to another thread is done."""
    for each in threading.enumerate():
        if each.name == "metering-folding":
            each.join()


def test_the_write_ahead_log_is_folded_into_the_file_when_it_is_long(
    sqlite_database: SQLiteDatabase, tmp_path: Path
) -> None:
    file = tmp_path / LOG_FILE
    with sqlite_database.write() as connection:
        connection.execute(text("CREATE TABLE number (value blob)"))
    with sqlite_database.write() as connection:
        connection.execute(text("INSERT INTO number VALUES (zeroblob(1000000))"))
    before = file.stat().st_size

    with sqlite_database.write(body_bytes=64 << 20) as connection:
        insert(connection, 1)

    wait_for_fold()
    assert before < 1_000_000 < file.stat().st_size


def test_the_write_ahead_log_is_folded_as_far_as_readers_allow(
    sqlite_database: SQLiteDatabase, tmp_path: Path
) -> None:
    file = tmp_path / LOG_FILE
    with sqlite_database.write() as connection:
        connection.execute(text("CREATE TABLE number (value integer)"))

    with sqlite_database.read() as reading:
        before = numbers(reading)
        with sqlite_database.write(body_bytes=64 << 20) as connection:
            connection.execute(text("CREATE TABLE large (value blob)"))
            connection.execute(text("INSERT INTO large VALUES (zeroblob(1000000))"))
            insert(connection, 1)
        wait_for_fold()
        during, size_during = numbers(reading), file.stat().st_size
    with sqlite_database.write(body_bytes=64 << 20) as connection:
        insert(connection, 2)

    wait_for_fold()
    assert (before, during) == ([], [])
    assert size_during < 1_000_000 < file.stat().st_size
    with sqlite_database.read() as connection:
        assert numbers(connection) == [1, 2]


def test_space_that_cannot_be_given_back_is_an_error_of_ours(tmp_path: Path) -> None:
    settings = DatabaseSettings(lock_timeout=timedelta(milliseconds=1))
    with closing(SQLiteDatabase(tmp_path / LOG_FILE, settings)) as database:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE number (value blob)"))
            connection.execute(text("INSERT INTO number VALUES (zeroblob(1000000))"))
        with database.write() as connection:
            connection.execute(text("DELETE FROM number"))

        with closing(sqlite3.connect(tmp_path / LOG_FILE, timeout=0)) as another:
            another.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusyError):
                database.reclaim()

        database.reclaim()
    assert (tmp_path / LOG_FILE).stat().st_size < 1_000_000


def test_a_write_is_written_though_it_cannot_be_folded_which_the_next_one_raises(
    sqlite_database: SQLiteDatabase,
) -> None:
    def insert_large(body_bytes: int = 0) -> None:
        with sqlite_database.write(body_bytes) as connection:
            connection.execute(text("INSERT INTO large VALUES (zeroblob(2000000))"))
        wait_for_fold()

    def count() -> int:
        with sqlite_database.read() as connection:
            counted = text("SELECT count(*) FROM large")
            return int(connection.execute(counted).scalar_one())

    with sqlite_database.write() as connection:
        connection.execute(text("CREATE TABLE large (value blob)"))
    insert_large(body_bytes=64 << 20)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
    try:
        # The write-ahead log has room for it, the file has not.
        insert_large(body_bytes=64 << 20)
        assert count() == 2
        with pytest.raises(StoreError):
            insert_large()
        assert count() == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    insert_large()

    assert count() == 3


def test_an_address_without_a_scheme_is_a_directory(tmp_path: Path) -> None:
    for address in (str(tmp_path / "a" / "b"), tmp_path / "c d'\"%?#"):
        database = open_database(address, creates=True)

        assert Path(database.address) == Path(address) / LOG_FILE
        assert (Path(address) / LOG_FILE).exists()
        database.close()


def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(StoreUnavailableError) as caught:
        open_database("postgresql://user:secret@host/usage", creates=True)

    assert caught.value.message == (
        "The store postgresql://user:***@host/usage cannot be used: its driver is not"
        " installed; pip install 'metering-engine[postgresql]'"
    )


def test_the_address_of_a_server_hides_its_password(postgresql_url: str) -> None:
    scheme, _, rest = postgresql_url.partition("://")
    user, _, host = rest.partition("@")
    with_password = f"{scheme}://{user.partition(':')[0]}:secret@{host}"

    database = open_database(with_password, creates=True)

    assert "secret" not in database.address
    assert database.address.startswith("postgresql://")
    database.close()


def test_a_connection_in_use_is_closed_once_it_is_given_back(
    open_store: OpenDatabase,
) -> None:
    store = open_store()
    with store.read() as connection, store.read() as another:
        drivers = [each.connection.driver_connection for each in (connection, another)]
        store.close()
        assert connection.scalar(text("SELECT 1")) == 1
    for use in (store.read, store.watch, store.write):
        with use() as late:
            drivers.append(late.connection.driver_connection)

    for driver in drivers:
        assert driver is not None
        with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError)):
            driver.cursor().execute("SELECT 1")


# What a database refuses is known by its code, in whatever language it says so.


@pytest.mark.postgresql
@pytest.mark.dialect
@pytest.mark.parametrize(
    ("state", "message", "expected"),
    [
        ("53100", "konnte Datei nicht erweitern", StoreFullError),
        ("55P03", "Anweisung wird wegen Sperrzeitüberschreitung abgebrochen", StoreBusyError),
        ("57014", "Anweisung wird wegen Zeitüberschreitung abgebrochen", StoreBusyError),
        ("40P01", "Verklemmung (Deadlock) entdeckt", StoreBusyError),
        ("P0001", "disk is full, database is locked, lock timeout", StoreUnavailableError),
    ],
)  # fmt: skip
def test_what_postgresql_refuses_is_known_by_its_code(
    postgresql_url: str, state: str, message: str, expected: type[StoreError]
) -> None:
    raising = f"DO $$ BEGIN RAISE '{message}' USING ERRCODE = '{state}'; END $$"

    with closing(open_database(postgresql_url, creates=True)) as database:
        with (
            pytest.raises(expected, match=message.split(maxsplit=1)[0]) as caught,
            database.write() as connection,
        ):
            connection.exec_driver_sql(raising)

        assert type(caught.value) is expected


def test_what_sqlite_refuses_is_known_by_its_code(
    sqlite_database: SQLiteDatabase,
) -> None:
    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE body (content blob)")
        connection.exec_driver_sql("PRAGMA max_page_count = 4")
        connection.exec_driver_sql("INSERT INTO body VALUES (zeroblob(1000000))")

    with pytest.raises(StoreFullError), sqlite_database.write() as connection:
        fill(connection)
    with (
        pytest.raises(StoreUnavailableError) as caught,
        sqlite_database.write() as connection,
    ):
        connection.exec_driver_sql('SELECT * FROM "disk is full, database is locked"')
    assert type(caught.value) is StoreUnavailableError


@pytest.mark.parametrize(
    "schema", ["", "Metering", "pg_metering", "a b", "a;b", "1a", "a" * 64]
)
def test_a_schema_that_would_need_quotes_is_refused(schema: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"its schema .* is no name"):
        open_database("postgresql://nowhere/db", creates=True, schema=schema)


def test_a_directory_has_no_schema(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="only PostgreSQL has schemas"):
        open_database(tmp_path / "usage", creates=True, schema="metering")

    assert not (tmp_path / "usage").exists()
