"""Verification finds whatever is not as it was recorded, and says so in a sentence."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import metering
from tests.conftest import Connect
from tests.faults.copying import copied
from tests.metering.usual_usage import (
    NOW,
    batch,
    cancel_event,
    create_event,
    create_meter,
)
from tests.segment_places import segments_of


def connected(target: str) -> metering.Metering:
    clock = metering.FixedClock(NOW)
    return metering.connect(target, clock=clock, seal_events=None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of two segments, with facts in and after each, and a tail."""
    target = str(tmp_path_factory.mktemp("verified") / "usage")
    with connected(target) as store:
        create_meter(store)
        store.meter_events.ingest(batch(0, 100))
        cancel_event(store, "event-7")
        create_event(store, identifier="single")
        store.seal()
        create_meter(store, "calls", "count")
        store.meter_events.ingest(batch(100, 50))
        store.seal()
        cancel_event(store, "event-120")
        store.meter_events.ingest(batch(150, 20))
    return target


@pytest.fixture
def target(made: str) -> Iterator[str]:
    """A copy of that store, to be damaged."""
    with copied(made) as copy:
        yield copy


def test_everything_is_counted(target: str) -> None:
    with connected(target) as store:
        report = store.verify()

        assert report.ok
        assert report.problems == ()
        assert (report.position, report.entries) == (175, 175)
        assert (report.commits, report.segments) == (8, 2)
        assert store.position == report.position


def test_an_empty_store_has_nothing_wrong(connect: Connect) -> None:
    report = connect().verify()

    assert (report.ok, report.position, report.segments) == (True, 0, 0)


def test_progress_reaches_the_end(target: str) -> None:
    told: list[tuple[int, int]] = []
    with connected(target) as store:
        store.verify(lambda reached, last: told.append((reached, last)))

    assert told == sorted(told)
    assert told[-1] == (175, 175)


@pytest.mark.dialect
def test_the_digest_does_not_depend_on_where_the_log_lies(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW), seal_events=None)
    create_meter(store)
    store.meter_events.ingest(batch(0, 100))
    create_event(store, identifier="single")
    before = store.verify()

    store.seal()

    assert store.verify() == replace(before, segments=1)
    assert store.verify(checkpoint=before.checkpoint).ok


def test_a_checkpoint_stays_true_while_the_log_goes_on(connect: Connect) -> None:
    store = connect(clock=metering.FixedClock(NOW), seal_events=None)
    checkpoints = [store.verify().checkpoint]
    create_meter(store)
    for part in range(3):
        store.meter_events.ingest(batch(100 * part, 100))
        checkpoints.append(store.verify().checkpoint)
        store.seal()

    assert [each.position for each in checkpoints] == [0, 101, 201, 301]
    assert all(store.verify(checkpoint=each).ok for each in checkpoints)


def test_a_log_that_was_truncated_does_not_reach_the_checkpoint(target: str) -> None:
    with copied(target) as backup:
        with connected(target) as store:
            store.meter_events.ingest(batch(170, 30))
            checkpoint = store.verify().checkpoint

        with connected(backup) as store:
            (problem,) = store.verify(checkpoint=checkpoint).problems

    assert problem == (
        "The log ends at position 175, but went on to 205 when the checkpoint was"
        " saved: it was truncated, or restored from an older backup"
    )


def test_a_log_that_was_rewritten_does_not_lead_to_the_checkpoint(target: str) -> None:
    with copied(target) as other:
        with connected(target) as store:
            store.meter_events.ingest(batch(170, 30, value="1"))
            checkpoint = store.verify().checkpoint

        with connected(other) as store:
            store.meter_events.ingest(batch(170, 30, value="2"))
            store.seal()
            (problem,) = store.verify(checkpoint=checkpoint).problems

    assert problem == (
        "The log up to position 205 is not what it was when the checkpoint was saved:"
        " it was rewritten"
    )


def test_a_checkpoint_of_another_log_is_refused(target: str, connect: Connect) -> None:
    other = connect()
    create_meter(other)
    checkpoint = other.verify().checkpoint

    with connected(target) as store:
        (problem,) = store.verify(checkpoint=checkpoint).problems

    assert problem.startswith("The checkpoint is of another log")
    assert checkpoint.epoch in problem


