"""Known identifiers of the tail: where in the log an identifier's hash was recorded.

A table with linear probing. A slot holds the upper half of a hash, which says where to
look for it, and where the whole hash lies: they lie in the order of their positions, so
that a stretch of the log can be cut off and sorted into a run, and are looked at where
halves agree. Whole batches are looked up and added at once: each round moves all that
have not come to rest by one slot. Measured against sorted runs merged in levels, a batch
of 50,000 costs a quarter, however many are known. A hash may be in several positions:
the caller compares the events.

An event takes 8 bytes for its hash and 16 to 64 for its slots; 32 at most once there are
four million.
"""

import numpy as np

from ledger.usage.identifiers import are_among

# Below this, rounds over arrays cost more than a loop over numbers.
_FEW = 16
_EMPTY = 0
_SLOTS_AT_FIRST = 1 << 12
_MANY_SLOTS = 1 << 23
_ROWS_AT_A_TIME = 1 << 16
_HALF = np.uint64(32)
_LOWER = np.uint64((1 << 32) - 1)
_UPPER = ~_LOWER


class IdentifierTable:
    """Hashes of identifiers, by position."""

    def __init__(self, after: int = 0) -> None:
        """Begin an empty table for the entries after a position."""
        self._after = after
        self._count = 0
        self._end = 0
        self._hashes = np.zeros(_SLOTS_AT_FIRST, np.uint64)
        # The lower half is the entry's distance from `after`, so zero means empty.
        self._slots = np.zeros(_SLOTS_AT_FIRST, np.uint64)

    def __len__(self) -> int:
        """Count the identifiers."""
        return self._count

    def add(self, hashes: np.ndarray, first_position: int) -> None:
        """Add the hashes (uint64) of entries at consecutive positions.

        The positions must be greater than all that were added before.
        """
        if len(hashes) == 1:
            self._add_one(hashes, first_position - self._after)
            return
        self.add_at(hashes, np.arange(first_position, first_position + len(hashes)))

    def add_at(self, hashes: np.ndarray, positions: np.ndarray) -> None:
        """Add the hashes (uint64) of entries at ascending positions (int64).

        The positions must be greater than all that were added before.
        """
        if not len(hashes):
            return
        entries = positions - self._after
        assert entries[0] > self._end, "entries are added in the order of the log"
        last = int(entries[-1])
        self._make_room(last, self._count + len(hashes))
        self._hashes[entries - 1] = hashes
        self._count += len(hashes)
        self._end = last
        if len(hashes) < _FEW:
            for value, entry in zip(hashes.tolist(), entries.tolist(), strict=True):
                self._place_one(value, entry)
        else:
            self._place((hashes & _UPPER) | entries.view(np.uint64))

    def _add_one(self, hashes: np.ndarray, entry: int) -> None:
        assert entry > self._end, "entries are added in the order of the log"
        self._make_room(entry, self._count + 1)
        self._hashes[entry - 1] = hashes[0]
        self._count += 1
        self._end = entry
        self._place_one(int(hashes[0]), entry)

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find where hashes (uint64) were recorded.

        Returns:
            The indices of the hashes that were found, ascending, and the position of
            each; an index is repeated, with ascending positions, where its hash is in
            several positions.
        """
        if len(hashes) < _FEW:
            index, entries = self._find_few(hashes)
        else:
            index, entries = self._find_many(hashes)
        if len(index) > 1:
            ascending = np.lexsort((entries, index))
            index, entries = index[ascending], entries[ascending]
        return index, entries + self._after if len(entries) else entries

    def holds_any_after(self, position: int, hashes: np.ndarray) -> bool:
        """Whether any of some hashes (uint64) was recorded after a position."""
        recent = self._hashes[position - self._after : self._end]
        if len(recent) * len(hashes) <= _FEW * _FEW:
            return not set(recent.tolist()).isdisjoint(hashes.tolist())
        return bool(are_among(recent, hashes).any())

    def _find_many(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at, halves = self._home(hashes), hashes >> _HALF
        index = np.arange(len(hashes))
        found_index, found_entries = [_NONE], [_NONE]
        while len(index):
            slots = self._slots[at]
            taken = np.flatnonzero(slots)
            index, at, slots = index[taken], at[taken], slots[taken]
            halves = halves[taken]
            alike = np.flatnonzero((slots >> _HALF) == halves)
            if len(alike):
                entries = (slots[alike] & _LOWER).view(np.int64)
                same = self._hashes[entries - 1] == hashes[index[alike]]
                found_index.append(index[alike[same]])
                found_entries.append(entries[same])
            at = self._next(at)
        return np.concatenate(found_index), np.concatenate(found_entries)

    def _find_few(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mask = len(self._slots) - 1
        found: list[tuple[int, int]] = []
        for index, value in enumerate(hashes.tolist()):
            at = value >> self._shift
            while entry := int(self._slots[at]) & 0xFFFFFFFF:
                if int(self._hashes[entry - 1]) == value:
                    found.append((index, entry))
                at = (at + 1) & mask
        if not found:
            return _NONE, _NONE
        pairs = np.array(found, np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def _place_one(self, value: int, entry: int) -> None:
        mask = len(self._slots) - 1
        at = value >> self._shift
        while self._slots[at]:
            at = (at + 1) & mask
        self._slots[at] = value & ~0xFFFFFFFF | entry

    def _place(self, slots: np.ndarray) -> None:
        at = self._home(slots)
        while len(slots):
            free = np.flatnonzero(self._slots[at] == _EMPTY)
            self._slots[at[free]] = slots[free]
            # Where several wanted one slot, the last has it and the others move on.
            homeless = np.flatnonzero(self._slots[at] != slots)
            slots, at = slots[homeless], self._next(at[homeless])

    def _make_room(self, last: int, count: int) -> None:
        if last > len(self._hashes):
            grown = np.zeros(max(last, 2 * len(self._hashes)), np.uint64)
            grown[: self._end] = self._hashes[: self._end]
            self._hashes = grown
        slots = len(self._slots)
        while slots < 2 * count:
            # Fourfold up to 128 MB, since placing all anew costs more than the room.
            slots *= 4 if slots < _MANY_SLOTS else 2
        if slots > len(self._slots):
            # In slot order, they come to lie in one ascending sweep of the new slots,
            # which the processor's caches reward.
            placed = self._slots[self._slots != _EMPTY]
            self._slots = np.zeros(slots, np.uint64)
            for start in range(0, len(placed), _ROWS_AT_A_TIME):
                self._place(placed[start : start + _ROWS_AT_A_TIME])

    @property
    def _shift(self) -> int:
        """By how much a hash is shifted to come to its first slot."""
        return 65 - len(self._slots).bit_length()

    def _home(self, hashes: np.ndarray) -> np.ndarray:
        home: np.ndarray = (hashes >> np.uint64(self._shift)).view(np.int64)
        return home

    def _next(self, at: np.ndarray) -> np.ndarray:
        return (at + 1) & (len(self._slots) - 1)


_NONE = np.zeros(0, np.int64)
