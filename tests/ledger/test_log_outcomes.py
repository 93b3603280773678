"""What an append says of itself is true, whatever happened to its commit.

An acknowledged event is recorded, a refused one is not, and where nobody can know, that
is what the error says. Sending the same again is always safe.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.appending.drafts import Status
from ledger.errors import (
    CommitOutcomeUnknownError,
    StoreError,
    StoreUnavailableError,
)
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import (
    append,
    meter_created,
    positions,
    record,
    row,
    statuses,
    stored_rows,
)
from tests.ledger.faulty_database import FaultyDatabase

pytestmark = pytest.mark.dialect


@pytest.fixture
def database(open_store: OpenDatabase) -> Iterator[FaultyDatabase]:
    with closing(FaultyDatabase(open_store())) as faulty:
        yield faulty


def test_a_commit_whose_acknowledgement_was_lost_is_found(
    database: FaultyDatabase, open_log: OpenLog
) -> None:
    log = open_log(database=database)
    append(log, row("a"))

    database.fault = database.losing_the_acknowledgement
    outcome = append(log, row("b"), row("c"))

    assert statuses(outcome) == [Status.APPENDED] * 2
    assert positions(outcome) == [2, 3]
    assert [position for position, _ in stored_rows(open_log())] == [1, 2, 3]
    assert positions(append(log, row("d"), row("b"))) == [4, 2]


def test_an_append_in_one_statement_whose_acknowledgement_was_lost_is_found(
    database: FaultyDatabase, open_log: OpenLog
) -> None:
    log = open_log(database=database)
    append(log, row("a"))

    database.loses_what_is_made_at_once = True
    outcome = append(log, row("b"), row("c"))

    assert statuses(outcome) == [Status.APPENDED] * 2
    assert positions(outcome) == [2, 3]
    assert [position for position, _ in stored_rows(open_log())] == [1, 2, 3]
    assert positions(append(log, row("d"), row("b"))) == [4, 2]


def test_facts_whose_acknowledgement_was_lost_are_found(
    database: FaultyDatabase, open_log: OpenLog
) -> None:
    log = open_log(database=database)

    database.fault = database.losing_the_acknowledgement
    commit = record(log, meter_created("tokens"))

    assert commit is not None
    assert [stored for stored, _ in open_log().commits()] == [commit]


@pytest.mark.parametrize("fault", ["failing_to_lock", "losing_the_commit"])
def test_a_commit_that_was_not_made_is_an_error_and_leaves_nothing(
    database: FaultyDatabase, open_log: OpenLog, fault: str
) -> None:
    log = open_log(database=database)
    append(log, row("a"))

    database.fault = getattr(database, fault)
    with pytest.raises(StoreUnavailableError):
        append(log, row("b"))
    database.fault = getattr(database, fault)
    with pytest.raises(StoreUnavailableError):
        record(log, meter_created("tokens"))

    assert [position for position, _ in stored_rows(open_log())] == [1]
    assert log.find_event("tokens", "b") is None
    outcome = append(log, row("b"))
    assert (statuses(outcome), positions(outcome)) == ([Status.APPENDED], [2])


def test_a_commit_that_nobody_can_ask_about_is_unknown_and_can_be_sent_again(
    database: FaultyDatabase, open_log: OpenLog
) -> None:
    log = open_log(database=database)

    database.fault = database.losing_the_acknowledgement_and_the_store
    with pytest.raises(CommitOutcomeUnknownError, match="they count once"):
        append(log, row("a"))
    database.is_unreachable = False
    outcome = append(log, row("a"), row("b"))

    assert statuses(outcome) == [Status.DUPLICATE, Status.APPENDED]
    assert positions(outcome) == [1, 2]


def test_facts_that_nobody_can_ask_about_are_to_be_looked_up(
    database: FaultyDatabase, open_log: OpenLog
) -> None:
    log = open_log(database=database)

    database.fault = database.losing_the_acknowledgement_and_the_store
    with pytest.raises(CommitOutcomeUnknownError, match="look it up before"):
        record(log, meter_created("tokens"))
    database.is_unreachable = False

    assert log.head().position == 1


def test_a_commit_that_lands_after_its_connection_broke_is_not_denied(
    database: FaultyDatabase, open_log: OpenLog
) -> None:
    log = open_log(database=database)

    database.fault = database.committing_late
    try:
        outcome = append(log, row("a"))
    except StoreError:
        pytest.fail("an event was refused that is recorded")
    finally:
        database.finish()

    assert statuses(outcome) == [Status.APPENDED]
    assert [position for position, _ in stored_rows(open_log())] == [1]