@pytest.mark.parametrize("position", [1, 50, 104, 174])
def test_a_checkpoint_inside_a_commit_was_never_saved(
    target: str, position: int
) -> None:
    with connected(target) as store:
        checkpoint = replace(store.verify().checkpoint, position=position)

        assert not store.verify(checkpoint=checkpoint).ok


# Every column of the catalog and of the head, and what would go wrong if it did.
TAMPERING = [
    "UPDATE log_segment SET row_count = row_count + 1 WHERE after = 0",
    "UPDATE log_segment SET byte_count = byte_count - 1 WHERE after = 0",
    "UPDATE log_segment SET facts_position = facts_position + 1 WHERE after = 0",
    "UPDATE log_segment SET recorded_at = recorded_at + 1 WHERE after = 0",
    "UPDATE log_segment SET earliest = earliest + 1 WHERE after = 0",
    "UPDATE log_segment SET earliest = earliest - 1 WHERE after > 0",
    "UPDATE log_segment SET latest = latest - 1 WHERE after > 0",
    "UPDATE log_segment SET up_to = up_to + 1 WHERE after > 0",
    "UPDATE log_segment SET after = after + 1 WHERE after > 0",
    "UPDATE log_segment SET sha256 = zeroblob(32) WHERE after = 0",
    "UPDATE log_segment SET checksums = zeroblob(16) WHERE after = 0",
    "UPDATE log_segment SET digest = zeroblob(32) WHERE after = 0",
    "UPDATE log_segment SET digest = zeroblob(32) WHERE after > 0",
    "DELETE FROM log_segment WHERE after = 0",
    "DELETE FROM log_segment WHERE after > 0",
    "DELETE FROM log_segment",
    "UPDATE log_head SET sealed_position = 0",
    "UPDATE log_head SET sealed_position = sealed_position - 1",
    "UPDATE log_head SET sealed_position = sealed_position + 1",
    "UPDATE log_head SET facts_position = facts_position - 1",
    "UPDATE log_head SET recorded_at = recorded_at + 1",
    "UPDATE log_head SET position = position - 1",
    "UPDATE log_head SET digest = zeroblob(32)",
    "UPDATE log_head SET epoch = 'other'",
    "DELETE FROM log_commit WHERE kind = 'usage'",
    "DELETE FROM log_commit WHERE kind = 'facts'",
    "UPDATE log_commit SET first_position = first_position + 1 WHERE kind = 'usage'",
    "UPDATE meter SET display_name = 'Other'",
]


@pytest.mark.parametrize("statement", TAMPERING)
def test_whatever_was_changed_in_the_database_is_found(
    target: str, statement: str
) -> None:
    with closing(sqlite3.connect(Path(target) / "log.db")) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()

    problems = list(problems_of(target))

    assert problems
    assert not any("\n" in problem for problem in problems)


def problems_of(target: str) -> Iterator[str]:
    """What verification says, or why the store is not opened at all."""
    try:
        with connected(target) as store:
            yield from store.verify().problems
    except metering.MeteringError as error:
        yield error.message


def test_all_damaged_segments_are_named_at_once(target: str) -> None:
    files = sorted(segments_of(target).iterdir())
    for file in files:
        file.write_bytes(b"PAR1" + file.read_bytes()[4:-4] + b"par1")

    problems = list(problems_of(target))

    assert all(any(file.name in problem for problem in problems) for file in files)
    assert len(problems) == len(set(problems))


def test_a_row_that_is_kept_as_columns_is_read_again(target: str) -> None:
    with connected(target) as store:
        for number in range(520):
            create_event(store, identifier=f"small-{number}")
    # An answer is given from what was read and checked before.
    with connected(target) as store:
        assert store.verify().ok
    with closing(sqlite3.connect(Path(target) / "log.db")) as log:
        log.execute(
            "UPDATE log_commit SET body = replace(body, 'small-9', 'small-8')"
            " WHERE first_position = 185"
        )
        log.commit()

    with connected(target) as store:
        assert store.position == 695
        (problem,) = store.verify().problems

    assert "position 185" in problem
