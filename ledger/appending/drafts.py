"""What is handed to the log to be appended, and what it answers."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ledger.appending.deduplication import Draft, Settled
from ledger.records.requests import Request
from ledger.usage.columns import concatenate
from ledger.usage.identifiers import identifier_hash, identifier_hashes
from ledger.usage.rows import FEW, Events, FewEvents, batch_of


class Status(enum.IntEnum):
    """What became of an event that was to be appended."""

    APPENDED = 0
    DUPLICATE = 1
    CONFLICT = 2
    STALE = 3
    """The meters changed since the event was checked: check it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDraft:
    """Checked meter events on their way into the log.

    Attributes:
        events: meter events in canonical form.
        has_own_timestamp: which events carry their sender's timestamp; the others were
            given the time of arrival.
        facts_position: position of the last fact the events were checked against.
        now: tells the time, microseconds since 1970 UTC; is asked under the write lock,
            so that nothing is recorded at a time before what another process saw.
        requests: what to write down in the same database transaction: the number of an
            event, and the request that it is new by.
    """

    events: Events
    has_own_timestamp: np.ndarray
    facts_position: int
    now: Callable[[], int]
    requests: Sequence[tuple[int, Request]] = ()

    def __len__(self) -> int:
        """Count the events."""
        return len(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOutcome:
    """What became of a draft, row by row.

    Attributes:
        statuses: a `Status` for each event (uint8).
        positions: position of each event, or of its original where it is a duplicate
            or a conflict (int64).
        conflicts: for each row in conflict, the fields that differ from the original.
        recorded_at: when the appended events were recorded, microseconds since 1970; 0
            where none were.
    """

    statuses: np.ndarray
    positions: np.ndarray
    conflicts: dict[int, tuple[str, ...]]
    recorded_at: int


def combine(drafts: Sequence[UsageDraft]) -> Draft:
    """Put drafts one behind the other, as one batch with its identifiers' hashes."""
    own = np.concatenate([draft.has_own_timestamp for draft in drafts])
    few = [draft.events for draft in drafts if isinstance(draft.events, FewEvents)]
    if len(few) < len(drafts):
        batch = concatenate([batch_of(draft.events) for draft in drafts])
        return Draft(
            events=batch, hashes=identifier_hashes(batch), has_own_timestamp=own
        )
    events = FewEvents([row for each in few for row in each.rows])
    hashes = [identifier_hash(row.event_name, row.identifier) for row in events.rows]
    return Draft(
        events=events if len(events) <= FEW else events.batch,
        hashes=np.array(hashes, np.uint64),
        has_own_timestamp=own,
    )


def outcomes(
    drafts: Sequence[UsageDraft],
    settled: Settled,
    first_position: int,
    recorded_at: int,
) -> list[UsageOutcome]:
    """Tell each draft what became of it.

    Args:
        drafts: the drafts that were settled together, in order.
        settled: what became of their rows.
        first_position: position of the first new row; the other new ones follow it.
        recorded_at: when they were recorded.
    """
    positions, statuses = _positions_and_statuses(settled, first_position)
    answers, start = [], 0
    for draft in drafts:
        end = start + len(draft)
        answers.append(
            UsageOutcome(
                statuses=statuses[start:end],
                positions=positions[start:end],
                conflicts={
                    row - start: fields
                    for row, fields in settled.conflicts.items()
                    if start <= row < end
                },
                recorded_at=recorded_at,
            )
        )
        start = end
    return answers


def _positions_and_statuses(
    settled: Settled, first_position: int
) -> tuple[np.ndarray, np.ndarray]:
    count = len(settled.is_new)
    if settled.new_count == count:
        positions = np.arange(first_position, first_position + count)
        return positions, np.zeros(count, np.uint8)
    positions = settled.original_positions.copy()
    positions[settled.is_new] = first_position + np.arange(settled.new_count)
    repeats = settled.original_rows >= 0
    positions[repeats] = positions[settled.original_rows[repeats]]
    statuses = np.full(count, Status.DUPLICATE, np.uint8)
    statuses[settled.is_new] = Status.APPENDED
    statuses[list(settled.conflicts)] = Status.CONFLICT
    return positions, statuses


def stale_outcome(draft: UsageDraft) -> UsageOutcome:
    """Answer a draft that was checked against meters that have changed since."""
    return UsageOutcome(
        statuses=np.full(len(draft), Status.STALE, np.uint8),
        positions=np.zeros(len(draft), np.int64),
        conflicts={},
        recorded_at=0,
    )
