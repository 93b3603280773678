"""Errors are one tree, and each says in one sentence what is wrong and with what."""

import errno
import pickle
import re
import sqlite3
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from ledger import errors
from ledger.database.connections import store_error, translated
from ledger.errors import (
    ClockSkewError,
    CommitOutcomeUnknownError,
    EncryptionMissingError,
    LedgerError,
    LogDamagedError,
    MeteringError,
    RequestRepeatedError,
    RunsDirectoryError,
    SecretDamagedError,
    SecretKeyMissingError,
    SegmentDamagedError,
    SegmentMissingError,
    SegmentStoreUnavailableError,
    StoreBehindError,
    StoreBusyError,
    StoreClosedError,
    StoreDamagedError,
    StoreError,
    StoreForkedError,
    StoreFullError,
    StoreMissingError,
    StoreUnavailableError,
    StoreVersionError,
    UnsafeDurabilityError,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STORE = "/data/usage/log.db"
SEGMENT = "epoch-000000000000000-000000000000012-0123456789abcdef.parquet"
EVERY_ERROR: list[LedgerError] = [
    StoreUnavailableError(STORE, "it is gone"),
    StoreMissingError(STORE),
    StoreBusyError(STORE, "database is locked"),
    StoreFullError(STORE, "database or disk is full"),
    StoreVersionError(STORE, 7, 1),
    StoreClosedError(STORE),
    StoreForkedError(STORE),
    ClockSkewError(STORE, NOW, NOW - timedelta(hours=1), "it is", "set it"),
    UnsafeDurabilityError(STORE, "fsync", "off", "on"),
    SegmentStoreUnavailableError(STORE, "there is no such bucket"),
    SegmentMissingError(STORE, SEGMENT),
    SegmentDamagedError(SEGMENT, "it was truncated"),
    StoreBehindError(SEGMENT, 12, 7),
    RunsDirectoryError(STORE, "no space left on device"),
    LogDamagedError(12, "it does not match"),
    StoreDamagedError("table meter, row meter_id = 'mtr_12'", "it is NULL"),
    CommitOutcomeUnknownError(STORE, "it broke", is_usage=True),
    RequestRepeatedError("key_12"),
    EncryptionMissingError("cryptography12"),
    SecretKeyMissingError("the secret of we_12", "0123abcd", ()),
    SecretDamagedError("the secret of we_12"),
]


def drawn_tree() -> dict[str, str]:
    """Each class drawn at the top of the module, with the one that it hangs from."""
    parents, above = {}, list[str]()
    for line in (errors.__doc__ or "").splitlines()[2:]:
        name = line.lstrip("│├└─ \N{NO-BREAK SPACE}")
        depth = (len(line) - len(name)) // 4
        above[depth:] = [name]
        if depth:
            parents[name] = above[depth - 1]
    return parents


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    classes = {
        name: found
        for name, found in vars(errors).items()
        if isinstance(found, type)
        and found.__module__ == errors.__name__
        and found is not MeteringError
    }

    assert drawn_tree() == {
        name: found.__mro__[1].__name__ for name, found in classes.items()
    }


def test_every_error_is_tried_here() -> None:
    leaves = set(drawn_tree()) - set(drawn_tree().values())

    assert {type(error).__name__ for error in EVERY_ERROR} == leaves


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda each: type(each).__name__)
def test_an_error_has_a_code_and_a_sentence_that_names_what_it_is_about(
    error: LedgerError,
) -> None:
    assert re.fullmatch(r"[a-z_]+", error.code)
    assert error.param is None
    assert str(error) == error.message
    assert error.message[0].isupper()
    assert not error.message.endswith(".")
    assert STORE in error.message or "12" in error.message


def test_codes_are_unique() -> None:
    assert len({error.code for error in EVERY_ERROR}) == len(EVERY_ERROR)


def test_an_error_may_be_given_a_code_and_a_parameter() -> None:
    error = MeteringError("No", code="archived_meter", param="payload[value]")

    assert (error.code, error.param) == ("archived_meter", "payload[value]")
    assert MeteringError("No").code == "metering_error"


def test_an_error_keeps_what_it_is_about() -> None:
    version = StoreVersionError(STORE, 7, 1)

    assert (version.found, version.supported) == (7, 1)
    assert StoreUnavailableError(STORE, "gone").reason == "gone"
    assert LogDamagedError(12, "torn").position == 12
    assert UnsafeDurabilityError(STORE, "fsync", "off", "on").setting == "fsync"
    assert SegmentStoreUnavailableError("s3://bucket", "gone").url == "s3://bucket"
    assert SegmentStoreUnavailableError("s3://bucket", "gone").reason == "gone"
    missing = SegmentMissingError("s3://bucket", SEGMENT)
    assert (missing.url, missing.name) == ("s3://bucket", SEGMENT)
    damaged = SegmentDamagedError(SEGMENT, "torn")
    assert (damaged.name, damaged.reason) == (SEGMENT, "torn")
    behind = StoreBehindError(SEGMENT, 12, 7)
    assert (behind.name, behind.up_to, behind.position) == (SEGMENT, 12, 7)


def of_sqlite(code: int, message: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


def refused(cause: Exception) -> DBAPIError:
    return OperationalError("INSERT …", None, cause)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (of_sqlite(sqlite3.SQLITE_FULL, "database or disk is full"), StoreFullError),
        (psycopg.errors.DiskFull('could not extend file "x"'), StoreFullError),
        (OSError(errno.ENOSPC, "No space left on device"), StoreFullError),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StoreFullError),
        (of_sqlite(sqlite3.SQLITE_BUSY, "database is locked"), StoreBusyError),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT, "locked too"), StoreBusyError),
        (psycopg.errors.LockNotAvailable("canceled"), StoreBusyError),
        (
            psycopg.errors.QueryCanceled(
                "canceling statement due to statement timeout"
            ),
            StoreBusyError,
        ),
        (of_sqlite(sqlite3.SQLITE_IOERR, "disk I/O error"), StoreUnavailableError),
        (sqlite3.OperationalError("database is locked"), StoreUnavailableError),
        (sqlite3.DatabaseError("file is not a database"), StoreUnavailableError),
        (
            psycopg.OperationalError("server closed the connection\n\tunexpectedly"),
            StoreUnavailableError,
        ),
        (psycopg.OperationalError(""), StoreUnavailableError),
    ],
    ids=lambda each: str(each) if isinstance(each, Exception) else "",
)
def test_a_driver_s_error_becomes_one_of_ours(
    cause: Exception, expected: type[StoreError]
) -> None:
    with pytest.raises(StoreError) as caught, translated(STORE):
        raise refused(cause)

    assert type(caught.value) is expected
    assert STORE in caught.value.message
    assert "\n" not in caught.value.message
    assert "INSERT" not in caught.value.message


def test_an_error_without_words_is_named_by_its_kind() -> None:
    error = store_error(STORE, InterfaceError("SELECT 1", None, ValueError()))

    assert error.message.endswith("ValueError")


def test_an_error_of_the_toolkit_itself_becomes_one_of_ours() -> None:
    assert isinstance(store_error(STORE, ArgumentError("no")), StoreUnavailableError)


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), translated(STORE):
        raise ZeroDivisionError


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
def test_an_error_can_be_sent_to_another_process(error: LedgerError) -> None:
    received = pickle.loads(pickle.dumps(error))

    assert type(received) is type(error)
    assert str(received) == str(error)
    assert vars(received) == vars(error)
