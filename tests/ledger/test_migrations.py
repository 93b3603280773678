"""Stores of earlier formats are brought up step by step, and lose nothing."""

import hashlib

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)

from ledger.errors import StoreMissingError
from ledger.migrations import BESIDE_THE_LOG, add_column, bring_up
from ledger.records.requests import idempotent_request
from ledger.schema import FORMAT_VERSION, format_version, log_head
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import append, row, stored_rows

pytestmark = pytest.mark.dialect

FORMAT_OF_SHOWN_SECRETS = 9


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


def test_answers_of_before_lose_the_secrets_that_they_showed(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    open_log()
    shown = b'{"id":"we_1","secret":"whsec_c2VjcmV0","url":"https://a.example"}'
    other = b'{"id":"mtr_1","secret":"whsec_c2VjcmV0"}'
    with open_store().write() as connection:
        for name, made, body in (("a", "we_1", shown), ("b", "mtr_1", other)):
            connection.execute(
                insert(idempotent_request).values(
                    key_id="key_1",
                    idempotency_key=name,
                    fingerprint=b"",
                    request_id="req_1",
                    resource_id=made,
                    status=200,
                    body=body,
                    created=1,
                )
            )
        connection.execute(
            update(log_head).values(format_version=FORMAT_OF_SHOWN_SECRETS)
        )

    open_log()

    digest = hashlib.sha256(b"whsec_c2VjcmV0").hexdigest().encode()
    with open_store().read() as connection:
        kept = connection.execute(
            select(idempotent_request.c.body).order_by(
                idempotent_request.c.idempotency_key
            )
        ).scalars()
        assert list(kept) == [
            shown.replace(b"whsec_c2VjcmV0", b"sha256:" + digest),
            other,
        ]
