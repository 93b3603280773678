"""Deduplication: which events of a batch are new, which repeat, which contradict.

A hash that is known already only raises the question; the stored event itself answers
it, or what proves the common case, an event that is sent again, without reading it: of
a sealed event the hash of its content and its timestamp, which are kept, and of events
of the tail their fingerprints, where many are asked for. Equal content is a duplicate,
other content under the same identifier a conflict that names the fields. Within a batch
the first row is the original.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa

from ledger.appending.drafts import Draft, Outcome, Status
from ledger.usage.columns import take_rows, timestamps_of
from ledger.usage.content_hash import content_hashes
from ledger.usage.fingerprints import UNKNOWN, fingerprints
from ledger.usage.identifiers import are_among
from ledger.usage.rows import batch_of

COMPARED = ("customer", "timestamp", "value", "payload")
# Fewer are compared with what they repeat in less time than fingerprints are made.
_MANY = 16


class EventReader(Protocol):
    """Reads what is recorded, by positions (int64)."""

    def events_at(self, positions: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read events, and when each was recorded, microseconds since 1970 UTC."""

    def fingerprints_at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return fingerprints (uint64), where known, and when each was recorded."""


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded events that rows of a draft may repeat: their identifiers' hashes agree.

    Attributes:
        rows: of the draft (int64), ascending; repeated where there are several
            candidates.
        positions: of the candidates (int64), ascending within a row.
        is_sealed: which of them (bool) are sealed, so that more is known of them.
        content_hashes: of the sealed ones (uint64, see `ledger.usage.content_hash`); 0 for
            the others.
        timestamps: of the sealed ones (int64, microseconds since 1970 UTC); 0 for the
            others.
    """

    rows: np.ndarray
    positions: np.ndarray
    is_sealed: np.ndarray
    content_hashes: np.ndarray
    timestamps: np.ndarray

    def __len__(self) -> int:
        """Count the candidates."""
        return len(self.rows)

    @classmethod
    def in_tail(cls, rows: np.ndarray, positions: np.ndarray) -> "Candidates":
        """Take candidates that are not sealed, as `IdentifierTable.find` gives them."""
        return cls(
            rows=rows,
            positions=positions,
            is_sealed=np.zeros(len(rows), bool),
            content_hashes=np.zeros(len(rows), np.uint64),
            timestamps=np.zeros(len(rows), np.int64),
        )

    def with_tail(self, rows: np.ndarray, positions: np.ndarray) -> "Candidates":
        """Add candidates from the tail, which lies behind all of these."""
        tail = Candidates.in_tail(rows, positions)
        if len(self) == 0:
            return tail
        return Candidates.together([self, tail]) if len(tail) else self

    @classmethod
    def together(cls, parts: Sequence["Candidates"]) -> "Candidates":
        """Put candidates for one draft together.

        Args:
            parts: in the order of the log; rows need not ascend within a part. At least
                one.
        """
        if not any(map(len, parts)):
            return parts[0]
        rows = np.concatenate([part.rows for part in parts])
        # Stable: within a row, a later part stays behind an earlier one.
        order = np.argsort(rows, kind="stable")
        return cls(
            rows=rows[order],
            positions=_joined([part.positions for part in parts], order),
            is_sealed=_joined([part.is_sealed for part in parts], order),
            content_hashes=_joined([part.content_hashes for part in parts], order),
            timestamps=_joined([part.timestamps for part in parts], order),
        )


_NONE = np.zeros(0, np.int64)
NO_CANDIDATES = Candidates.in_tail(_NONE, _NONE)
"""Where nothing was recorded that a draft may repeat."""


class _Originals(msgspec.Struct, frozen=True):
    """What each event of a draft repeats, as far as it was found out.

    Attributes:
        positions: position of the stored original, 0 where there is none (int64).
        rows: index of the original in the same draft, -1 where there is none (int64).
        conflicts: for each event that contradicts its original, the differing fields.
    """

    positions: np.ndarray
    rows: np.ndarray
    conflicts: dict[int, tuple[str, ...]]


