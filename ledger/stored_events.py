"""Meter events read back from the log by their positions.

Commits that were made or read are kept up to a bound, because lookups come in clusters
(a batch that is sent again, the hour that is being asked for) and because events that
are sent again from all over the log want a row of every commit: reading and decoding
them anew for each batch made such an ingestion ten times slower.
"""

import bisect
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

from ledger.entries import Commit
from ledger.errors import LogDamagedError
from ledger.segments.entry import segment_holding
from ledger.segments.sealed import Sealed
from ledger.usage.columns import USAGE, concatenate, empty_batch, take_rows
from ledger.usage.rows import batch_of, content_bytes

BYTES_KEPT = 64 << 20
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
        self._lock = threading.Lock()
        self._bytes_at_most = bytes_kept
        self._kept: dict[int, Commit] = {}
        """By first position, which `_firsts` holds in ascending order."""
        self._firsts: list[int] = []
        self._kept_bytes = 0
        self._dropped = 0

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
            commit = self._kept_holding(position)
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
                commit = self._history.commit_holding(position)
                self.keep(commit)
            end = int(np.searchsorted(ascending, commit.last_position, side="right"))
            rows = ascending[start:end] - commit.first_position
            parts.append(usage_of(commit).take(pa.array(rows)))
            recorded_at[start:end] = commit.recorded_at
            start = end
        back = np.argsort(order, kind="stable")
        events = concatenate(parts) if parts else empty_batch()
        return take_rows(events, back), recorded_at[back]

    def commits_at(self, first_positions: Sequence[int]) -> Iterator[Commit]:
        """Read the commits that begin at some positions, ascending, in that order."""
        with self._lock:
            kept = {
                first: self._kept[first]
                for first in first_positions
                if first in self._kept
            }
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

    def _kept_holding(self, position: int) -> Commit | None:
        with self._lock:
            at = bisect.bisect_right(self._firsts, position) - 1
            commit = self._kept[self._firsts[at]] if at >= 0 else None
            is_held = commit is not None and position <= commit.last_position
            return commit if is_held else None

    def keep(self, commit: Commit) -> None:
        """Keep a commit of usage, made or read, in memory for a while."""
        if isinstance(commit.content, tuple):
            return
        with self._lock:
            if commit.first_position in self._kept:
                return
            self._kept[commit.first_position] = commit
            bisect.insort(self._firsts, commit.first_position)
            self._kept_bytes += _bytes_of(commit)
            while self._kept_bytes > self._bytes_at_most and len(self._kept) > 1:
                # Any one: dropping the oldest would drop all before they are wanted
                # again, whenever the log is longer than the bound and gone through.
                self._dropped += _STRIDE
                first = self._firsts.pop(self._dropped % len(self._firsts))
                self._kept_bytes -= _bytes_of(self._kept.pop(first))


def usage_of(commit: Commit) -> pa.RecordBatch:
    """Return the events of a commit of usage.

    Raises:
        LogDamagedError: it holds facts.
    """
    if isinstance(commit.content, tuple):
        reason = f"a meter event with the columns {USAGE.names} was expected"
        raise LogDamagedError(commit.first_position, reason)
    return batch_of(commit.content)


def _bytes_of(commit: Commit) -> int:
    content = commit.content
    if isinstance(content, pa.RecordBatch):
        # A slice keeps all that it was cut from.
        return _BYTES_OF_A_COMMIT + int(content.get_total_buffer_size())
    assert not isinstance(content, tuple), "facts are not kept"
    return _BYTES_OF_A_COMMIT + content_bytes(content)
