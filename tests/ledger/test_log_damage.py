"""What is stored is checked when it is read: no damage ever becomes a number."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Connection, delete, select, update

import metering
from ledger.appending.judging import ClockJudge
from ledger.database.addresses import open_database
from ledger.database.store import Database
from ledger.errors import LogDamagedError
from ledger.facts.union import encode_facts
from ledger.log import Log
from ledger.schema import log_commit, log_head
from ledger.segments.store import open_segment_store
from ledger.usage.columns import encode, usage_batch
from projections.folds import FactTables
from tests.conftest import Connect
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import (
    Recorder,
    append,
    draft,
    meter_created,
    row,
    rows,
    stored_rows,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
Damage = Callable[[Connection], object]

# The store that is damaged: facts at 1, a small commit at 2, a compressed one from 4
# to 103, facts at 104, a last event at 105.
FACTS, SMALL, LARGE, MORE_FACTS, LAST = 1, 2, 4, 104, 105


def change(at: int, /, **columns: object) -> Damage:
    return lambda connection: connection.execute(
        update(log_commit).where(log_commit.c.first_position == at).values(columns)
    )


def drop(first_position: int) -> Damage:
    return lambda connection: connection.execute(
        delete(log_commit).where(log_commit.c.first_position == first_position)
    )


def flip(first_position: int, column: str, at: float) -> Damage:
    """Flip one bit, some way into the bytes of a column."""

    def damage(connection: Connection) -> None:
        stored = read(connection, first_position, column)
        place = int(at * (8 * len(stored) - 1))
        flipped = bytearray(stored)
        flipped[place // 8] ^= 1 << (place % 8)
        change(first_position, **{column: bytes(flipped)})(connection)

    return damage


def truncate(first_position: int, to: float) -> Damage:
    def damage(connection: Connection) -> None:
        body = read(connection, first_position, "body")
        change(first_position, body=body[: int(to * len(body))])(connection)

    return damage


def swap(one: int, other: int, *columns: str) -> Damage:
    def damage(connection: Connection) -> None:
        ours = {column: read(connection, one, column) for column in columns}
        theirs = {column: read(connection, other, column) for column in columns}
        change(one, **theirs)(connection)
        change(other, **ours)(connection)

    return damage


def read(connection: Connection, first_position: int, column: str) -> bytes:
    stored = select(log_commit.c[column]).where(
        log_commit.c.first_position == first_position
    )
    return bytes(connection.execute(stored).scalar_one())


OTHER_EVENTS = encode(usage_batch([row("x"), row("y")]))
NO_TIME = b'[["tokens","a","c",9223372036854775808,null,[]]]'
OTHER_FACTS = encode_facts([meter_created("other")])

DAMAGES: list[tuple[str, Damage, int]] = [
    ("a bit of facts", flip(FACTS, "body", 0.5), FACTS),
    ("a bit of a small body", flip(SMALL, "body", 0.9), SMALL),
    ("a bit of a large body", flip(LARGE, "body", 0.7), LARGE),
    ("a bit of a digest", flip(LARGE, "digest", 0.4), LARGE),
    ("the time", change(SMALL, recorded_at=7), SMALL),
    ("usage called facts", change(LARGE, kind="facts"), LARGE),
    ("facts called usage", change(MORE_FACTS, kind="usage"), MORE_FACTS),
    ("an unknown kind", change(SMALL, kind="magic"), SMALL),
    ("one entry more", change(SMALL, entry_count=3), SMALL),
    ("one entry less", change(LARGE, entry_count=99), LARGE),
    ("a first commit is gone", drop(FACTS), FACTS),
    ("a commit is gone", drop(LARGE), LARGE),
    ("facts are gone", drop(MORE_FACTS), MORE_FACTS),
    ("the last commit is gone", drop(LAST), LAST),
    ("a moved commit", change(LAST, first_position=LAST + 1), LAST),
    ("swapped bodies", swap(SMALL, LARGE, "body"), SMALL),
    ("swapped facts", swap(FACTS, MORE_FACTS, "body"), FACTS),
    (
        "swapped commits",
        swap(FACTS, MORE_FACTS, "body", "content_digest", "digest"),
        FACTS,
    ),
    ("a body cut short", truncate(LARGE, 0.6), LARGE),
    ("a body cut after its schema", truncate(SMALL, 0.45), SMALL),
    ("an empty body", truncate(SMALL, 0.0), SMALL),
    ("other events", change(SMALL, body=OTHER_EVENTS), SMALL),
    ("other facts", change(MORE_FACTS, body=OTHER_FACTS), MORE_FACTS),
    ("a time beyond all clocks", change(SMALL, body=NO_TIME), SMALL),
    ("text", change(SMALL, body=b"not Arrow at all"), SMALL),
]


@pytest.fixture
def used(connect: Connect) -> metering.Metering:
    """A store, filled through the front door."""
    store = connect(clock=metering.FixedClock(NOW))
    meter(store, "tokens")
    store.meter_events.ingest([usage("a"), usage("b")], now=True)
    store.meter_events.ingest([usage(f"{number}") for number in range(100)], now=True)
    meter(store, "requests")
    store.meter_events.ingest([usage("c")], now=True)
    return store


def meter(store: metering.Metering, name: str) -> None:
    store.meters.create(
        display_name=name,
        event_name=name,
        default_aggregation={"formula": "sum"},
    )


def usage(identifier: str) -> dict[str, object]:
    return {
        "event_name": "tokens",
        "identifier": identifier,
        "payload": {"stripe_customer_id": "cus_1", "value": "1"},
    }


@pytest.mark.parametrize(
    ("damage", "position"),
    [(damage, position) for _, damage, position in DAMAGES],
    ids=[name for name, _, _ in DAMAGES],
)
def test_damage_is_found_by_reading_reported_by_verify_and_its_position_named(
    used: metering.Metering,
    connect: Connect,
    open_log: OpenLog,
    open_store: OpenDatabase,
    damage: Damage,
    position: int,
) -> None:
    log = open_log()
    assert used.verify().ok
    with open_store().write() as connection:
        damage(connection)

    for read_all in (open_log().catch_up, lambda: list(log.commits())):
        with pytest.raises(LogDamagedError) as caught:
            read_all()

        assert caught.value.position == position
        assert str(position) in caught.value.message
    for store in (used, connect()):
        report = store.verify()

        assert not report.ok
        assert any(f"position {position}" in problem for problem in report.problems)
        assert report.position < position


@pytest.mark.parametrize(
    ("damage", "position"),
    [
        (flip(SMALL, "body", 0.9), SMALL),
        (flip(LARGE, "body", 0.7), LARGE),
        (change(SMALL, body=OTHER_EVENTS), SMALL),
        (drop(LARGE), LARGE),
    ],
    ids=["small", "large", "other events", "gone"],
)
def test_damage_is_found_by_those_who_read_the_commit_before_it_was_damaged(
    used: metering.Metering,
    open_log: OpenLog,
    open_store: OpenDatabase,
    damage: Damage,
    position: int,
) -> None:
    log = open_log()
    log.catch_up()
    with open_store().write() as connection:
        damage(connection)

    with pytest.raises(LogDamagedError):
        log.events_at(np.array([position]))
    with pytest.raises(LogDamagedError):
        list(log.commits_at([position]))
    # A repeat can only be recognised by reading the original.
    identifier = {SMALL: "a", LARGE: "0"}[position]
    with pytest.raises(LogDamagedError):
        append(log, row(identifier))
    assert used.position == log.head().position == LAST


@pytest.mark.parametrize(
    "columns",
    [
        {"digest": b"\0" * 32},
        {"recorded_at": 0},
        {"facts_position": FACTS},
        {"position": LAST - 1},
        {"position": LAST + 1},
        {"position": LARGE + 7},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_a_head_that_is_not_where_the_log_ends_is_reported_by_verify(
    used: metering.Metering,
    connect: Connect,
    open_store: OpenDatabase,
    columns: dict[str, object],
) -> None:
    used.close()
    with open_store().write() as connection:
        connection.execute(update(log_head).values(columns))

    assert not connect().verify().ok


@pytest.mark.dialect
def test_a_table_of_meters_that_was_edited_is_reported_and_rebuilt(
    used: metering.Metering, connect: Connect, open_store: OpenDatabase
) -> None:
    with open_store().write() as connection:
        connection.exec_driver_sql("UPDATE meter SET formula = 'count'")

    for store in (used, connect()):
        problems = store.verify().problems

        assert len(problems) == 2
        for problem in problems:
            assert problem.startswith("In table meter, row meter_id = ")
            assert problem.endswith(
                ", column formula: 'count' is stored, the log says 'sum'; run"
                " `metering rebuild`"
            )
    store.rebuild()
    assert store.verify().ok
    assert used.verify().ok


@pytest.mark.dialect
def test_an_undamaged_store_verifies(used: metering.Metering, connect: Connect) -> None:
    reached = list[tuple[int, int]]()

    report = connect().verify(lambda position, end: reached.append((position, end)))

    assert report.ok
    assert (report.position, report.commits, report.entries) == (105, 5, 105)
    assert [position for position, _ in reached] == [1, 3, 103, 104, 105]
    assert {end for _, end in reached} == {105}
    assert report.digest == used.verify().digest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "is_batch", "step"),
    [(2, False, 5), (3, True, 23), (100, True, 41)],
    ids=["rows", "few columns", "many columns"],
)
def test_no_flipped_bit_of_a_body_goes_through(
    tmp_path: Path, count: int, *, is_batch: bool, step: int
) -> None:
    # Bodies are decoded alike, whichever database they are from.
    database = open_database(tmp_path, creates=True)
    with closing(log_of(database)) as log:
        log.append_usage(draft(rows(count), is_batch=is_batch))
        expected = stored_rows(log)
        with database.read() as connection:
            body = read(connection, 1, "body")
        # A step that is prime to eight meets every bit of a byte.
        for place in range(0, 8 * len(body), step):
            flipped = bytearray(body)
            flipped[place // 8] ^= 1 << (place % 8)
            with database.write() as connection:
                change(1, body=bytes(flipped))(connection)

            # Padding and the like may change without changing what is said.
            try:
                found = stored_rows(log)
            except LogDamagedError:
                continue
            assert found == expected, f"bit {place} of {8 * len(body)}"


def log_of(database: Database) -> Log:
    return Log(
        database,
        fold=FactTables(),
        usage=Recorder(),
        epoch="epoch-1",
        segments=open_segment_store("absent"),
        runs=Path("runs"),
        identifier_retention=None,
        judge=ClockJudge(database, None, lambda: 0),
    )


@pytest.mark.dialect
def test_a_body_with_another_schema_is_refused(
    open_store: OpenDatabase, open_log: OpenLog
) -> None:
    append(open_log(), row("a"))
    sink = pa.BufferOutputStream()
    other = pa.record_batch({"event_name": ["tokens"]})
    with pa.ipc.new_stream(sink, other.schema) as writer:
        writer.write_batch(other)
    with open_store().write() as connection:
        change(1, body=sink.getvalue().to_pybytes())(connection)

    with pytest.raises(LogDamagedError, match="expected the columns"):
        open_log().catch_up()
