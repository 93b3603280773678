"""Drafts that are settled and encoded ahead, while those before them are committed.

A bulk load sends draft after draft. What becomes of one depends on those before it, which
take a disk's time to commit; so they are expected at the positions that they will have if
nobody else appends. Nothing is believed: the append takes what was settled ahead where
every expected draft lies where it was expected, or where no event of the draft repeats
what came since. Otherwise it settles the draft itself.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from ledger.appending.deduplication import EventReader
from ledger.appending.drafts import Draft, SettledAhead
from ledger.entries import Head
from ledger.usage.columns import in_order
from ledger.usage.fingerprints import UNKNOWN
from ledger.usage.identifiers import equal_pairs
from ledger.usage.rows import batch_of

# They are recorded after every instant that is asked about.
_LATER = np.iinfo(np.int64).max
_NONE = np.zeros(0, np.int64)


class ExpectedEvents:
    """Events that are recorded, and those that are expected behind them.

    Args:
        recorded: reads what is recorded.
        known: the head up to which is recorded.
        pending: in order; those that are recorded by now are passed over, and all are
            where something else was recorded.

    Attributes:
        expected: those that are expected.
    """

    def __init__(
        self, recorded: EventReader, known: Head, pending: Sequence[SettledAhead]
    ) -> None:
        self._recorded = recorded
        last = self._last_recorded = known.position
        behind = tuple(each for each in pending if each.last_position > last)
        is_next = bool(behind) and behind[0].first_position == last + 1
        self.expected = behind if is_next else ()

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find where hashes (uint64) are expected; see `IdentifierTable.find`."""
        found_rows, found_positions = [_NONE], [_NONE]
        for each in self.expected:
            rows, others = equal_pairs(hashes, each.new.hashes)
            found_rows.append(rows)
            found_positions.append(others + each.first_position)
        rows = np.concatenate(found_rows)
        # Stable, so that positions ascend within a row.
        order = np.argsort(rows, kind="stable")
        return rows[order], np.concatenate(found_positions)[order]

    def events_at(self, positions: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read events by position (int64), and when each was recorded."""
        is_recorded = positions <= self._last_recorded
        if is_recorded.all():
            return self._recorded.events_at(positions)
        recorded_at = np.full(len(positions), _LATER)
        at = np.flatnonzero(is_recorded)
        batches, numbers = [], [at]
        events, recorded_at[at] = self._recorded.events_at(positions[at])
        batches.append(events)
        for each, rows, at in self._by_draft(positions):
            batches.append(batch_of(each.new.events).take(pa.array(rows)))
            numbers.append(at)
        together, _ = in_order(batches, numbers)
        return together, recorded_at

    def fingerprints_at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return fingerprints, where known, with the time at which each was recorded."""
        found = np.full(len(positions), UNKNOWN)
        recorded_at = np.full(len(positions), _LATER)
        at = np.flatnonzero(positions <= self._last_recorded)
        if len(at):
            found[at], recorded_at[at] = self._recorded.fingerprints_at(positions[at])
        for each, rows, at in self._by_draft(positions):
            known = each.new.known_fingerprints
            if known is not None:
                found[at] = known[rows]
        return found, recorded_at

    def _by_draft(
        self, positions: np.ndarray
    ) -> list[tuple[SettledAhead, np.ndarray, np.ndarray]]:
        """Return the expected drafts with the rows that are meant, and their indices."""
        parts = []
        for each in self.expected:
            first, last = each.first_position, each.last_position
            at = np.flatnonzero((positions >= first) & (positions <= last))
            parts.append((each, positions[at] - first, at))
        return parts


class SettlingAhead:
    """Settles the drafts of one sender, who appends them in this order.

    Args:
        settle: settles a draft by what is recorded, behind those that it is told to
            expect.
    """

    def __init__(
        self, settle: Callable[[Draft, Sequence[SettledAhead]], SettledAhead]
    ) -> None:
        self._settle = settle
        self._pending: Sequence[SettledAhead] = ()

    def settle(self, draft: Draft) -> None:
        """Settle a draft behind those before it, and encode what is new in it.

        Raises:
            StoreError: what is recorded cannot be read.
        """
        ahead = self._settle(draft, self._pending)
        self._pending = ahead.expected
        if len(ahead.new):
            _ = ahead.new.encoded
            self._pending = (*self._pending, ahead)
        draft.keep_ahead(ahead)