def settle(
    draft: Draft,
    known: Candidates,
    recorded: EventReader,
    *,
    live_since: int | np.ndarray | None,
) -> Outcome:
    """Compare a draft with the events recorded before, and with itself.

    Args:
        draft: the events to settle.
        known: what the draft may repeat.
        recorded: reads those candidates that are not proven equal without it.
        live_since: identifiers recorded before this instant (microseconds since 1970
            UTC), or before that of each event, may be used again; None keeps them for
            ever.

    Returns:
        The outcome before the new events are recorded.
    """
    count = len(draft)
    assert not len(known) or known.rows[-1] < count, "candidates are of this draft"
    repeated = draft.repeated_hashes
    if not len(known) and not len(repeated):
        return Outcome.of_new(count)
    originals = _Originals(
        positions=np.zeros(count, np.int64),
        rows=np.full(count, -1, np.int64),
        conflicts={},
    )
    if len(known):
        _settle_stored(draft, known, recorded, live_since, originals)
    if len(repeated):
        _settle_within(draft, repeated, originals)
    return _outcome(originals)


def _outcome(originals: _Originals) -> Outcome:
    is_repeat = originals.rows >= 0
    is_new = (originals.positions == 0) & ~is_repeat
    positions = originals.positions
    positions[is_new] = np.arange(np.count_nonzero(is_new))
    positions[is_repeat] = positions[originals.rows[is_repeat]]
    statuses = np.full(len(positions), Status.DUPLICATE, np.uint8)
    statuses[is_new] = Status.APPENDED
    statuses[list(originals.conflicts)] = Status.CONFLICT
    return Outcome(
        statuses=statuses,
        positions=positions,
        are_here=is_new | is_repeat,
        conflicts=originals.conflicts,
    )


def _settle_stored(
    draft: Draft,
    known: Candidates,
    recorded: EventReader,
    live_since: int | np.ndarray | None,
    originals: _Originals,
) -> None:
    rows, positions = known.rows, known.positions
    live: np.ndarray | None = None
    if live_since is not None:
        live = np.broadcast_to(live_since, (len(draft),))[rows]
    is_proven = _is_proven(draft, known, recorded, live)
    read = np.flatnonzero(~is_proven)
    if len(read) == 0:
        # Ascending positions: the last to write is the identifier's latest event.
        originals.positions[rows] = positions
        return
    events, recorded_at = recorded.events_at(positions[read])
    drafted = take_rows(batch_of(draft.events), rows[read])
    is_same = is_proven.copy()
    is_same[read] = _is_same(drafted, events)
    if live is not None:
        is_same[read] &= recorded_at >= live[read]
    originals.positions[rows[is_same]] = positions[is_same]
    is_original = is_same & (originals.positions[rows] == positions)
    compared = np.flatnonzero(is_original[read])
    if len(compared) == 0:
        return
    at = rows[read[compared]]
    differing = differing_fields(
        take_rows(drafted, compared),
        take_rows(events, compared),
        draft.has_own_timestamp[at],
    )
    originals.conflicts.update(
        (int(at[index]), fields) for index, fields in differing.items()
    )


def _is_proven(
    draft: Draft,
    known: Candidates,
    recorded: EventReader,
    live: np.ndarray | None,
) -> np.ndarray:
    """Return which candidates are the very event, by what is kept of them (bool).

    Both hashes agree, that of the identifier and that of the content: 128 bits. A
    candidate that is not proven may still be equal, which reading it shows.
    """
    is_proven = np.zeros(len(known), bool)
    tail = np.flatnonzero(~known.is_sealed)
    if len(tail) >= _MANY:
        kept, recorded_at = recorded.fingerprints_at(known.positions[tail])
        is_proven[tail] = (kept != UNKNOWN) & (
            kept == _fingerprints_of(draft, known.rows[tail])
        )
        if live is not None:
            is_proven[tail] &= recorded_at >= live[tail]
    sealed = np.flatnonzero(known.is_sealed)
    # When a sealed event was recorded stands in its segment alone.
    if len(sealed) and live is None:
        rows = known.rows[sealed]
        drafted = batch_of(draft.events).take(pa.array(rows))
        is_proven[sealed] = (
            content_hashes(drafted) == known.content_hashes[sealed]
        ) & (
            (timestamps_of(drafted) == known.timestamps[sealed])
            | ~draft.has_own_timestamp[rows]
        )
    return is_proven


