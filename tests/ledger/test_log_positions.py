"""The log is one sequence: gap-free positions, in the order of the commits."""

from itertools import pairwise

import numpy as np
import pytest

from ledger.errors import LogDamagedError
from ledger.log import Log
from ledger.usage.columns import USAGE, usage_rows
from ledger.usage.rows import batch_of
from tests.ledger.conftest import OpenLog
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
    stored_rows,
)

pytestmark = pytest.mark.dialect


def test_an_empty_log_ends_at_position_zero(log: Log) -> None:
    head = log.catch_up()

    assert (head.position, head.facts_position, head.recorded_at) == (0, 0, 0)
    assert head.epoch == "epoch-1"
    assert list(log.commits()) == []
    assert log.find_event("tokens", "a") is None


def test_positions_have_no_gaps_whatever_the_commits_hold(log: Log) -> None:
    sizes = [1, 3, 100, 1, 20]

    for number, size in enumerate(sizes):
        append(log, *rows(size, prefix=f"batch-{number}"))
        record(log, meter_created(f"a{number}"), meter_created(f"b{number}"))

    commits = [commit for commit, _ in log.commits()]
    assert commits[0].first_position == 1
    assert all(
        later.first_position == earlier.last_position + 1
        for earlier, later in pairwise(commits)
    )
    assert commits[-1].last_position == sum(sizes) + 2 * len(sizes)
    assert log.head().position == sum(sizes) + 2 * len(sizes)


def test_a_large_batch_without_its_repeated_events_is_what_is_read(
    log: Log,
) -> None:
    events = rows(10_000)
    sent = [*events[:100], *events[50:70], *events[100:]]

    outcome = log.append_usage(draft(sent, is_batch=True))

    assert np.flatnonzero(~outcome.are_new).tolist() == list(range(100, 120))
    # Digests are compared by the way.
    assert stored_rows(log) == list(enumerate(events, 1))


def test_the_head_says_where_the_last_fact_is(log: Log) -> None:
    append(log, row("a"))
    record(log, meter_created("tokens"), meter_created("requests"))
    append(log, row("b"))

    head = log.head()

    assert (head.position, head.facts_position) == (4, 3)


def test_another_log_of_the_store_sees_every_acknowledged_event(
    open_log: OpenLog,
) -> None:
    writer, reader = open_log(), open_log()
    append(writer, row("a"), row("b"))

    head = reader.catch_up()

    assert head.position == 2
    assert reader.find_event("tokens", "b") == 2
    assert stored_rows(reader) == stored_rows(writer)


def test_a_log_opened_later_keeps_the_epoch_of_the_store(open_log: OpenLog) -> None:
    first = open_log(epoch="epoch-1")
    append(first, row("a"))

    second = open_log(epoch="epoch-2")

    assert second.head() == first.head()
    assert second.head().epoch == "epoch-1"


def test_logs_that_append_in_turn_make_one_sequence(open_log: OpenLog) -> None:
    logs = [open_log(), open_log(), open_log()]

    taken = [
        positions(append(logs[number % 3], *rows(2, prefix=f"turn-{number}")))
        for number in range(9)
    ]

    assert taken == [[1 + 2 * number, 2 + 2 * number] for number in range(9)]
    assert [position for position, _ in stored_rows(logs[0])] == list(range(1, 19))


def test_usage_takes_in_every_commit_once_and_in_order(open_log: OpenLog) -> None:
    told, told_elsewhere = Recorder(), Recorder()
    ours, theirs = open_log(told), open_log(told_elsewhere)

    for number in range(4):
        append(ours, *rows(3, prefix=f"ours-{number}"))
        append(theirs, *rows(2, prefix=f"theirs-{number}"))
        record(ours, meter_created(f"m{number}"))
    ours.catch_up()
    theirs.catch_up()

    expected = [commit.first_position for commit, _ in ours.commits()]
    assert told.first_positions == expected
    assert told_elsewhere.first_positions == expected


