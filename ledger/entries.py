"""What the log is made of: commits of entries, each of which follows from the one before.

Entries have consecutive positions from 1. A commit's digest covers the digest before it,
its positions, when and as what it was recorded, and the digest of its content: SHA-256
over all, so that nothing before a digest that was kept elsewhere can change unseen.
"""

import enum
import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from ledger.facts.alerts import WatchingFact
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.meters import MeterFact
from ledger.facts.union import FACTS, Fact, Facts
from ledger.usage.columns import (
    UsageRow,
    concatenate,
    empty_batch,
    positions_of,
    take_rows,
    usage_batch,
)
from ledger.usage.rows import FEW, FewEvents, UsageEvents, content_bytes

SPAN = 1 << 12
"""Passages of any process begin and end where a span of so many positions does."""
BYTES_AT_MOST = 64 << 20
"""About how much memory the events of a passage may take."""

_COMMITS_AT_MOST = 1 << 10
# Fewer cost as much as columns as they do one by one.
_COMMITS_AT_LEAST = 16
# They say what the events after them mean, or when those before them were recorded, so
# they are part of no passage.
_APART = (*MeterFact.__args__, *WatchingFact.__args__, LogTimeCorrected)

HeadT = TypeVar("HeadT", bound="Head | None")


class CommitKind(enum.Enum):
    """What the entries of a commit are."""

    USAGE = "usage"
    FACTS = "facts"


