"""Sealing moves usage into segments, and nothing that the log says changes by it."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from ledger.appending.drafts import Status
from ledger.commits import read_head
from ledger.database.addresses import open_database
from ledger.database.directories import LOG_FILE
from ledger.errors import (
    RunsDirectoryError,
    SegmentDamagedError,
    SegmentMissingError,
    StoreBehindError,
)
from ledger.log import Log
from ledger.schema import log_commit
from ledger.segments.catalog import begin_segment
from ledger.segments.layout import ROWS_IN_A_GROUP, SEGMENT
from ledger.usage.columns import usage_rows
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import (
    NOW,
    SECOND,
    Recorder,
    append,
    draft,
    meter_created,
    positions,
    record,
    row,
    rows,
    statuses,
    stored_rows,
)


def filled(log: Log) -> Log:
    """A log of facts, small commits, a large one, and facts at its end."""
    record(log, meter_created("tokens"), meter_created("requests"))
    append(log, row("single-1"))
    append(log, row("single-2", value=None), recorded_at=NOW + SECOND)
    log.append_usage(
        draft(rows(500), facts_position=2, recorded_at=NOW + 2 * SECOND, is_batch=True)
    )
    append(log, row("single-3", payload=()), recorded_at=NOW + 3 * SECOND)
    record(log, meter_created("images"), recorded_at=NOW + 4 * SECOND)
    return log


def usage_rows_stored(log: Log) -> int:
    with log.read() as connection:
        count = select(func.count()).where(log_commit.c.kind == "usage")
        return int(connection.execute(count).scalar_one())


def digests(log: Log) -> list[tuple[int, int, bytes, bytes]]:
    return [
        (commit.first_position, commit.recorded_at, commit.content_digest, head.digest)
        for commit, head in log.commits()
    ]


@pytest.mark.dialect
def test_a_sealed_log_reads_as_before(open_log: OpenLog) -> None:
    log = filled(open_log())
    before, chain = stored_rows(log), digests(log)

    assert log.seal() == 1

    assert stored_rows(log) == before
    assert digests(log) == chain
    assert usage_rows_stored(log) == 0
    assert log.seal() == 0


def test_what_comes_after_a_segment_is_the_tail(open_log: OpenLog) -> None:
    usage = Recorder()
    log = filled(open_log(usage))
    log.seal()

    outcome = append(log, row("single-4"))

    assert log.sealed.position == 505
    assert usage.sealed == log.sealed
    assert usage.first_positions == [506, 507]
    assert positions(outcome) == [507]
    assert log.seal() == 1
    assert [(each.after, each.up_to) for each in log.sealed.segments] == [
        (0, 505), (505, 507),
    ]  # fmt: skip


@pytest.mark.dialect
def test_another_process_goes_on_as_before(open_log: OpenLog) -> None:
    usage = Recorder()
    ours, theirs = filled(open_log()), open_log(usage)
    theirs.catch_up()

    ours.seal()
    outcome = append(theirs, row("single-2", value=None), row("new"))

    assert statuses(outcome) == [Status.DUPLICATE, Status.APPENDED]
    assert positions(outcome) == [4, 507]
    theirs.catch_up()
    assert theirs.sealed.segments == ours.sealed.segments
    assert stored_rows(theirs) == stored_rows(ours)


@pytest.mark.dialect
def test_a_tail_that_another_process_has_sealed_is_not_sealed_again(
    open_log: OpenLog,
) -> None:
    ours, theirs = filled(open_log()), open_log()
    theirs.catch_up()
    ours.seal()
    append(ours, row("single-4"))
    append(theirs, row("single-5"))
    assert theirs.tail_size.events == 505

    assert theirs.seal(is_wanted=lambda tail: tail.events > 2) == 0

    assert (theirs.tail_size.events, theirs.tail_size.commits) == (2, 3)
    assert theirs.seal(is_wanted=lambda tail: tail.events == 2) == 1


def test_a_process_that_has_not_caught_up_reads_what_was_sealed_since(
    open_log: OpenLog,
) -> None:
    ours, theirs = filled(open_log()), open_log()
    theirs.catch_up()
    expected = [commit.content_digest for commit in theirs.commits_at([3, 5])]
    stale = open_log()
    stale.catch_up()

    ours.seal()

    assert [c.content_digest for c in stale.commits_at([3, 5])] == expected
    events, recorded_at = stale.events_at(np.array([505, 5]))
    assert events.column("identifier").to_pylist() == ["single-3", "event-0"]
    assert recorded_at.tolist() == [NOW + 3 * SECOND, NOW + 2 * SECOND]


def test_identifiers_stay_taken_when_they_are_sealed(open_log: OpenLog) -> None:
    log = filled(open_log())
    log.seal()

    same = append(log, row("single-1"), *rows(5))
    other = append(log, row("single-1", value="2", customer="cus_2"))
    elsewhere = append(log, row("single-1", event_name="requests"))

    assert statuses(same) == [Status.DUPLICATE] * 6
    assert positions(same) == [3, 5, 6, 7, 8, 9]
    assert statuses(other) == [Status.CONFLICT]
    assert other.conflicts == {0: ("customer", "value")}
    assert statuses(elsewhere) == [Status.APPENDED]


def test_an_event_is_found_where_it_was_recorded(open_log: OpenLog) -> None:
    log = filled(open_log())
    log.seal()

    assert log.find_event("tokens", "single-2") == 4
    assert log.find_event("requests", "event-1") == 6
    assert log.find_event("tokens", "event-1") is None


@pytest.mark.dialect
def test_positions_are_found_by_the_time_they_were_recorded(open_log: OpenLog) -> None:
    log = filled(open_log())
    instants = [NOW - 1, NOW, NOW + SECOND, NOW + 2 * SECOND + 1, NOW + 9 * SECOND]
    before = [log.history.position_at(instant) for instant in instants]

    log.seal()

    assert before == [0, 3, 4, 504, 506]
    assert [log.history.position_at(instant) for instant in instants] == before


def test_a_segment_is_plain_parquet_in_its_promised_order(
    open_log: OpenLog, tmp_path: Path
) -> None:
    log = filled(open_log())
    log.seal()

    (file,) = (tmp_path / "segments").glob("*.parquet")
    table = pq.read_table(file)
    keys = table.select(["event_name", "customer", "timestamp", "position"])

    assert table.schema.names == SEGMENT.names
    assert table.num_rows == 503
    assert keys.to_pylist() == sorted(
        keys.to_pylist(), key=lambda each: tuple(each.values())
    )
    assert pq.ParquetFile(file).metadata.row_group(0).num_rows <= ROWS_IN_A_GROUP


def test_a_segment_is_named_by_its_log_its_positions_and_its_content(
    open_log: OpenLog, tmp_path: Path
) -> None:
    log = filled(open_log())
    log.seal()

    (segment,) = log.sealed.segments
    content = (tmp_path / "segments" / segment.name).read_bytes()

    digest = hashlib.sha256(content).hexdigest()
    assert segment.name == f"epoch-1-{0:015d}-{505:015d}-{digest[:16]}.parquet"
    assert segment.sha256.hex() == digest
    assert segment.byte_count == len(content)
    assert (segment.rows, segment.facts_position) == (503, 2)


def test_what_a_killed_sealing_left_is_removed_by_the_next(
    open_log: OpenLog, open_store: OpenDatabase, tmp_path: Path
) -> None:
    log = filled(open_log())
    segments = tmp_path / "segments"
    segments.mkdir()
    orphan = segments / f"epoch-1-{0:015d}-{4:015d}-{'ab' * 8}.parquet"
    orphan.write_bytes(b"half a segment")
    with open_store().write() as connection:
        begin_segment(connection, orphan.name)
    foreign = segments / f"epoch-2-{0:015d}-{4:015d}-{'ab' * 8}.parquet"
    foreign.write_bytes(b"of another log")
    copied = segments / f"epoch-1-{0:015d}-{3:015d}-{'ab' * 8}.parquet"
    copied.write_bytes(b"of a copy of this log")

    log.seal()

    assert not orphan.exists()
    assert foreign.exists()
    assert copied.exists()
    assert log.sealed.segments[0].name in {path.name for path in segments.iterdir()}


def test_a_log_without_one_of_its_segments_is_refused(
    open_log: OpenLog, tmp_path: Path
) -> None:
    log = filled(open_log())
    log.seal()
    name = log.sealed.segments[0].name
    (tmp_path / "segments" / name).unlink()

    with pytest.raises(SegmentMissingError, match=name):
        open_log()


def test_a_log_behind_its_segments_is_refused(
    open_log: OpenLog, open_store: OpenDatabase, tmp_path: Path
) -> None:
    filled(open_log())
    with open_store().read() as connection:
        end = read_head(connection).position
    name = f"epoch-1-{0:015d}-{end + 1:015d}-{'ab' * 8}.parquet"
    (tmp_path / "segments").mkdir(exist_ok=True)
    (tmp_path / "segments" / name).write_bytes(b"sealed before the backup was restored")

    with pytest.raises(StoreBehindError, match=str(end + 1)):
        open_log()


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_flipped_bit_is_an_error_and_never_a_number(
    open_log: OpenLog, tmp_path: Path, place: float
) -> None:
    log = filled(open_log())
    rows = stored_rows(log)
    log.seal()
    (segment,) = log.sealed.segments
    file = tmp_path / "segments" / segment.name
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1
    file.write_bytes(content)

    damaged = open_log()

    with pytest.raises(SegmentDamagedError, match=file.name):
        damaged.sealed.reader.table(segment, SEGMENT.names)
    # What does not read the column at fault need not mind.
    try:
        assert stored_rows(damaged) == rows
        events, _ = damaged.events_at(np.array([5]))
        assert usage_rows(events) == [event for at, event in rows if at == 5]
    except SegmentDamagedError as error:
        assert error.name == file.name  # noqa: PT017  # it may as well be right


@pytest.mark.dialect
def test_many_small_commits_take_little_room_once_they_are_sealed(
    open_log: OpenLog,
) -> None:
    log = open_log()
    record(log, meter_created("tokens"))
    for number in range(200):
        append(log, row(f"event-{number}"))
    before = stored_rows(log)

    log.seal()

    assert log.sealed.segments[0].byte_count < 200 * 120
    assert stored_rows(log) == before


def test_space_is_given_back_where_there_is_no_room_for_runs(
    open_log: OpenLog, tmp_path: Path
) -> None:
    store = tmp_path / "usage"
    with closing(open_database(str(store), creates=True)) as database:
        log = open_log(database=database)
        record(log, meter_created("tokens"))
        log.append_usage(draft(rows(5_000), facts_position=1, is_batch=True))
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)
        (tmp_path / "runs").touch()

        with pytest.raises(RunsDirectoryError):
            log.seal()

        with closing(sqlite3.connect(store / LOG_FILE)) as connection:
            assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
