"""Whatever a driver raises while a connection is lent becomes an error of ours."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from ledger.database.connections import translated
from ledger.errors import StoreError, StoreFullError, StoreUnavailableError


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("disk I/O error"),
        sqlite3.DatabaseError("disk I/O error"),
        psycopg.OperationalError("disk I/O error"),
        psycopg.InterfaceError("disk I/O error"),
        OperationalError(None, None, sqlite3.OperationalError("disk I/O error")),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_an_error_of_a_driver_leaves_as_one_of_ours(error: Exception) -> None:
    with pytest.raises(
        StoreUnavailableError, match=r"store x .*: disk I/O error"
    ) as it:
        raise_within(error)

    assert it.value.__cause__ is error


def test_an_error_of_a_full_disk_leaves_as_one() -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    with pytest.raises(StoreFullError):
        raise_within(full)


@pytest.mark.parametrize(
    "error", [OSError("of the caller"), ValueError("of the caller")]
)
def test_an_error_of_the_block_itself_is_left_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raise_within(error)

    assert not isinstance(caught.value, StoreError)


def raise_within(error: Exception) -> None:
    with translated("x"):
        raise error
