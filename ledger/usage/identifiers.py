"""Identifiers: what makes a meter event the same event, and its 64-bit hash.

An identifier is unique within its event name. The hash is XXH3-64 over the identifier,
seeded with the hash of the event name: the same on every machine and in every release,
so that runs of hashes can be kept. Different identifiers may share a hash: a reader
that finds one compares the events themselves.
"""

from typing import NewType

import numpy as np
from xxhash import xxh3_64_intdigest

from ledger.usage.columns import codes_of
from ledger.usage.rows import FewEvents, UsageEvents
from ledger.usage.string_hashes import string_hashes

Position = NewType("Position", int)
"""An entry's place in the log, from 1, without gaps, never reused."""


_FEWEST_MARKS, _MOST_MARKS = 1 << 14, 1 << 20
_MARKS_OF_A_HASH = 64
_PLACES = 1 << 19
# More take longer to sort than to be gone through once more.
_MANY = 1 << 10


def identifier_hash(event_name: str, identifier: str) -> int:
    """Hash one identifier, as an unsigned 64-bit number."""
    return xxh3_64_intdigest(
        identifier.encode(), xxh3_64_intdigest(event_name.encode())
    )


def are_among(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which hashes (uint64) are among others (bool).

    Most fall out when compared by a few bits, before anything is sorted.
    """
    are_among, suspects = _are_suspect(hashes, others), others
    rows = np.flatnonzero(are_among)
    if len(others) > _MANY:
        suspects = others[_are_suspect(others, hashes[rows])]
    are_among[rows] = np.isin(hashes[rows], suspects)
    return are_among


def equal_pairs(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices (int64) of all pairs of equal hashes (uint64).

    Ascending by ours, and by theirs among those of one of ours.
    """
    rows = np.flatnonzero(_are_suspect(ours, theirs))
    others = np.flatnonzero(_are_suspect(theirs, ours[rows]))
    others = others[np.argsort(theirs[others], kind="stable")]
    known = theirs[others]
    first = np.searchsorted(known, ours[rows])
    counts = np.searchsorted(known, ours[rows], side="right") - first
    among = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(rows, counts), others[np.repeat(first, counts) + among]


def _are_suspect(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which hashes share some bits with any of others (bool)."""
    marks, enough = _FEWEST_MARKS, _MARKS_OF_A_HASH * len(others)
    while marks < min(enough, _MOST_MARKS):
        marks *= 2
    bits = np.uint64(marks - 1)
    marked = np.zeros(marks, bool)
    marked[others & bits] = True
    are_suspect: np.ndarray = marked[hashes & bits]
    return are_suspect


def repeated_among(hashes: np.ndarray) -> np.ndarray:
    """Return the hashes (uint64) that are there more than once, ascending.

    Each as often as it is repeated. Most are known to be alone by a few bits.
    """
    rows = np.arange(len(hashes), dtype=np.int32)
    if len(hashes) < _FEWEST_MARKS:
        suspects = hashes
    else:
        marks = hashes & np.uint64(_PLACES - 1)
        last = np.empty(_PLACES, np.int32)
        last[marks] = rows
        # One of those that share a place has it, and stands for itself alone.
        having = last[marks]
        are_others = having != rows
        suspects = np.concatenate(
            (hashes[are_others], hashes[np.unique(having[are_others])])
        )
    ascending = np.sort(suspects)
    repeated: np.ndarray = ascending[1:][ascending[1:] == ascending[:-1]]
    return repeated


def identifier_hashes(events: UsageEvents) -> np.ndarray:
    """Hash the identifiers of events, as uint64 in their order."""
    if isinstance(events, FewEvents):
        hashes = [
            identifier_hash(row.event_name, row.identifier) for row in events.rows
        ]
        return np.array(hashes, np.uint64)
    codes, names = codes_of(events, "event_name")
    seeds = np.array([xxh3_64_intdigest(name.encode()) for name in names], np.uint64)
    return string_hashes(events.column("identifier"), seeds[codes])
