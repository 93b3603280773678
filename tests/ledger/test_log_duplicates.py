"""An identifier has one event: repeats find it, contradictions are named."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from ledger.appending.drafts import Draft, Status
from ledger.entries import Commit
from ledger.facts.credits.grants import CreditGrantExpired
from ledger.log import Log
from ledger.usage.columns import UsageRow
from ledger.usage.rows import FewEvents
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
    statuses,
    stored_rows,
)

APPENDED, DUPLICATE, CONFLICT, STALE = Status


@pytest.mark.parametrize("is_batch", [False, True], ids=["rows", "batch"])
def test_an_equal_event_answers_with_the_original_position(
    log: Log, *, is_batch: bool
) -> None:
    log.append_usage(draft([row("a"), row("b")]))

    outcome = log.append_usage(
        draft([row("c"), row("b"), row("d"), row("a")], is_batch=is_batch)
    )

    assert statuses(outcome) == [APPENDED, DUPLICATE, APPENDED, DUPLICATE]
    assert positions(outcome) == [3, 2, 4, 1]
    assert [event.identifier for _, event in stored_rows(log)] == list("abcd")


def test_a_batch_of_repeats_makes_no_commit(log: Log) -> None:
    append(log, row("a"), row("b"))
    head = log.head()

    outcome = append(log, row("b"), row("a"))

    assert positions(outcome) == [2, 1]
    assert log.head() == head


@pytest.mark.dialect
def test_a_repeat_is_recognised_by_a_log_that_never_saw_the_original(
    open_log: OpenLog,
) -> None:
    first, second = open_log(), open_log()
    second.catch_up()
    append(first, *rows(100))

    outcome = append(second, *rows(101))

    assert statuses(outcome) == [DUPLICATE] * 100 + [APPENDED]
    assert positions(outcome) == list(range(1, 102))


@pytest.mark.dialect
def test_a_repeat_is_recognised_after_reopening(open_log: OpenLog) -> None:
    append(open_log(), row("a"))

    outcome = append(open_log(), row("a"))

    assert statuses(outcome) == [DUPLICATE]


@pytest.mark.dialect
@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        (row("a", customer="cus_2"), ("customer",)),
        (row("a", timestamp=NOW + 1), ("timestamp",)),
        (row("a", value="2"), ("value",)),
        (row("a", value=None), ("value",)),
        (row("a", payload=()), ("payload",)),
        (row("a", payload=(("model", "small"),)), ("payload",)),
        (row("a", customer="cus_2", value="2"), ("customer", "value")),
        (
            row("a", customer="c", timestamp=0, value="0", payload=(("k", ""),)),
            ("customer", "timestamp", "value", "payload"),
        ),
    ],
)
def test_other_content_is_a_conflict_that_names_the_fields(
    log: Log, changed: UsageRow, fields: tuple[str, ...]
) -> None:
    append(log, row("z"), row("a"))

    outcome = append(log, row("b"), changed)

    assert statuses(outcome) == [APPENDED, CONFLICT]
    assert positions(outcome) == [3, 2]
    assert outcome.conflicts == {1: fields}
    assert stored_rows(log)[1] == (2, row("a"))


def test_the_first_of_equal_identifiers_in_a_batch_is_the_original(log: Log) -> None:
    batch = [
        row("a"), row("b"), row("a"), row("a", value="2"), row("b"), row("c"), row("a"),
    ]  # fmt: skip

    outcome = append(log, *batch)

    assert statuses(outcome) == [
        APPENDED, APPENDED, DUPLICATE, CONFLICT, DUPLICATE, APPENDED, DUPLICATE,
    ]  # fmt: skip
    assert positions(outcome) == [1, 2, 1, 1, 2, 3, 1]
    assert outcome.conflicts == {3: ("value",)}


def test_identifiers_are_unique_within_their_event_name(log: Log) -> None:
    outcome = append(log, row("a"), row("a", event_name="requests"))

    assert statuses(outcome) == [APPENDED, APPENDED]
    assert log.find_event("requests", "a") == 2
    assert log.find_event("tokens", "a") == 1
    assert log.find_event("Tokens", "a") is None


def test_drafts_checked_against_other_facts_are_stale_and_record_nothing(
    open_log: OpenLog,
) -> None:
    log, other = open_log(), open_log()
    record(log, meter_created("tokens"))
    checked_at = log.catch_up().facts_position
    record(other, meter_created("requests"))

    outcome = log.append_usage(
        draft([row("a"), row("b")], facts_position=checked_at, recorded_at=NOW)
    )

    assert statuses(outcome) == [STALE, STALE]
    assert positions(outcome) == [0, 0]
    assert log.head().position == 2


def test_facts_about_anything_but_meters_make_no_draft_stale(
    open_log: OpenLog,
) -> None:
    log, other = open_log(), open_log()
    record(log, meter_created("tokens"))
    checked_at = log.catch_up().facts_position
    expired = CreditGrantExpired(grant_id="credgr_1")
    for writer in (other, log):
        with writer.writing(lambda: NOW) as writing:
            writing.record([expired])

    outcome = log.append_usage(
        draft([row("a")], facts_position=checked_at, recorded_at=NOW)
    )

    assert statuses(outcome) == [APPENDED]
    assert positions(outcome) == [4]


def test_an_identifier_can_be_used_again_after_its_retention(open_log: OpenLog) -> None:
    log = open_log(identifier_retention=timedelta(hours=1))
    later = NOW + 3600 * SECOND
    append(log, row("a"), recorded_at=NOW)

    at_the_end = append(log, row("a"), recorded_at=later)
    after = append(log, row("a", value="2"), recorded_at=later + 1)
    repeat = append(log, row("a", value="2"), recorded_at=later + 2)
    conflict = append(log, row("a"), recorded_at=later + 3)

    assert statuses(at_the_end) == [DUPLICATE]
    assert statuses(after) == [APPENDED]
    assert (statuses(repeat), positions(repeat)) == ([DUPLICATE], [2])
    assert (statuses(conflict), conflict.conflicts) == ([CONFLICT], {0: ("value",)})
    assert log.find_event("tokens", "a") == 2


def test_a_clock_that_steps_back_does_not_shorten_the_retention(
    open_log: OpenLog,
) -> None:
    log = open_log(identifier_retention=timedelta(hours=1))
    append(log, row("a"), recorded_at=NOW)
    append(log, row("clock"), recorded_at=NOW + 3601 * SECOND)

    reused = append(log, row("a"), recorded_at=NOW)

    assert statuses(reused) == [APPENDED]
    assert positions(reused) == [3]


def test_an_identifier_is_kept_for_ever_without_a_retention(log: Log) -> None:
    append(log, row("a"), recorded_at=NOW)

    outcome = append(log, row("a"), recorded_at=NOW + 10**9 * SECOND)

    assert statuses(outcome) == [DUPLICATE]


def batch_draft(log: Log, *events: UsageRow) -> Draft:
    return draft(events, facts_position=log.catch_up().facts_position, is_batch=True)


@pytest.mark.parametrize("by_another_log", [False, True])
def test_a_draft_made_ahead_finds_what_was_recorded_since(
    open_log: OpenLog, *, by_another_log: bool
) -> None:
    log = open_log()
    other = open_log() if by_another_log else log
    sent = batch_draft(log, row("a"), row("b"), row("c"))
    append(other, row("b"), row("a", value="2"))

    outcome = log.append_usage(sent)

    assert statuses(outcome) == [CONFLICT, DUPLICATE, APPENDED]
    assert positions(outcome) == [2, 1, 3]


@pytest.mark.parametrize("by_another_log", [False, True])
def test_a_draft_made_ahead_outlives_unrelated_events(
    open_log: OpenLog, *, by_another_log: bool
) -> None:
    log = open_log()
    other = open_log() if by_another_log else log
    append(log, row("before"))
    sent = batch_draft(log, row("a"), row("before"))
    append(other, row("x"), row("y"))

    outcome = log.append_usage(sent)

    assert statuses(outcome) == [APPENDED, DUPLICATE]
    assert positions(outcome) == [4, 1]
    assert [event.identifier for _, event in stored_rows(other)] == [
        "before", "x", "y", "a",
    ]  # fmt: skip


def test_a_draft_of_which_all_was_recorded_since_makes_no_commit(
    open_log: OpenLog,
) -> None:
    log, other = open_log(), open_log()
    sent = batch_draft(log, row("a"), row("b"))
    append(other, row("b"), row("a"))

    outcome = log.append_usage(sent)

    assert statuses(outcome) == [DUPLICATE, DUPLICATE]
    assert positions(outcome) == [2, 1]
    assert log.head().position == 2


def test_mixed_timestamps_in_one_draft_are_compared_row_by_row(log: Log) -> None:
    append(log, row("a"), row("b"))
    sent = Draft.of(
        events=FewEvents([row("a", timestamp=NOW + 1), row("b", timestamp=NOW + 1)]),
        has_own_timestamp=np.array([False, True]),
        facts_position=0,
        now=lambda: NOW,
    )

    outcome = log.append_usage(sent)

    assert statuses(outcome) == [DUPLICATE, CONFLICT]
    assert outcome.conflicts == {1: ("timestamp",)}


def test_usage_that_was_folded_by_half_is_taken_in_anew(open_log: OpenLog) -> None:
    usage = Recorder()
    log = open_log(usage)
    append(log, row("a"))
    append(log, row("b"))
    usage.commits.pop(0)
    usage.is_torn = True

    log.catch_up()

    assert not usage.is_torn
    assert usage.stored_rows() == stored_rows(log)
    assert statuses(append(log, row("b"))) == [DUPLICATE]
    assert log.count_events() == 2


@dataclass
class InterruptedRecorder(Recorder):
    """A fold of usage that is interrupted once, behind its second commit."""

    was_interrupted: bool = False

    def take_in(self, commit: Commit) -> None:
        super().take_in(commit)
        if commit.first_position == 2 and not self.was_interrupted:
            self.was_interrupted = True
            raise KeyboardInterrupt


def test_a_commit_taken_in_by_half_is_taken_in_anew(open_log: OpenLog) -> None:
    usage = InterruptedRecorder()
    log = open_log(usage)
    append(log, row("a"))
    with pytest.raises(KeyboardInterrupt):
        append(log, row("b"))

    assert statuses(append(log, row("c"))) == [APPENDED]
    assert statuses(append(log, row("b"))) == [DUPLICATE]
    assert log.count_events() == 3
    assert log.tail_size.events == 3
    log.catch_up()
    assert usage.stored_rows() == stored_rows(log)
    assert log.seal() == 1
