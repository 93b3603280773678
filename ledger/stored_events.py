"""Meter events read back from the log by their positions.

Commits that were made or read are kept up to a bound, because lookups come in clusters
(a batch that is sent again, the hour that is being asked for). Events that are sent again
from all over the log want a row of every commit, far more than can be kept: reading them
anew for each batch made such an ingestion ten times slower. So the fingerprints of a
commit are kept as well once it was asked for them, at a tenth of its size.
"""

import bisect
import threading
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from ledger.entries import Commit, Passage, in_passages
from ledger.errors import LogDamagedError
from ledger.facts.union import FACTS
from ledger.segments.entry import Segment, segment_holding
from ledger.segments.sealed import Sealed
from ledger.usage.columns import USAGE, concatenate, empty_batch, take_rows
from ledger.usage.fingerprints import UNKNOWN, fingerprints
from ledger.usage.rows import batch_of, content_bytes

BYTES_KEPT = 64 << 20
_FINGERPRINT_BYTES = 128 << 20
# Of smaller commits a few rows are read in less time.
_WORTH_FINGERPRINTS = 256
# Knuth's multiplier: steps through any number of commits without a pattern.
_STRIDE = 2_654_435_761
_COMMITS_AT_A_TIME = 256
# What a commit takes beyond its columns, so that many small ones count as well.
_BYTES_OF_A_COMMIT = 16 << 10


class CommitSource(Protocol):
    """Where commits are read that are not kept."""

    def commit_holding(self, position: int) -> Commit:
        """Read the commit that holds a position."""

    def commits_at(self, first_positions: Sequence[int]) -> Sequence[Commit]:
        """Read the commits that begin at some positions, in the order of the log."""


class _Fingerprints(msgspec.Struct, frozen=True):
    """The fingerprints of a commit of usage (uint64)."""

    first_position: int
    last_position: int
    recorded_at: int
    fingerprints: np.ndarray


class _Positioned(Protocol):
    """A stretch of positions."""

    @property
    def first_position(self) -> int:
        """Where it begins."""

    @property
    def last_position(self) -> int:
        """Where it ends, inclusive."""


PositionedT = TypeVar("PositionedT", bound=_Positioned)


class _KeptByPosition(Generic[PositionedT]):
    """Stretches of the log, as many as a bound allows; at least one. Thread-safe."""

    def __init__(self, bytes_at_most: int) -> None:
        self._lock = threading.Lock()
        self._bytes_at_most = bytes_at_most
        self._kept: dict[int, tuple[PositionedT, int]] = {}
        """By first position, which `_firsts` holds in ascending order; with its size."""
        self._firsts: list[int] = []
        self._bytes = 0
        self._dropped = 0

    def holding(self, position: int) -> PositionedT | None:
        """Return what holds a position, if it is kept."""
        with self._lock:
            at = bisect.bisect_right(self._firsts, position) - 1
            kept = self._kept[self._firsts[at]][0] if at >= 0 else None
            is_held = kept is not None and position <= kept.last_position
            return kept if is_held else None

    def at(self, first_positions: Sequence[int]) -> dict[int, PositionedT]:
        """Return, of what begins at some positions, that which is kept."""
        with self._lock:
            return {
                first: self._kept[first][0]
                for first in first_positions
                if first in self._kept
            }

    def keep(self, stretch: PositionedT, size: int) -> None:
        """Keep a stretch that takes so many bytes."""
        with self._lock:
            first = stretch.first_position
            if first in self._kept:
                return
            self._kept[first] = stretch, size
            bisect.insort(self._firsts, first)
            self._bytes += size
            while self._bytes > self._bytes_at_most and len(self._kept) > 1:
                # Any one: dropping the oldest would drop all before they are wanted
                # again, whenever the log is longer than the bound and gone through.
                self._dropped += _STRIDE
                first = self._firsts.pop(self._dropped % len(self._firsts))
                self._bytes -= self._kept.pop(first)[1]


