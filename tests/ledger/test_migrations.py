"""Stores of earlier formats are brought up step by step, and lose nothing."""

import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, inspect, text

from ledger.errors import StoreMissingError
from ledger.migrations import (
    BESIDE_THE_LOG,
    FORMAT_VERSION,
    add_column,
    bring_up,
    format_version,
)
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import append, row, stored_rows

pytestmark = pytest.mark.dialect


def run(open_store: OpenDatabase, *statements: str) -> None:
    with open_store().write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_a_store_that_knew_no_segments_is_brought_up(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    append(open_log(), row("a"), row("b"))
    run(
        open_store,
        "ALTER TABLE log_head DROP COLUMN sealed_position",
        "DROP TABLE log_segment",
        "DROP TABLE log_sealing",
        *(f"DROP TABLE {each.name}" for each in BESIDE_THE_LOG),
        "UPDATE log_head SET format_version = 1",
    )

    log = open_log()

    assert stored_rows(log) == [(1, row("a")), (2, row("b"))]
    assert log.seal() == 1
    assert stored_rows(open_log()) == [(1, row("a")), (2, row("b"))]
    with open_store().read() as connection:
        assert format_version(connection) == FORMAT_VERSION
        there = set(inspect(connection).get_table_names())
    assert {each.name for each in BESIDE_THE_LOG} <= there


def test_a_column_is_added_to_rows_that_are_there_and_to_new_tables_whole(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    open_log()
    metadata = MetaData()
    head = Table("log_head", metadata, Column("note", BigInteger, nullable=True))
    absent = Table("absent", metadata, Column("note", BigInteger, nullable=True))

    def add(connection: Connection) -> None:
        add_column(connection, head.c.note, None)
        # The last step creates it, as it is defined by then.
        add_column(connection, absent.c.note, None)

    steps = [lambda _: None] * (FORMAT_VERSION - 1)
    bring_up(open_store(), None, [*steps, add])

    with open_store().read() as connection:
        assert format_version(connection) == FORMAT_VERSION + 1
        assert connection.execute(text("SELECT note FROM log_head")).all() == [(None,)]


def test_a_step_that_fails_leaves_the_version_before(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    append(open_log(), row("a"))

    def fail(connection: Connection) -> None:
        connection.execute(text("DROP TABLE api_key"))
        raise ZeroDivisionError

    steps = [lambda _: None] * (FORMAT_VERSION - 1)
    with pytest.raises(ZeroDivisionError):
        bring_up(open_store(), None, [*steps, fail])

    with open_store().read() as connection:
        assert format_version(connection) == FORMAT_VERSION
        assert inspect(connection).has_table("api_key")
    assert stored_rows(open_log()) == [(1, row("a"))]


def test_a_store_is_not_made_where_it_must_exist(open_store: OpenDatabase) -> None:
    with pytest.raises(StoreMissingError):
        bring_up(open_store(), None, [])

    with open_store().read() as connection:
        assert format_version(connection) is None