def test_usage_takes_in_the_same_whoever_committed(open_log: OpenLog) -> None:
    told, told_elsewhere = Recorder(), Recorder()
    ours, theirs = open_log(told), open_log(told_elsewhere)
    append(ours, *rows(100))
    append(ours, row("a", value=None, payload=()))

    theirs.catch_up()

    assert told.stored_rows() == told_elsewhere.stored_rows()
    assert [(commit.recorded_at, commit.digest) for commit in told.commits] == [
        (commit.recorded_at, commit.digest) for commit in told_elsewhere.commits
    ]


def test_the_recorded_time_never_steps_back(open_log: OpenLog) -> None:
    fast, slow = open_log(), open_log()
    append(fast, row("a"), recorded_at=NOW + SECOND)

    outcome = append(slow, row("b"), recorded_at=NOW)
    record(slow, meter_created("tokens"), recorded_at=NOW - SECOND)

    assert outcome.recorded_at == NOW + SECOND
    assert [commit.recorded_at for commit, _ in slow.commits()] == [NOW + SECOND] * 3


def test_events_are_read_by_position_in_the_order_asked_for(log: Log) -> None:
    append(log, row("a"), row("b"))
    record(log, meter_created("tokens"))
    append(log, row("c"), row("d", payload=()), recorded_at=NOW + SECOND)

    events, recorded_at = log.events_at(np.array([5, 1, 4, 1, 2]))

    assert usage_rows(events) == [
        row("d", payload=()), row("a"), row("c"), row("a"), row("b"),
    ]  # fmt: skip
    assert recorded_at.tolist() == [NOW + SECOND, NOW, NOW + SECOND, NOW, NOW]


def test_no_positions_are_no_events(log: Log) -> None:
    events, recorded_at = log.events_at(np.zeros(0, np.int64))

    assert events.num_rows == 0
    assert len(recorded_at) == 0


@pytest.mark.parametrize("position", [0, 2, 4, 99])
def test_a_position_without_an_event_is_an_error(log: Log, position: int) -> None:
    append(log, row("a"))
    record(log, meter_created("tokens"))
    append(log, row("b"))

    with pytest.raises(LogDamagedError) as caught:
        log.events_at(np.array([position]))

    assert caught.value.position == position


def test_commits_are_read_by_their_first_positions(log: Log) -> None:
    append(log, *rows(5, prefix="first"))
    record(log, meter_created("tokens"))
    append(log, *rows(5, prefix="second"))

    read = [list(log.commits_at(firsts)) for firsts in ([1, 7], [7], [1, 6, 7], [])]

    assert [[commit.first_position for commit in commits] for commits in read] == [
        [1, 7], [7], [1, 6, 7], [],
    ]  # fmt: skip
    assert read[0] == [commit for commit, _ in log.commits()][::2]


def test_commits_can_be_read_up_to_a_position(log: Log) -> None:
    append(log, row("a"))
    append(log, row("b"), row("c"))
    append(log, row("d"))

    read = [(commit.first_position, head.position) for commit, head in log.commits(3)]

    assert read == [(1, 1), (2, 3)]
    assert len(list(log.commits(99))) == 3


def test_rebuilding_takes_everything_in_again(open_log: OpenLog) -> None:
    told, reached = Recorder(), list[tuple[int, int]]()
    log = open_log(told)
    append(log, *rows(3, prefix="first"))
    record(log, meter_created("tokens"))
    append(log, *rows(2, prefix="second"))
    before = told.first_positions

    log.rebuild(lambda position, end: reached.append((position, end)))

    assert told.first_positions == before
    assert reached == [(3, 6), (4, 6), (6, 6)]
    assert log.find_event("requests", "second-1") == 6
    assert positions(append(log, *rows(3, prefix="first"))) == [1, 2, 3]
    assert positions(append(log, row("new"))) == [7]


def test_batches_and_rows_are_stored_alike(open_log: OpenLog) -> None:
    log = open_log()
    events = rows(5, prefix="rows"), rows(5, prefix="batch")

    log.append_usage(draft(events[0]))
    log.append_usage(draft(events[1], is_batch=True))

    contents = [commit.content for commit, _ in log.commits()]
    batches = [batch_of(each) for each in contents if not isinstance(each, tuple)]
    assert [batch.schema for batch in batches] == [USAGE, USAGE]
    assert [each for _, each in stored_rows(log)] == [*events[0], *events[1]]