class StoredEvents:
    """Reads events by position, keeping the commits that were read last. Thread-safe.

    Args:
        history: reads commits.
        bytes_kept: how much of what was made or read is kept, about; at least one.
    """

    def __init__(
        self,
        history: CommitSource,
        *,
        bytes_kept: int = BYTES_KEPT,
    ) -> None:
        self._history = history
        self._commits = _KeptByPosition[Commit](bytes_kept)
        self._fingerprints = _KeptByPosition[_Fingerprints](_FINGERPRINT_BYTES)

    def take(
        self, positions: np.ndarray, sealed: Sealed
    ) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read the events at some positions.

        Args:
            positions: int64, in any order.
            sealed: what is known to lie in segments.

        Returns:
            The events in the order of `positions`, canonical, and when each was
            recorded (int64 microseconds since 1970 UTC).

        Raises:
            LogDamagedError: a position holds no meter event, or cannot be read.
        """
        order = np.argsort(positions, kind="stable")
        ascending = positions[order]
        parts: list[pa.RecordBatch] = []
        recorded_at = np.zeros(len(positions), np.int64)
        start = 0
        while start < len(ascending):
            position = int(ascending[start])
            commit = self._commits.holding(position)
            segment = segment_holding(sealed.segments, position)
            if commit is None and segment is not None:
                end = int(np.searchsorted(ascending, segment.up_to, side="right"))
                events, recorded_at[start:end] = sealed.reader.at_positions(
                    segment, ascending[start:end]
                )
                parts.append(events)
                start = end
                continue
            if commit is None:
                commit = self._read(position)
            end = int(np.searchsorted(ascending, commit.last_position, side="right"))
            rows = ascending[start:end] - commit.first_position
            parts.append(usage_of(commit).take(pa.array(rows)))
            recorded_at[start:end] = commit.recorded_at
            start = end
        back = np.argsort(order, kind="stable")
        events = concatenate(parts) if parts else empty_batch()
        return take_rows(events, back), recorded_at[back]

    def fingerprints(
        self, positions: np.ndarray, sealed: Sealed
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the fingerprints of the events at some positions, as far as it pays.

        Args:
            positions: int64, in any order.
            sealed: what is known to lie in segments.

        Returns:
            uint64 in the order of `positions`, `UNKNOWN` of sealed events and of small
            commits; and when each of the others was recorded (int64 microseconds since
            1970 UTC).

        Raises:
            LogDamagedError: a position holds no meter event, or cannot be read.
        """
        order = np.argsort(positions, kind="stable")
        ascending = positions[order]
        found = np.full(len(positions), UNKNOWN)
        recorded_at = np.zeros(len(positions), np.int64)
        start = 0
        while start < len(ascending):
            position = int(ascending[start])
            segment = segment_holding(sealed.segments, position)
            known = segment or self._fingerprints_of(position)
            last = known.up_to if isinstance(known, Segment) else known.last_position
            end = int(np.searchsorted(ascending, last, side="right"))
            if isinstance(known, _Fingerprints):
                rows = ascending[start:end] - known.first_position
                found[order[start:end]] = known.fingerprints[rows]
                recorded_at[order[start:end]] = known.recorded_at
            start = end
        return found, recorded_at

    def _fingerprints_of(self, position: int) -> _Fingerprints | Commit:
        """Return those of the commit that holds a position, or itself if it is small."""
        known = self._fingerprints.holding(position)
        if known is not None:
            return known
        commit = self._commits.holding(position) or self._read(position)
        if commit.entry_count < _WORTH_FINGERPRINTS:
            return commit
        return self._keep_fingerprints(commit, fingerprints(usage_of(commit)))

    def commits_at(self, first_positions: Sequence[int]) -> Iterator[Commit]:
        """Read the commits that begin at some positions, ascending, in that order."""
        kept = self._commits.at(first_positions)
        missing = [first for first in first_positions if first not in kept]
        if missing:
            for commit in self._history.commits_at(missing):
                kept[commit.first_position] = commit
                self.keep(commit)
        return (kept[first] for first in first_positions)

    def commits_by_portions(self, first_positions: Sequence[int]) -> Iterator[Commit]:
        """Read very many commits as `commits_at` does, and hold only some at a time."""
        for start in range(0, len(first_positions), _COMMITS_AT_A_TIME):
            portion = first_positions[start : start + _COMMITS_AT_A_TIME]
            yield from self.commits_at(portion)

    def together_at(self, first_positions: np.ndarray) -> Iterator[Commit | Passage]:
        """Read what `commits_by_portions` does, small commits put together."""
        commits = self.commits_by_portions(first_positions.tolist())
        for part, _ in in_passages((commit, None) for commit in commits):
            yield part

    def keep(self, commit: Commit, known: np.ndarray | None = None) -> None:
        """Keep a commit of usage, made or read, in memory for a while.

        Args:
            commit: any commit; one of facts is not kept.
            known: its fingerprints (uint64), if they were made.
        """
        if isinstance(commit.content, FACTS):
            return
        self._commits.keep(commit, _bytes_of(commit))
        if known is not None:
            self._keep_fingerprints(commit, known)

    def _read(self, position: int) -> Commit:
        commit = self._history.commit_holding(position)
        self.keep(commit)
        return commit

    def _keep_fingerprints(self, commit: Commit, made: np.ndarray) -> _Fingerprints:
        known = _Fingerprints(
            commit.first_position, commit.last_position, commit.recorded_at, made
        )
        self._fingerprints.keep(known, made.nbytes)
        return known


def usage_of(commit: Commit) -> pa.RecordBatch:
    """Return the events of a commit of usage.

    Raises:
        LogDamagedError: it holds facts.
    """
    if isinstance(commit.content, FACTS):
        reason = f"a meter event with the columns {USAGE.names} was expected"
        raise LogDamagedError(commit.first_position, reason)
    return batch_of(commit.content)


def _bytes_of(commit: Commit) -> int:
    content = commit.content
    if isinstance(content, pa.RecordBatch):
        # A slice keeps all that it was cut from.
        return _BYTES_OF_A_COMMIT + int(content.get_total_buffer_size())
    assert not isinstance(content, FACTS), "facts are not kept"
    return _BYTES_OF_A_COMMIT + content_bytes(content)