def _fingerprints_of(draft: Draft, rows: np.ndarray) -> np.ndarray:
    known = draft.known_fingerprints
    if known is not None:
        return known.take(rows)
    return fingerprints(batch_of(draft.events).take(pa.array(rows)))


def _settle_within(draft: Draft, repeated: np.ndarray, originals: _Originals) -> None:
    suspects = np.flatnonzero(
        are_among(draft.hashes, repeated) & (originals.positions == 0)
    )
    known = draft.known_fingerprints
    if known is not None:
        suspects = _settle_proven(draft.hashes, known, suspects, originals)
        if not len(suspects):
            return
    picked = batch_of(draft.events).take(pa.array(suspects))
    firsts: dict[tuple[str, str], int] = {}
    later, firsts_of = [], []
    for row, name, identifier in zip(
        suspects.tolist(),
        picked.column("event_name").to_pylist(),
        picked.column("identifier").to_pylist(),
        strict=True,
    ):
        first = firsts.setdefault((name, identifier), row)
        if first != row:
            later.append(row)
            firsts_of.append(first)
    if not later:
        return
    originals.rows[later] = firsts_of
    repeats, of = np.array(later, np.int64), np.array(firsts_of, np.int64)
    if known is not None:
        is_open = known[repeats] != known[of]
        repeats, of = repeats[is_open], of[is_open]
    if not len(repeats):
        return
    differing = differing_fields(
        take_rows(batch_of(draft.events), repeats),
        take_rows(batch_of(draft.events), of),
        draft.has_own_timestamp[repeats],
    )
    originals.conflicts.update(
        (int(repeats[index]), fields) for index, fields in differing.items()
    )


def _settle_proven(
    hashes: np.ndarray,
    known: np.ndarray,
    suspects: np.ndarray,
    originals: _Originals,
) -> np.ndarray:
    """Settle what repeats a row by its fingerprint; return the suspects that are left.

    As of recorded events, it is proven by 128 bits.
    """
    rows = suspects[np.argsort(hashes[suspects], kind="stable")]
    by_hash = hashes[rows]
    is_later = np.zeros(len(rows), bool)
    is_later[1:] = by_hash[1:] == by_hash[:-1]
    first = rows[np.maximum.accumulate(np.where(is_later, 0, np.arange(len(rows))))]
    is_proven = known[rows] == known[first]
    originals.rows[rows[is_later & is_proven]] = first[is_later & is_proven]
    # With all that have the same hash: their first may be another event.
    return np.sort(rows[np.isin(by_hash, by_hash[~is_proven])])


def differing_fields(
    left: pa.RecordBatch, right: pa.RecordBatch, compares_timestamp: np.ndarray
) -> dict[int, tuple[str, ...]]:
    """Name the fields in which rows differ, for each row that does, by its index."""
    differing: dict[int, tuple[str, ...]] = {}
    for field in COMPARED:
        ours, theirs = left.column(field), right.column(field)
        if ours.equals(theirs):
            continue
        pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
        for index, (one, other) in enumerate(pairs):
            if one == other or (field == "timestamp" and not compares_timestamp[index]):
                continue
            differing[index] = (*differing.get(index, ()), field)
    return differing


def _is_same(left: pa.RecordBatch, right: pa.RecordBatch) -> np.ndarray:
    same = np.ones(left.num_rows, bool)
    for field in ("event_name", "identifier"):
        ours, theirs = left.column(field), right.column(field)
        if not ours.equals(theirs):
            pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
            same &= np.fromiter((one == other for one, other in pairs), bool)
    return same


def _joined(parts: Sequence[np.ndarray], order: np.ndarray) -> np.ndarray:
    joined: np.ndarray = np.concatenate(parts)[order]
    return joined
