"""Drafts: checked meter events on their way into the log, and what became of them."""

import enum
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import msgspec
import numpy as np

from ledger.entries import Head
from ledger.records.idempotency import Request
from ledger.usage.fingerprints import fingerprints
from ledger.usage.identifiers import identifier_hashes, repeated_among
from ledger.usage.rows import (
    FEW,
    FewEvents,
    UsageEvents,
    batch_of,
    concatenate_events,
    encode_events,
    events_digest,
    take_events,
)

ANY_TIME = -(1 << 61)
"""A time before every other, in microseconds since 1970 UTC."""
# Fewer events are digested in the time that a thread needs to begin.
_WORTH_A_THREAD = 1 << 13


class Status(enum.IntEnum):
    """What became of an event that was to be appended."""

    APPENDED = 0
    DUPLICATE = 1
    CONFLICT = 2
    STALE = 3
    """The meters changed since the event was checked: check it again."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Checked meter events on their way into the log.

    Made by `of`, which hashes the identifiers: a caller that prepares a draft on another
    thread has paid for that before the append.

    Attributes:
        events: meter events in canonical form.
        hashes: the hash of each identifier (uint64).
        has_own_timestamp: which events carry their sender's timestamp (bool); the others
            were given the time of arrival, which a repetition cannot repeat.
        facts_position: position of the last fact the events were checked against.
        now: returns the time, microseconds since 1970 UTC. It is called under the write
            lock, or right before an append that waits for no lock, so that nothing is
            recorded at a time before what another process recorded.
        requests: requests to write down in the same database transaction, each with the
            index of the event that has to be new.
        sent_at: when each event was first sent, microseconds since 1970 UTC (int64), at
            which its identifier was used; None is now.
        checked_at: what the clock showed before they were checked, microseconds since
            1970 UTC: no timestamp given to them is later.
    """

    events: UsageEvents
    hashes: np.ndarray
    has_own_timestamp: np.ndarray
    facts_position: int
    now: Callable[[], int]
    requests: Sequence[tuple[int, Request]]
    sent_at: np.ndarray | None = None
    checked_at: int = ANY_TIME

    def __post_init__(self) -> None:
        """Check that the columns have one length."""
        assert len(self.hashes) == len(self.events), "each event has a hash"
        assert len(self.has_own_timestamp) == len(self.events), "each event has a flag"

    @classmethod
    def of(  # noqa: PLR0913  # a draft has that many parts
        cls,
        events: UsageEvents,
        *,
        has_own_timestamp: np.ndarray,
        facts_position: int,
        now: Callable[[], int],
        requests: Sequence[tuple[int, Request]] = (),
        sent_at: np.ndarray | None = None,
        checked_at: int = ANY_TIME,
    ) -> "Draft":
        """Make a draft; see the attributes."""
        return cls(
            events=events if _are_few(events) else batch_of(events),
            hashes=identifier_hashes(events),
            has_own_timestamp=has_own_timestamp,
            facts_position=facts_position,
            now=now,
            requests=requests,
            sent_at=sent_at,
            checked_at=checked_at,
        )

    def prepare(self, *, may_repeat: bool) -> None:
        """Find out ahead, on the caller's thread, what the append will want to know.

        Args:
            may_repeat: whether many events are likely to be recorded already.
        """
        _ = self.repeated_hashes
        if may_repeat:
            _ = self.fingerprints

    def keep_ahead(self, ahead: "SettledAhead") -> None:
        """Keep what was settled ahead for the append."""
        self.__dict__["ahead"] = ahead

    def take_ahead(self) -> "SettledAhead | None":
        """Give up what was settled ahead, which may refer to this draft."""
        ahead: SettledAhead | None = self.__dict__.pop("ahead", None)
        return ahead

    @classmethod
    def together(cls, drafts: Sequence["Draft"]) -> "Draft":
        """Put drafts one behind the other, as checked as the least of them."""
        if len(drafts) == 1:
            return drafts[0]
        starts = np.cumsum([0, *map(len, drafts)]).tolist()
        return cls(
            events=_in_form([draft.events for draft in drafts]),
            hashes=np.concatenate([draft.hashes for draft in drafts]),
            has_own_timestamp=np.concatenate(
                [draft.has_own_timestamp for draft in drafts]
            ),
            facts_position=min(draft.facts_position for draft in drafts),
            # Each looks at the same clock.
            now=drafts[0].now,
            requests=[
                (start + row, request)
                for start, draft in zip(starts, drafts, strict=False)
                for row, request in draft.requests
            ],
            sent_at=_together_sent_at(drafts),
            checked_at=max(draft.checked_at for draft in drafts),
        )

    def __len__(self) -> int:
        """Count the events."""
        return len(self.hashes)

    def take(self, are_wanted: np.ndarray) -> "Draft":
        """Pick some events (bool)."""
        if are_wanted.all():
            return self
        rows = np.flatnonzero(are_wanted)
        number: dict[int, int] = {}
        if self.requests:
            number = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        taken = msgspec.structs.replace(
            self,
            events=take_events(self.events, rows),
            hashes=self.hashes[rows],
            has_own_timestamp=self.has_own_timestamp[rows],
            requests=[
                (number[row], request)
                for row, request in self.requests
                if row in number
            ],
            sent_at=None if self.sent_at is None else self.sent_at[rows],
        )
        known = self.known_fingerprints
        if known is not None:
            taken.__dict__["fingerprints"] = known[rows]
        return taken

    def sent_by(self, now: int) -> int | np.ndarray:
        """Return when its events were first sent, all or each, at the latest now."""
        return now if self.sent_at is None else np.minimum(self.sent_at, now)

    @cached_property
    def repeated_hashes(self) -> np.ndarray:
        """The hashes that more than one identifier has (uint64)."""
        return repeated_among(self.hashes)

    @cached_property
    def fingerprints(self) -> np.ndarray:
        """What proves that events are equal to others (uint64)."""
        return fingerprints(batch_of(self.events))

    @property
    def known_fingerprints(self) -> np.ndarray | None:
        """The fingerprints, if they were made; they cost a third of a commit."""
        return self.__dict__.get("fingerprints")

    @cached_property
    def encoded(self) -> tuple[bytes, bytes]:
        """The events as the body of a commit, and their digest."""
        if len(self) < _WORTH_A_THREAD:
            return encode_events(self.events), events_digest(self.events)
        # Neither needs the other, and both let other threads run.
        with ThreadPoolExecutor(1, "metering-digest") as other:
            digest = other.submit(events_digest, self.events)
            return encode_events(self.events), digest.result()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a draft, event by event.

    Attributes:
        statuses: a `Status` for each event (uint8).
        positions: position of each event, or of its original where it is a duplicate
            or a conflict (int64). Before the commit, the place among the new events
            where `are_here` says so.
        are_here: whether the event or its original is new in the draft (bool).
        conflicts: for each event in conflict, by index, the fields that differ.
        recorded_at: when the new events were recorded, microseconds since 1970 UTC; 0
            where none were.
    """

    statuses: np.ndarray
    positions: np.ndarray
    are_here: np.ndarray
    conflicts: dict[int, tuple[str, ...]]
    recorded_at: int = 0

    @classmethod
    def of_new(cls, count: int) -> "Outcome":
        """Return the outcome of a draft in which every event is new."""
        if count == 1:
            return _ONE_NEW
        return cls(
            statuses=np.zeros(count, np.uint8),
            positions=np.arange(count),
            are_here=np.ones(count, np.bool_),
            conflicts={},
        )

    @classmethod
    def stale(cls, count: int) -> "Outcome":
        """Return the outcome of a draft that was checked against other meters."""
        return cls(
            statuses=np.full(count, Status.STALE, np.uint8),
            positions=np.zeros(count, np.int64),
            are_here=np.zeros(count, np.bool_),
            conflicts={},
        )

    @property
    def is_stale(self) -> bool:
        """Whether the meters changed since the events were checked: check them again."""
        return int(self.statuses[0]) == Status.STALE

    @property
    def are_new(self) -> np.ndarray:
        """Which events are to be recorded, or were (bool)."""
        are_new: np.ndarray = self.statuses == Status.APPENDED
        return are_new

    def recorded(self, first_position: int, recorded_at: int) -> "Outcome":
        """Return the outcome once the new events are recorded, from a position on."""
        if self is _ONE_NEW:
            positions = np.array([first_position])
        else:
            positions = self.positions + first_position * self.are_here
        return Outcome(
            statuses=self.statuses,
            positions=positions,
            are_here=self.are_here,
            conflicts=self.conflicts,
            recorded_at=recorded_at,
        )

    def split(self, drafts: Sequence[Draft]) -> "list[Outcome]":
        """Split the outcome of drafts that were put together."""
        if len(drafts) == 1:
            return [self]
        outcomes, start = [], 0
        for draft in drafts:
            end = start + len(draft)
            conflicts: dict[int, tuple[str, ...]] = {}
            if self.conflicts:
                conflicts = {
                    row - start: fields
                    for row, fields in self.conflicts.items()
                    if start <= row < end
                }
            outcomes.append(
                Outcome(
                    statuses=self.statuses[start:end],
                    positions=self.positions[start:end],
                    are_here=self.are_here[start:end],
                    conflicts=conflicts,
                    recorded_at=self.recorded_at,
                )
            )
            start = end
        assert start == len(self.statuses), "every event has its outcome"
        return outcomes


class SettledAhead(msgspec.Struct):
    """What becomes of a draft if those before it are recorded where they are expected.

    Attributes:
        known: the head up to which it was settled by what is recorded.
        expected: those that were to be recorded behind it, in order, with new events
            each.
        may_repeat_expected: whether an event of the draft may repeat one of theirs.
        outcome: what becomes of it.
        new: its new events.
        is_recorded: whether they were recorded where they were expected.
    """

    known: Head
    expected: "tuple[SettledAhead, ...]"
    may_repeat_expected: bool
    outcome: Outcome
    new: Draft
    first_position: int = 0
    is_recorded: bool = False

    def __post_init__(self) -> None:
        """Find out where its new events are expected."""
        before = self.expected[-1].last_position if self.expected else None
        self.first_position = (self.known.position if before is None else before) + 1

    @property
    def last_position(self) -> int:
        """Where its last new event is expected."""
        return self.first_position + len(self.new) - 1

    def came_true(self, head: Head) -> bool:
        """Whether the log ends with what was expected before it, and with nothing else."""
        return self.first_position == head.position + 1 and all(
            each.is_recorded for each in self.expected
        )

    def appended(self, outcome: Outcome) -> None:
        """Note what became of its draft in the end."""
        is_same = np.array_equal(outcome.statuses, self.outcome.statuses)
        first = outcome.positions[int(outcome.are_new.argmax())]
        self.is_recorded = is_same and int(first) == self.first_position
        # Or each would hold the events of all before it.
        self.expected = ()


_ONE_NEW = Outcome(
    statuses=np.zeros(1, np.uint8),
    positions=np.zeros(1, np.int64),
    are_here=np.ones(1, np.bool_),
    conflicts={},
)


def _are_few(events: UsageEvents) -> bool:
    return isinstance(events, FewEvents) and len(events.rows) <= FEW


def _in_form(parts: Sequence[UsageEvents]) -> UsageEvents:
    """Put events one behind the other, as rows while they are few."""
    few = [part for part in parts if isinstance(part, FewEvents)]
    if len(few) < len(parts) or sum(map(len, few)) > FEW:
        return concatenate_events(parts)
    return (
        few[0] if len(few) == 1 else FewEvents([r for part in few for r in part.rows])
    )


def _together_sent_at(drafts: Sequence[Draft]) -> np.ndarray | None:
    if all(draft.sent_at is None for draft in drafts):
        return None
    now = np.iinfo(np.int64).max
    return np.concatenate(
        [
            np.full(len(draft), now) if draft.sent_at is None else draft.sent_at
            for draft in drafts
        ]
    )
