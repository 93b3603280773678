"""Events are read by position, and what was read last is kept, within bounds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ledger.entries import Commit
from ledger.errors import LogDamagedError
from ledger.segments.reader import SegmentReader
from ledger.segments.sealed import Sealed
from ledger.segments.store import open_segment_store
from ledger.stored_events import StoredEvents
from ledger.usage.columns import usage_batch, usage_rows
from ledger.usage.fingerprints import UNKNOWN, fingerprints
from tests.ledger.drafts import NOW, meter_created, row

NOTHING_SEALED = Sealed(
    segments=(), reader=SegmentReader(open_segment_store("absent")), runs=Path()
)


class FactShelf:
    """One commit, of facts."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit

    def commit_holding(self, position: int) -> Commit:
        return self._commit

    def commits_at(self, first_positions: Sequence[int]) -> Sequence[Commit]:
        return [self._commit]


class Shelf:
    """Commits of one event each, and how often they were fetched."""

    def __init__(self, count: int, *, payload: str = "") -> None:
        self._count = count
        self._payload = (("text", payload),)
        self.fetched = 0

    def commit_holding(self, position: int) -> Commit:
        self.fetched += 1
        if not 1 <= position <= self._count:
            raise LogDamagedError(position, "no commit holds it")
        return Commit(
            first_position=position,
            recorded_at=NOW + position,
            content=usage_batch([row(f"event-{position}", payload=self._payload)]),
            content_digest=b"",
            digest=b"",
        )

    def commits_at(self, first_positions: Sequence[int]) -> Sequence[Commit]:
        return [self.commit_holding(position) for position in first_positions]


def test_what_was_read_last_is_not_fetched_again() -> None:
    shelf = Shelf(10)
    stored = StoredEvents(shelf)

    stored.take(np.array([1, 3]), NOTHING_SEALED)
    events, recorded_at = stored.take(np.array([3, 1, 3]), NOTHING_SEALED)
    commits = list(stored.commits_at([1, 3]))

    assert shelf.fetched == 2
    assert [each.identifier for each in usage_rows(events)] == [
        "event-3", "event-1", "event-3",
    ]  # fmt: skip
    assert recorded_at.tolist() == [NOW + 3, NOW + 1, NOW + 3]
    assert [commit.first_position for commit in commits] == [1, 3]


def test_commits_are_fetched_once_however_they_are_asked_for() -> None:
    shelf = Shelf(10)
    stored = StoredEvents(shelf)

    list(stored.commits_at([2, 4]))
    stored.take(np.array([2, 4, 6]), NOTHING_SEALED)
    list(stored.commits_at([2, 4, 6, 8]))

    assert shelf.fetched == 4


def test_a_commit_that_two_ask_for_is_kept_once() -> None:
    shelf = Shelf(10)
    stored = StoredEvents(shelf)

    commits = list(stored.commits_at([4, 4]))
    stored.take(np.array([4, 4]), NOTHING_SEALED)

    assert [commit.first_position for commit in commits] == [4, 4]
    assert shelf.fetched <= 2


def test_many_commits_are_kept_up_to_the_bound() -> None:
    shelf = Shelf(1_000)
    stored = StoredEvents(shelf, bytes_kept=4 << 20)
    everything = range(1, 1_001)

    list(stored.commits_at(everything))
    fetched_first = shelf.fetched
    list(stored.commits_at(everything))

    fetched_again = shelf.fetched - fetched_first
    assert fetched_first == 1_000
    # Some were kept, however often all are gone through in the same order; not all.
    assert 500 < fetched_again < 950


def test_one_commit_larger_than_the_bound_is_still_kept() -> None:
    shelf = Shelf(2, payload="x" * (5 << 20))
    stored = StoredEvents(shelf, bytes_kept=4 << 20)

    for _ in range(2):
        stored.take(np.array([1]), NOTHING_SEALED)

    assert shelf.fetched == 1


class LargeShelf:
    """Commits of 300 events each, and how often they were fetched."""

    def __init__(self) -> None:
        self.fetched = 0

    def commit_holding(self, position: int) -> Commit:
        self.fetched += 1
        first = (position - 1) // 300 * 300
        return Commit(
            first_position=first + 1,
            recorded_at=NOW + first,
            content=usage_batch([row(f"event-{first + n}") for n in range(1, 301)]),
            content_digest=b"",
            digest=b"",
        )

    def commits_at(self, first_positions: Sequence[int]) -> Sequence[Commit]:
        return [self.commit_holding(position) for position in first_positions]


def test_fingerprints_are_kept_of_commits_that_are_not() -> None:
    shelf = LargeShelf()
    stored = StoredEvents(shelf, bytes_kept=1)
    positions = np.array([1_000, 1, 301, 2])

    first, _ = stored.fingerprints(positions, NOTHING_SEALED)
    again, recorded_at = stored.fingerprints(positions, NOTHING_SEALED)

    events = [row(f"event-{position}") for position in positions.tolist()]
    assert (
        first.tolist() == again.tolist() == fingerprints(usage_batch(events)).tolist()
    )
    assert recorded_at.tolist() == [NOW + 900, NOW, NOW + 300, NOW]
    assert shelf.fetched == 3


def test_of_small_commits_no_fingerprints_are_made() -> None:
    stored = StoredEvents(Shelf(10))

    found, _ = stored.fingerprints(np.array([3, 1]), NOTHING_SEALED)

    assert found.tolist() == [UNKNOWN, UNKNOWN]


def test_facts_are_no_events() -> None:
    facts = Commit(
        first_position=7,
        recorded_at=NOW,
        content=(meter_created("tokens"),),
        content_digest=b"",
        digest=b"",
    )
    stored = StoredEvents(FactShelf(facts))

    with pytest.raises(LogDamagedError) as caught:
        stored.take(np.array([7]), NOTHING_SEALED)

    assert caught.value.position == 7