class Head(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the log ends.

    Attributes:
        position: position of the last entry, 0 in an empty log.
        facts_position: position of the last fact, 0 where there is none.
        recorded_at: when the last commit was accepted, microseconds since 1970 UTC.
        digest: hash chain up to and including the last commit.
        epoch: identity of this log; a log restored or made anew has another.
        sealed_position: up to where usage lies in segments, 0 where there is none. It
            says where entries are stored and not which there are.
    """

    position: int
    facts_position: int
    recorded_at: int
    digest: bytes
    epoch: str
    sealed_position: int

    def has_entries_of(self, other: "Head") -> bool:
        """Whether the log holds the same entries up to both, wherever they are stored."""
        sealed_position = other.sealed_position
        return msgspec.structs.replace(self, sealed_position=sealed_position) == other


class Commit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one append added to the log.

    Attributes:
        first_position: position of the first entry; the others follow without gaps.
        recorded_at: when the log accepted it, microseconds since 1970 UTC; less than
            that of the commit before only where it corrects the log's time. When it
            counts as recorded says `ledger.facts.instants`.
        content: meter events, or facts.
        content_digest: digest of the content alone.
        digest: hash chain up to and including this commit.
    """

    first_position: int
    recorded_at: int
    content: UsageEvents | Facts
    content_digest: bytes
    digest: bytes

    @property
    def entry_count(self) -> int:
        """How many positions the commit takes."""
        return len(self.content)

    @property
    def last_position(self) -> int:
        """Position of the last entry."""
        return self.first_position + len(self.content) - 1

    @property
    def content_bytes(self) -> int:
        """About how much memory its events take as columns."""
        content = self.content
        return 0 if isinstance(content, FACTS) else content_bytes(content)

    @property
    def single_facts(self) -> tuple[Fact, ...]:
        """Its facts, but of those by columns none: each says that an invoice was settled."""
        return self.content if isinstance(self.content, tuple) else ()


class Passage(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Consecutive small commits, together.

    A backend that records one event a request makes a commit of each. Folding it by
    itself would cost many times what its event does.

    Attributes:
        first_position: where the passage begins.
        last_position: where it ends.
        commit_count: of usage and of facts.
        first_positions: int64, of the commits of usage, ascending.
        entry_counts: int64, of the commits of usage.
        recorded_at: int64, of the commits of usage, microseconds since 1970 UTC.
        events: of all commits of usage, in their order and in canonical form.
        facts: the other entries, each with its position and when it was recorded; none
            is about a meter or an alert.
    """

    first_position: int
    last_position: int
    commit_count: int
    first_positions: np.ndarray
    entry_counts: np.ndarray
    recorded_at: np.ndarray
    events: pa.RecordBatch
    facts: tuple[tuple[int, int, Fact], ...]

    @cached_property
    def starts(self) -> np.ndarray:
        """Index of the first event of each commit of usage (int64)."""
        starts: np.ndarray = np.cumsum(self.entry_counts) - self.entry_counts
        return starts

    @cached_property
    def positions(self) -> np.ndarray:
        """Position of each event (int64)."""
        return positions_of(self.first_positions, self.entry_counts)

    @property
    def content_bytes(self) -> int:
        """How much memory its events take."""
        return content_bytes(self.events)

    @property
    def times(self) -> np.ndarray:
        """When each event was recorded (int64 microseconds since 1970 UTC)."""
        times: np.ndarray = np.repeat(self.recorded_at, self.entry_counts)
        return times

    def after(self, position: int) -> "Passage":
        """Return the part after the last position of a commit."""
        if position < self.first_position:
            return self
        first = int(self.first_positions.searchsorted(position, "right"))
        facts = tuple(each for each in self.facts if each[0] > position)
        row = int(self.entry_counts[:first].sum())
        left = np.arange(row, self.events.num_rows)
        return Passage(
            first_position=position + 1,
            last_position=self.last_position,
            # Facts of one commit cannot be told from those of several.
            commit_count=len(self.first_positions) - first + len(facts),
            first_positions=self.first_positions[first:],
            entry_counts=self.entry_counts[first:],
            recorded_at=self.recorded_at[first:],
            events=take_rows(self.events, left),
            facts=facts,
        )


class TailSize(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How much of a log lies after its last segment.

    Attributes:
        events: meter events.
        commits: of events and of facts: each is read where a process begins.
        content_bytes: of the events in memory, about.
    """

    events: int
    commits: int
    content_bytes: int


def genesis_digest(epoch: str) -> bytes:
    """Return the digest of the empty log of an epoch."""
    return hashlib.sha256(b"metering log 1\n" + epoch.encode()).digest()


def chain_digest(
    previous: bytes,
    *,
    first_position: int,
    entry_count: int,
    recorded_at: int,
    kind: CommitKind,
    content: bytes,
) -> bytes:
    """Return the digest of a commit, given that before it and that of its content."""
    numbers = struct.pack("<qqq", first_position, entry_count, recorded_at)
    return hashlib.sha256(
        previous + numbers + kind.value.encode().ljust(8) + content
    ).digest()


def genesis_head(epoch: str) -> Head:
    """Return the head of the empty log of an epoch."""
    return Head(
        position=0,
        facts_position=0,
        recorded_at=0,
        digest=genesis_digest(epoch),
        epoch=epoch,
        sealed_position=0,
    )


def recording_instant(known: Head, now: int) -> int:
    """Return when a commit that follows a head is recorded, given the time."""
    # A clock that steps back must not reopen what was decided by time.
    return max(now, known.recorded_at)


def next_commit(
    known: Head,
    content: UsageEvents | Facts,
    kind: CommitKind,
    content_digest: bytes,
    now: int,
) -> tuple[Commit, Head]:
    """Return the commit that follows a head, and the head that it makes.

    Args:
        known: where the log ends.
        content: what the commit holds.
        kind: what that is.
        content_digest: digest of the content.
        now: the time, microseconds since 1970 UTC; the commit is never recorded before
            the one it follows.
    """
    assert len(content) > 0, "a commit is not empty"
    recorded_at = recording_instant(known, now)
    first_position = known.position + 1
    last_position = known.position + len(content)
    digest = chain_digest(
        known.digest,
        first_position=first_position,
        entry_count=len(content),
        recorded_at=recorded_at,
        kind=kind,
        content=content_digest,
    )
    is_facts = kind is CommitKind.FACTS
    return (
        Commit(
            first_position=first_position,
            recorded_at=recorded_at,
            content=content,
            content_digest=content_digest,
            digest=digest,
        ),
        Head(
            position=last_position,
            facts_position=last_position if is_facts else known.facts_position,
            recorded_at=recorded_at,
            digest=digest,
            epoch=known.epoch,
            sealed_position=known.sealed_position,
        ),
    )


def in_passages(
    commits: Iterable[tuple[Commit, HeadT]],
) -> Iterator[tuple[Commit | Passage, HeadT]]:
    """Put small commits together, as far as they follow each other.

    Args:
        commits: in the order of the log, each with the head that it makes.

    Returns:
        Passages, none of which goes on into another `SPAN`, and the commits that are
        part of none, each with the head that it makes.
    """
    gathered: list[tuple[Commit, HeadT]] = []
    size = 0
    for commit, head in commits:
        is_part = may_be_part(commit)
        size += commit.content_bytes
        if gathered and (
            not is_part
            or len(gathered) == _COMMITS_AT_MOST
            or size > BYTES_AT_MOST
            or commit.first_position // SPAN != gathered[0][0].first_position // SPAN
        ):
            yield from _together(gathered)
            gathered, size = [], commit.content_bytes
        if is_part:
            gathered.append((commit, head))
        else:
            yield commit, head
    yield from _together(gathered)


def _together(
    gathered: list[tuple[Commit, HeadT]],
) -> Iterator[tuple[Commit | Passage, HeadT]]:
    if len(gathered) < _COMMITS_AT_LEAST:
        yield from gathered
    else:
        yield passage_of([commit for commit, _ in gathered]), gathered[-1][1]


def passage_of(commits: list[Commit]) -> Passage:
    """Return consecutive small commits as a passage."""
    rows: list[UsageRow] = []
    of_usage: list[tuple[int, int, int]] = []
    facts: list[tuple[int, int, Fact]] = []
    for commit in commits:
        content, first, recorded_at = (
            commit.content,
            commit.first_position,
            commit.recorded_at,
        )
        if isinstance(content, FewEvents):
            of_usage.append((first, len(content), recorded_at))
            rows += content.rows
        elif isinstance(content, tuple):
            facts += ((at, recorded_at, fact) for at, fact in enumerate(content, first))
    first_positions, entry_counts, times = (
        np.array(of_usage, np.int64).reshape(-1, 3).T.copy()
    )
    return Passage(
        first_position=commits[0].first_position,
        last_position=commits[-1].last_position,
        commit_count=len(commits),
        first_positions=first_positions,
        entry_counts=entry_counts,
        recorded_at=times,
        events=usage_batch(rows) if rows else empty_batch(),
        facts=tuple(facts),
    )


def joined(parts: Sequence[Commit | Passage]) -> Passage:
    """Return consecutive passages and small commits as one passage."""
    passages: list[Passage] = []
    for is_passage, group in groupby(parts, lambda part: isinstance(part, Passage)):
        if is_passage:
            passages += (part for part in group if isinstance(part, Passage))
        else:
            commits = [part for part in group if isinstance(part, Commit)]
            passages.append(passage_of(commits))
    if len(passages) == 1:
        return passages[0]
    with_events = [each.events for each in passages if each.events.num_rows]
    return Passage(
        first_position=passages[0].first_position,
        last_position=passages[-1].last_position,
        commit_count=sum(each.commit_count for each in passages),
        first_positions=np.concatenate([each.first_positions for each in passages]),
        entry_counts=np.concatenate([each.entry_counts for each in passages]),
        recorded_at=np.concatenate([each.recorded_at for each in passages]),
        events=concatenate(with_events) if with_events else empty_batch(),
        facts=tuple(fact for each in passages for fact in each.facts),
    )


def may_be_part(commit: Commit) -> bool:
    """Whether a commit may be part of a passage."""
    content = commit.content
    if isinstance(content, tuple):
        are_few = len(content) <= FEW
        return are_few and not any(isinstance(fact, _APART) for fact in content)
    return isinstance(content, FewEvents)
