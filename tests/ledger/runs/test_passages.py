"""Small commits of the tail are kept as columns, and never trusted over the log."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, update

from ledger.appending.drafts import Status
from ledger.database.store import Database
from ledger.entries import SPAN, Head, Passage
from ledger.errors import LogDamagedError
from ledger.facts.adjustments import MeterEventCancelled
from ledger.log import Log
from ledger.schema import log_commit, log_head
from ledger.usage.columns import UsageRow, usage_rows
from ledger.usage.identifiers import identifier_hashes
from ledger.usage.rows import batch_of
from tests.ledger.conftest import OpenDatabase, OpenLog
from tests.ledger.drafts import (
    NOW,
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

MANY = 520


def singles(log: Log, count: int = MANY, prefix: str = "single") -> None:
    facts_position = log.head().facts_position
    for event in rows(count, prefix):
        log.append_usage(draft([event], facts_position=facts_position))


def cancelled(position: int) -> MeterEventCancelled:
    return MeterEventCancelled(
        event_position=position,
        event_name="tokens",
        identifier="single-0",
        customer="cus_0",
        timestamp=NOW,
        value=None,
    )


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "runs" / "epoch-1").glob("passage-*"))


def tail_of(log: Log) -> list[tuple[int, UsageRow]]:
    """What a scan reads of the tail."""
    _, parts = log.segments_and_tail(log.head().position)
    found: list[tuple[int, UsageRow]] = []
    for part in parts:
        if isinstance(part, Passage):
            events = usage_rows(part.events)
            found += zip(part.positions.tolist(), events, strict=True)
        elif not isinstance(part.content, tuple):
            found += enumerate(usage_rows(batch_of(part.content)), part.first_position)
    return found


@pytest.mark.dialect
def test_another_process_begins_with_what_is_kept(
    open_log: OpenLog, tmp_path: Path
) -> None:
    log = open_log()
    record(log, meter_created("tokens"))
    singles(log)
    with log.writing(lambda: NOW) as writing:
        writing.record([cancelled(2)])
    singles(log, prefix="more")
    log.append_usage(draft(rows(100, "batch"), facts_position=MANY + 2, is_batch=True))
    singles(log, 20, prefix="last")
    expected, head = stored_rows(log), log.head()
    log.close()
    told = Recorder()

    other = open_log(told)
    other.catch_up()

    assert len(files(tmp_path)) == 1
    assert other.head() == head
    assert other.tail_size.events == 2 * MANY + 120
    assert told.stored_rows() == tail_of(other) == expected
    facts = [c.content for c in told.commits if isinstance(c.content, tuple)]
    assert facts == [(meter_created("tokens"),), (cancelled(2),)]
    again = append(other, *rows(MANY, "single"), row("new"))
    assert statuses(again) == [Status.DUPLICATE] * MANY + [Status.APPENDED]
    assert positions(again)[:MANY] == list(range(2, MANY + 2))


def test_identifiers_are_known_where_they_were_recorded(log: Log) -> None:
    singles(log, 3)
    log.seal()
    singles(log, 40, "tail")
    events, _ = log.events_at(np.arange(1, 44))
    positions, hashes = np.arange(1, 44), identifier_hashes(events)

    assert log.knows_identifiers_at(positions, hashes)
    # Those of a segment are compared with the segment.
    hashes[0] ^= np.uint64(1)
    assert log.knows_identifiers_at(positions, hashes)
    hashes[42] ^= np.uint64(1)
    assert not log.knows_identifiers_at(positions, hashes)
    assert not log.knows_identifiers_at(positions[4:] + 1, hashes[4:])


def test_spans_end_where_those_of_other_processes_do(
    open_log: OpenLog, tmp_path: Path
) -> None:
    first, second = open_log(), open_log()
    batch = rows(SPAN - 1_000, "batch")
    first.append_usage(draft(batch, is_batch=True))
    second.catch_up()

    singles(first, 600, "first")
    second.catch_up()
    singles(second, 600, "second")
    first.catch_up()

    [file] = files(tmp_path)
    assert f"-{len(batch):015d}-{SPAN - 1:015d}-" in file.name
    expected = stored_rows(first)
    for log in (first, second, open_log()):
        log.catch_up()
        assert tail_of(log) == expected
        log.close()


Spoil = Callable[[Path], object]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_another_digest(path: Path) -> None:
    kind, version, after, up_to, digest, checksum = path.name.split("-")
    path.rename(
        path.with_name("-".join([kind, version, after, up_to, digest[::-1], checksum]))
    )


@pytest.mark.parametrize("spoil", [cut, flip, of_another_digest, Path.unlink])
def test_a_file_that_is_spoilt_is_not_used(
    open_log: OpenLog, tmp_path: Path, spoil: Spoil
) -> None:
    log = open_log()
    singles(log)
    expected = stored_rows(log)
    log.close()
    [file] = files(tmp_path)
    spoil(file)
    told = Recorder()

    other = open_log(told)
    other.catch_up()

    assert told.stored_rows() == tail_of(other) == expected
    # It is made again.
    other.close()
    assert file in files(tmp_path)


def put_back(database: Database, older: Head) -> None:
    """What a restored backup is: the log as it was."""
    with database.write() as connection:
        connection.execute(
            delete(log_commit).where(log_commit.c.first_position > older.position)
        )
        connection.execute(
            update(log_head).values(
                position=older.position,
                recorded_at=older.recorded_at,
                digest=older.digest,
            )
        )


def test_a_restored_log_that_went_on_differently_is_read_from_its_rows(
    open_log: OpenLog, open_store: OpenDatabase, tmp_path: Path
) -> None:
    log = open_log()
    singles(log, 100)
    older = log.head()
    singles(log, MANY, "lost")
    log.close()
    assert len(files(tmp_path)) == 1
    put_back(open_store(), older)

    singles(open_log(), MANY, "other")

    told = Recorder()
    other = open_log(told)
    other.catch_up()
    assert told.stored_rows() == tail_of(other) == stored_rows(other)
    assert other.find_event("tokens", "lost-0") is None
    assert other.find_event("tokens", "other-0") == 101


def test_a_log_restored_under_a_process_is_not_gone_on_with(
    open_log: OpenLog, open_store: OpenDatabase, tmp_path: Path
) -> None:
    log, other = open_log(), open_log()
    singles(log, 100)
    older = log.head()
    singles(log, 10, "lost")
    put_back(open_store(), older)
    singles(other, 2 * MANY, "other")
    other.close()
    assert len(files(tmp_path)) == 1

    # What is kept goes on from what this process never saw.
    for _ in range(2):
        with pytest.raises(LogDamagedError) as caught:
            append(log, row("other-0"))
        assert caught.value.position == 111


def test_what_was_sealed_of_a_passage_is_not_taken_in_again(
    open_log: OpenLog, tmp_path: Path
) -> None:
    log, sealing = open_log(), open_log()
    singles(log, 300, "sealed")
    sealing.seal()
    singles(log, MANY, "single")
    expected = stored_rows(log)
    log.close()
    # It did not look where the log is sealed, in the midst of what it kept.
    [file] = files(tmp_path)
    assert f"-{0:015d}-{300 + MANY:015d}-" in file.name
    told = Recorder()

    other = open_log(told)
    other.catch_up()

    assert told.stored_rows() == tail_of(other) == expected[300:]
    assert other.tail_size.events == MANY
    other.seal()
    assert other.sealed.position == other.head().position
    assert tail_of(other) == []
    assert other.find_event("tokens", "sealed-0") == 1
    assert len(stored_rows(other)) == 300 + MANY


def test_making_everything_anew_reads_the_rows(
    open_log: OpenLog, open_store: OpenDatabase, tmp_path: Path
) -> None:
    log = open_log()
    singles(log)
    log.close()
    with open_store().write() as connection:
        connection.execute(
            update(log_commit)
            .where(log_commit.c.first_position == 7)
            .values(content_digest=b"\0" * 32)
        )
    other = open_log()

    # What is kept was checked when it was made; the rows are read when asked for.
    other.catch_up()
    with pytest.raises(LogDamagedError) as caught:
        other.rebuild()

    assert caught.value.position == 7
    assert files(tmp_path) == []


def test_what_cannot_be_written_is_kept_in_memory(
    open_log: OpenLog, tmp_path: Path
) -> None:
    (tmp_path / "runs").write_text("no directory")
    log = open_log()
    singles(log, MANY)
    expected = stored_rows(log)

    log.append_usage(draft(rows(100, "batch"), is_batch=True))

    assert tail_of(log)[:MANY] == expected
    log.close()


def test_scans_go_on_while_others_record(open_log: OpenLog) -> None:
    log, failures = open_log(), list[BaseException]()
    is_done = threading.Event()

    def scan() -> None:
        try:
            while not is_done.is_set():
                found = [position for position, _ in tail_of(log)]
                assert found == list(range(1, len(found) + 1))
        except BaseException as error:
            failures.append(error)
            raise

    reader = threading.Thread(target=scan)
    reader.start()
    singles(log)
    log.append_usage(draft(rows(100, "batch"), is_batch=True))
    singles(log, 50, "after")
    is_done.set()
    reader.join()

    assert failures == []
    assert len(tail_of(log)) == MANY + 150
