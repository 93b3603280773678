"""Small commits are read in passages, as if one by one."""

import numpy as np
import pytest
from sqlalchemy import update

from ledger.appending.drafts import Status
from ledger.entries import Commit, Passage, in_passages
from ledger.errors import LogDamagedError
from ledger.facts.meters import MeterUpdated
from ledger.log import Log
from ledger.schema import log_commit
from ledger.usage.columns import usage_rows
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


def mixed(log: Log) -> None:
    """Facts at 1 and 42, a batch from 43 to 142, single events before and after."""
    record(log, meter_created("tokens"))
    for number, event in enumerate(rows(40, prefix="before")):
        append(log, event, recorded_at=NOW + number)
    record(log, meter_created("requests"))
    log.append_usage(draft(rows(100, prefix="batch"), facts_position=42, is_batch=True))
    for event in rows(20, prefix="after"):
        append(log, event)


def test_a_passage_holds_what_its_commits_do(log: Log) -> None:
    mixed(log)
    commits = list(log.commits())

    parts = [part for part, _ in in_passages(commits)]

    kinds = [type(part) for part in parts]
    assert kinds == [Commit, Passage, Commit, Commit, Passage]
    assert [head for _, head in in_passages(commits)] == [
        commits[at][1] for at in (0, 40, 41, 42, 62)
    ]
    passage = parts[1]
    assert isinstance(passage, Passage)
    assert (passage.first_position, passage.last_position) == (2, 41)
    assert passage.positions.tolist() == list(range(2, 42))
    assert passage.recorded_at.tolist() == [NOW + number for number in range(40)]
    assert usage_rows(passage.events) == rows(40, prefix="before")


def test_facts_that_no_event_depends_on_are_part_of_a_passage(log: Log) -> None:
    record(log, meter_created("tokens"))
    for number in range(20):
        append(log, row(f"{number}"))
    renamed = MeterUpdated(meter_id="mtr_tokens", display_name="Other")
    with log.writing(lambda: NOW) as writing:
        writing.record([renamed])
    for number in range(20, 23):
        append(log, row(f"{number}"))

    kinds = [type(part) for part, _ in in_passages(log.commits())]

    # Facts about meters stand alone, and so do few commits.
    assert kinds == [Commit, Passage, Commit, Commit, Commit, Commit]


def test_small_commits_are_taken_in_as_they_were_made(open_log: OpenLog) -> None:
    told = Recorder()
    log = open_log()
    mixed(log)

    theirs = open_log(told)
    theirs.catch_up()

    assert told.stored_rows() == stored_rows(log)
    assert theirs.tail_size.events == 160
    assert theirs.head() == log.head()
    again = append(theirs, *rows(40, prefix="before"), row("new"))
    assert statuses(again) == [Status.DUPLICATE] * 40 + [Status.APPENDED]
    assert positions(again) == [*range(2, 42), 163]


@pytest.mark.parametrize("column", ["body", "content_digest", "digest"])
def test_damage_within_a_passage_is_named(
    open_log: OpenLog, open_store: OpenDatabase, column: str
) -> None:
    mixed(open_log())
    with open_store().write() as connection:
        other = connection.scalar(
            log_commit.select()
            .with_only_columns(log_commit.c[column])
            .where(log_commit.c.first_position == 21)
        )
        connection.execute(
            update(log_commit)
            .where(log_commit.c.first_position == 20)
            .values({column: other})
        )

    with pytest.raises(LogDamagedError) as caught:
        open_log().catch_up()

    assert caught.value.position == 20


def test_identifiers_are_found_between_the_gaps_of_a_passage(log: Log) -> None:
    mixed(log)

    found = [log.find_event("tokens", f"before-{number}") for number in (0, 38)]

    assert found == [2, 40]
    events, _ = log.events_at(np.array([2, 40]))
    assert [each.identifier for each in usage_rows(events)] == ["before-0", "before-38"]
