"""Facts are decided under the write lock, and fold into their tables with it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, text

from ledger.errors import LedgerError, StoreUnavailableError
from ledger.log import Log
from projections.meters.tables import read_definitions
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import (
    NOW,
    Recorder,
    append,
    draft,
    meter_created,
    record,
    row,
    stored_rows,
)
from tests.ledger.faulty_database import FaultyDatabase

pytestmark = pytest.mark.dialect


class RefusedError(LedgerError):
    """What a decision of these tests raises."""


def meters_of(log: Log) -> list[str]:
    with log.read() as connection:
        return [each.event_name for each in read_definitions(connection).values()]


def test_facts_take_positions_and_are_folded(log: Log) -> None:
    append(log, row("a"))

    commit = record(log, meter_created("tokens"), meter_created("requests"))

    assert commit is not None
    assert (commit.first_position, commit.entry_count) == (2, 2)
    assert commit.content == (meter_created("tokens"), meter_created("requests"))
    assert [stored for stored, _ in log.commits()][1] == commit
    assert meters_of(log) == ["tokens", "requests"]


def test_a_decision_for_nothing_records_nothing(log: Log) -> None:
    with log.writing(lambda: NOW) as writing:
        writing.record(())

    assert writing.commit is None
    assert log.head().position == 0


def test_a_decision_that_raises_records_nothing(log: Log) -> None:
    def refuse() -> None:
        with log.writing(lambda: NOW, needs_events=True) as writing:
            read_definitions(writing.connection)
            writing.record([meter_created("tokens")])
            raise RefusedError("no")

    with pytest.raises(RefusedError):
        refuse()

    assert log.head().position == 0
    assert record(log, meter_created("tokens")) is not None


def test_a_fold_that_fails_records_nothing(log: Log) -> None:
    record(log, meter_created("tokens"))
    same_name = replace(meter_created("tokens"), meter_id="mtr_other")

    with pytest.raises(StoreUnavailableError):
        record(log, meter_created("requests"), same_name)

    assert log.head().position == 1
    assert meters_of(log) == ["tokens"]
    record(log, meter_created("requests"))
    assert [commit.first_position for commit, _ in log.commits()] == [1, 2]


def test_a_decision_sees_the_facts_of_every_process(open_log: OpenLog) -> None:
    ours, theirs = open_log(), open_log()
    record(theirs, meter_created("tokens"))

    with ours.writing(lambda: NOW) as writing:
        seen = list(read_definitions(writing.connection))
        writing.record([meter_created("requests")])

    assert seen == ["mtr_tokens"]


def test_a_decision_is_made_at_the_instant_of_its_recording(log: Log) -> None:
    times = iter((NOW, NOW - 5, NOW + 7))
    made = []
    for _ in range(3):
        with log.writing(times.__next__) as writing:
            writing.record([meter_created(f"meter-{writing.now}")])
        made.append(writing)

    assert [each.now for each in made] == [NOW, NOW, NOW + 7]
    assert [each.commit.recorded_at for each in made if each.commit] == [
        each.now for each in made
    ]


def test_a_writer_that_waited_for_the_lock_records_when_it_got_it(
    open_store: OpenDatabase, open_log: OpenLog
) -> None:
    told = [NOW]

    @contextmanager
    def waiting() -> Iterator[Connection]:
        told.append(told[-1] + 30)
        with store.write() as connection:
            yield connection

    with closing(open_store()) as store:
        database = FaultyDatabase(store)
        log = open_log(database=database)
        database.fault = waiting
        with log.writing(lambda: told[-1]) as writing:
            writing.record([meter_created("tokens")])
        database.fault = waiting
        usage = replace(draft([row("a")], facts_position=1), now=lambda: told[-1])
        outcome = log.append_usage(usage)

    assert writing.commit is not None
    assert writing.commit.recorded_at == NOW + 30
    assert outcome.recorded_at == NOW + 60


def test_a_decision_on_events_sees_those_of_every_process(open_log: OpenLog) -> None:
    ours, theirs = open_log(), open_log()
    append(theirs, row("a"), row("b"))

    with ours.writing(lambda: NOW, needs_events=True):
        found = ours.find_event("tokens", "b")

    assert found == 2


def test_facts_appended_without_the_events_before_them_reach_usage_later(
    open_log: OpenLog,
) -> None:
    told = Recorder()
    ours, theirs = open_log(told), open_log()
    append(theirs, row("a"))

    record(ours, meter_created("tokens"))
    told_at_once = told.first_positions
    ours.catch_up()

    assert told_at_once == []
    assert told.first_positions == [1, 2]


def test_tables_that_were_dropped_are_made_again_at_opening(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    record(open_log(), meter_created("tokens"), meter_created("requests"))
    with open_store().write() as connection:
        connection.execute(text("DROP TABLE meter"))
        connection.execute(text("DROP TABLE projection"))

    assert meters_of(open_log()) == ["tokens", "requests"]


def test_tables_of_another_fold_are_made_again_at_opening(
    open_log: OpenLog, open_store: OpenDatabase
) -> None:
    record(open_log(), meter_created("tokens"))
    with open_store().write() as connection:
        connection.execute(text("UPDATE projection SET fold_version = 0"))
        connection.execute(text("UPDATE meter SET display_name = 'old fold'"))

    log = open_log()

    with log.read() as connection:
        assert read_definitions(connection)["mtr_tokens"].display_name == "Tokens"


def test_rebuilding_makes_the_tables_again(log: Log, open_store: OpenDatabase) -> None:
    record(log, meter_created("tokens"), meter_created("requests"))
    with open_store().write() as connection:
        connection.execute(text("DELETE FROM meter"))

    log.rebuild()

    assert meters_of(log) == ["tokens", "requests"]


def test_events_and_facts_alternate_in_one_sequence(log: Log) -> None:
    for name in ("first", "second", "third"):
        record(log, meter_created(name))
        append(log, row(name, event_name=name))

    are_facts = [isinstance(commit.content, tuple) for commit, _ in log.commits()]
    assert are_facts == [True, False] * 3
    assert [position for position, _ in stored_rows(log)] == [2, 4, 6]
    assert [head.facts_position for _, head in log.commits()] == [1, 1, 3, 3, 5, 5]


def test_events_that_were_decided_on_are_no_other_process_s(open_log: OpenLog) -> None:
    log, other = open_log(), open_log()
    with log.writing(lambda: NOW, needs_events=True) as writing:
        writing.record_events(draft([row("decided")]))

    log.look_around(NOW)
    other.look_around(NOW)

    assert not log.is_shared
    assert other.is_shared
