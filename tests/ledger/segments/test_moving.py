"""Segments in the database are read where they are, and move to the store that is given."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import func, select, update

from ledger.appending.drafts import Status
from ledger.appending.judging import ClockJudge
from ledger.database.addresses import open_database
from ledger.database.settings import DatabaseSettings
from ledger.database.store import Database
from ledger.errors import SegmentDamagedError, SegmentMissingError
from ledger.log import Log
from ledger.schema import log_segment_chunk
from ledger.segments.catalog import begin_segment
from ledger.segments.in_database import CHUNK_BYTES, DatabaseStore
from ledger.segments.moving import MovingStore
from ledger.segments.store import SegmentStore, open_segment_store
from projections.folds import FactTables
from tests.conftest import StoreTargets
from tests.ledger.conftest import OpenLog
from tests.ledger.drafts import (
    Recorder,
    append,
    meter_created,
    record,
    row,
    statuses,
    stored_rows,
)

pytestmark = [pytest.mark.dialect, pytest.mark.postgresql]

NAME = "epoch-1-000000000000000-000000000000012-0123456789abcdef.parquet"
CONTENT = pa.py_buffer(bytes(range(251)) * (3 * CHUNK_BYTES // 251 + 1))


@pytest.fixture
def database(schemas: StoreTargets) -> Iterator[Database]:
    with schemas() as target, closing(open_database(target, creates=True)) as opened:
        yield opened


@pytest.fixture
def open_log(tmp_path: Path) -> OpenLog:
    """Open the log of a database; each one stands for another process."""

    def open_one(*, database: Database, segments: SegmentStore) -> Log:
        return Log(
            database,
            fold=FactTables(),
            usage=Recorder(),
            epoch="epoch-1",
            segments=segments,
            runs=tmp_path / "runs",
            identifier_retention=None,
            judge=ClockJudge(database, None, lambda: 0),
        )

    return open_one


def sealed_inside(open_log: OpenLog, database: Database, segments: int = 2) -> Log:
    """A log on PostgreSQL whose segments lie in its database."""
    log = open_log(database=database, segments=DatabaseStore(database))
    record(log, meter_created("tokens"))
    for number in range(segments):
        append(log, row(f"event-{number}"), row(f"other-{number}"))
        assert log.seal() == 1
    return log


def moving(database: Database, directory: Path) -> MovingStore:
    return MovingStore(open_segment_store(directory), DatabaseStore(database))


def chunks_in(database: Database) -> int:
    with database.read() as connection:
        count = select(func.count()).select_from(log_segment_chunk)
        return int(connection.execute(count).scalar_one())


def test_a_large_file_is_read_across_its_chunks(inside: DatabaseStore) -> None:
    inside.put(NAME, CONTENT)
    expected = CONTENT.to_pybytes()

    with inside.open(NAME) as file:
        assert file.size() == len(expected)
        for start, count in (
            (0, 10),
            (CHUNK_BYTES - 3, 7),
            (CHUNK_BYTES - 3, 3),
            (CHUNK_BYTES, CHUNK_BYTES),
            (5, 2 * CHUNK_BYTES),
            (len(expected) - 4, 100),
            (len(expected), 1),
        ):
            assert file.read_at(count, start) == expected[start : start + count]


def test_a_log_is_sealed_in_its_database(open_log: OpenLog, database: Database) -> None:
    log = sealed_inside(open_log, database)
    before = stored_rows(log)

    reopened = open_log(database=database, segments=DatabaseStore(database))

    assert stored_rows(reopened) == before
    assert len(reopened.history.segments()) == 2
    assert chunks_in(database) == 2


def test_one_connection_of_a_pool_is_enough(
    open_log: OpenLog, schemas: StoreTargets
) -> None:
    settings = DatabaseSettings(pool_size=1, lock_timeout=timedelta(seconds=5))
    with (
        schemas() as target,
        closing(open_database(target, creates=True, settings=settings)) as database,
    ):
        log = sealed_inside(open_log, database)
        before = stored_rows(log)
        reopened = open_log(database=database, segments=DatabaseStore(database))

        outcome = append(reopened, row("event-0"), row("event-9"))
        assert statuses(outcome) == [Status.DUPLICATE, Status.APPENDED]
        assert len(stored_rows(reopened)) == len(before) + 1
        assert reopened.seal() == 1


def test_what_a_killed_sealing_left_is_removed_by_the_next(
    open_log: OpenLog, database: Database
) -> None:
    log = sealed_inside(open_log, database)
    with database.write() as connection:
        begin_segment(connection, NAME)
    DatabaseStore(database).put(NAME, CONTENT)

    assert log.seal() == 0

    assert chunks_in(database) == 2


def test_segments_are_read_where_they_are_until_they_move(
    open_log: OpenLog, database: Database, tmp_path: Path
) -> None:
    before = stored_rows(sealed_inside(open_log, database))

    log = open_log(database=database, segments=moving(database, tmp_path / "far"))

    assert stored_rows(log) == before
    assert chunks_in(database) == 2
    assert log.seal() == 2
    assert chunks_in(database) == 0
    assert stored_rows(log) == before
    assert sorted(each.name for each in (tmp_path / "far").iterdir()) == [
        segment.name for segment in log.history.segments()
    ]
    for segment in log.history.segments():
        content = (tmp_path / "far" / segment.name).read_bytes()
        assert hashlib.sha256(content).digest() == segment.sha256


def test_a_file_that_is_open_while_it_moves_is_read_to_its_end(
    inside: DatabaseStore, tmp_path: Path
) -> None:
    target = open_segment_store(tmp_path / "far")
    store = MovingStore(target, inside)
    inside.put(NAME, CONTENT)

    with store.open(NAME) as file:
        start = file.read(10)
        target.put(NAME, CONTENT)
        inside.remove(NAME)
        rest = file.read()

    assert start + rest == CONTENT.to_pybytes()

    inside.put(NAME, CONTENT)
    with inside.open(NAME) as file:
        inside.remove(NAME)
        with pytest.raises(SegmentMissingError):
            file.read(10)


def test_a_damaged_file_does_not_move(
    open_log: OpenLog, database: Database, tmp_path: Path
) -> None:
    log = sealed_inside(open_log, database, segments=1)
    (segment,) = log.history.segments()
    with database.write() as connection:
        other = bytes(segment.byte_count)
        connection.execute(update(log_segment_chunk).values(content=other))

    moved = open_log(database=database, segments=moving(database, tmp_path / "far"))
    with pytest.raises(SegmentDamagedError, match=segment.name):
        moved.seal()

    assert chunks_in(database) == 1
    assert not (tmp_path / "far").exists()


def test_a_flipped_bit_in_the_database_is_an_error_and_never_a_number(
    open_log: OpenLog, database: Database
) -> None:
    log = sealed_inside(open_log, database, segments=1)
    expected = stored_rows(log)
    (segment,) = log.history.segments()
    with database.read() as connection:
        content = connection.execute(select(log_segment_chunk.c.content)).scalar_one()
    found = 0

    for place in range(3, segment.byte_count, segment.byte_count // 40):
        flipped = bytearray(content)
        flipped[place] ^= 1
        with database.write() as connection:
            connection.execute(update(log_segment_chunk).values(content=bytes(flipped)))
        damaged = open_log(database=database, segments=DatabaseStore(database))
        try:
            assert stored_rows(damaged) == expected
        except SegmentDamagedError as error:
            assert error.name == segment.name  # noqa: PT017  # it may as well be right
            found += 1

    assert found > 20


def test_a_process_that_was_given_no_store_misses_what_has_moved(
    open_log: OpenLog, database: Database, tmp_path: Path
) -> None:
    (first, _) = sealed_inside(open_log, database).history.segments()
    log = open_log(database=database, segments=DatabaseStore(database))
    moving_log = open_log(
        database=database, segments=moving(database, tmp_path / "far")
    )
    moving_log.seal()

    with pytest.raises(SegmentMissingError, match=first.name):
        stored_rows(log)
    with pytest.raises(SegmentMissingError, match="segments="):
        open_log(database=database, segments=DatabaseStore(database))
    # It records all the same, and what it seals moves as well.
    append(log, row("later"))
    assert log.seal() == 1
    assert chunks_in(database) == 1
    assert len(stored_rows(moving_log)) == 5
    moving_log.seal()
    assert chunks_in(database) == 0
