"""Windowed usage: the cells of runs and of the tail, added up by customer and window.

Cells lie customer by customer and hour by hour, so those of one window are neighbours in
each run and in each layer of the tail: a pass over them adds them up, a chunk at a time.
What is left of each is merged. The key of what is left holds the customer and the slot
of the window.

A cell of lasts whose last event was cancelled hides the one before it. Its events count,
and no event of it is the last: it is named, to be read from the events.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
import pyarrow as pa

from projections.kernels.usage.dictionaries import (
    WORDS,
    code_of,
    codes_of_many,
    merged_words,
    sorted_words,
)
from projections.kernels.usage.keys import (
    CUSTOMERS,
    HOURS,
    WINDOWED,
    customer_keys,
    customers_of,
    rows_of_many,
    rows_of_meter,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.scans.reaggregation.jobs import THREADS, ScanProgress
from projections.scans.reaggregation.threads import in_threads
from projections.usage.everyone.slots import Slots
from projections.usage.layers import CellsT
from projections.usage.run import UsageRun
from projections.usage.stored_cells import StoredCells
from projections.usage.view import UsageView

CellRows = slice | np.ndarray

# Few enough that they stay in the processor's caches.
_CELLS_AT_A_TIME = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCells:
    """Whose usage of a meter is asked for, and when.

    Attributes:
        meter: its event name.
        is_windowed: whether it is pre-aggregated.
        slots: the hours, and their windows.
        customers: None is everybody.
        is_narrow: whether so little of all time is asked for, that it is faster to look
            for each customer.
    """

    meter: str
    is_windowed: bool
    slots: Slots
    customers: frozenset[str] | None
    is_narrow: bool

    def codes_in(self, words: pa.Array) -> np.ndarray | None:
        """Return the codes (int64, ascending) to look for; None is everybody."""
        if self.customers is not None:
            codes = codes_of_many(words, sorted(self.customers))
            return np.sort(codes[codes >= 0])
        return np.arange(len(words)) if self.is_narrow else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSource(Generic[CellsT]):
    """Cells in a run, or in a layer of the tail.

    Attributes:
        key: uint64, ascending.
        pick: returns the cells in some rows under other keys.
        meter: the code of the meter that is asked for.
        codes: of the customers who are, see `WantedCells.codes_in`.
    """

    key: np.ndarray
    pick: Callable[[CellRows, np.ndarray], CellsT]
    meter: int
    codes: np.ndarray | None

    def chunks(self, wanted: WantedCells) -> Iterator[CellRows]:
        """Yield the rows of cells that may be wanted, some at a time."""
        if self.codes is None:
            found = rows_of_meter(self.key, self.meter, is_windowed=wanted.is_windowed)
            for start in range(found.start, found.stop, _CELLS_AT_A_TIME):
                yield slice(start, min(start + _CELLS_AT_A_TIME, found.stop))
            return
        hours = np.empty((2, len(self.codes)), np.int64)
        hours[:] = [[wanted.slots.first], [wanted.slots.end]]
        rows, _ = rows_of_many(
            self.key, self.meter, self.codes, hours, is_windowed=wanted.is_windowed
        )
        for start in range(0, len(rows), _CELLS_AT_A_TIME):
            yield rows[start : start + _CELLS_AT_A_TIME]

    def in_slots(
        self, wanted: WantedCells, rows: CellRows
    ) -> tuple[CellRows, np.ndarray]:
        """Return the rows of cells in a slot, and their keys of customer and slot."""
        key = self.key[rows]
        slot = wanted.slots.of_hours((key & HOURS).view(np.int64))
        if slot.min(initial=0) < 0:
            kept = np.flatnonzero(slot >= 0)
            key, slot = key[kept], slot[kept]
            rows = rows[kept] if isinstance(rows, np.ndarray) else kept + rows.start
        by_slot = key & CUSTOMERS
        by_slot |= slot.view(np.uint64)
        if wanted.is_windowed:
            by_slot |= WINDOWED
        return rows, by_slot


@dataclass(frozen=True, slots=True)
class _CellPlace(Generic[CellsT]):
    """Where cells lie under the same codes: a run, or the layers of the tail."""

    words: pa.Array
    is_run: bool
    sources: Sequence[CellSource[CellsT]]

    def used_words(self, codes: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        """Return the customers of some codes in byte order, and their new codes."""
        # Those of a run are in order, and to find that out takes as long as to sort.
        return sorted_words(self.words, codes, are_sorted=self.is_run)


@dataclass(frozen=True, slots=True)
class AddedCells(Generic[CellsT]):
    """Cells of one meter, added up by customer and slot.

    Attributes:
        customers: in byte order; the index is the code of the customer.
        cells: of at least one event each; the key has the customer's code and the slot.
        hidden: the words for customers, and keys (uint64) of cells whose last event was
            cancelled.
    """

    customers: pa.Array
    cells: CellsT
    hidden: Sequence[tuple[pa.Array, np.ndarray]]


_AddedChunk = tuple[CellsT, np.ndarray]
"""Some cells that were added up, and the keys of those whose last was cancelled."""


def added_totals(
    view: UsageView, wanted: Sequence[WantedCells], advance: ScanProgress
) -> Iterator[AddedCells[Totals]]:
    """Add up the totals of meters.

    Args:
        view: of usage.
        wanted: of each meter.
        advance: receives how many cells were gone through, on this thread.
    """
    places = [
        _places(view, each, lambda run: run.totals, view.tail.total_layers)
        for each in wanted
    ]

    def part(
        source: CellSource[Totals], each: WantedCells, rows: CellRows
    ) -> _AddedChunk[Totals]:
        rows, key = source.in_slots(each, rows)
        return Totals.combine([source.pick(rows, key)]), key[:0]

    yield from _added(Totals, list(zip(wanted, places, strict=True)), part, advance)


def added_lasts(
    view: UsageView, wanted: Sequence[WantedCells], advance: ScanProgress
) -> Iterator[AddedCells[Lasts]]:
    """Add up the lasts of meters; see `added_totals`."""
    places = [
        _places(view, each, lambda run: run.lasts, view.tail.last_layers)
        for each in wanted
    ]
    cancelled = view.cancelled_events()

    def part(
        source: CellSource[Lasts], each: WantedCells, rows: CellRows
    ) -> _AddedChunk[Lasts]:
        rows, key = source.in_slots(each, rows)
        lasts = source.pick(rows, key)
        # No event is at position 0.
        at = np.searchsorted(cancelled, lasts.position)
        are_cancelled = np.append(cancelled, 0)[at] == lasts.position
        are_cancelled &= lasts.position > 0
        hidden = source.key[rows][are_cancelled]
        return Lasts.combine([lasts.without_last(are_cancelled)]), hidden

    yield from _added(Lasts, list(zip(wanted, places, strict=True)), part, advance)


def _added(
    kind: type[CellsT],
    meters: Sequence[tuple[WantedCells, Sequence["_CellPlace[CellsT]"]]],
    part_of: Callable[[CellSource[CellsT], WantedCells, CellRows], _AddedChunk[CellsT]],
    advance: ScanProgress,
) -> Iterator[AddedCells[CellsT]]:
    chunks = [
        (place, source, wanted, rows)
        for wanted, places in meters
        for place in places
        for source in place.sources
        for rows in source.chunks(wanted)
    ]
    ends = np.cumsum([_length(rows) for _, _, _, rows in chunks]).tolist()
    total = ends[-1] if ends else 0
    threads = THREADS if total > _CELLS_AT_A_TIME else 1
    parts: dict[int, list[_AddedChunk[CellsT]]] = {}
    worked = in_threads(lambda chunk: part_of(*chunk[1:]), chunks, threads)
    for (place, *_), done, part in zip(chunks, ends, worked, strict=True):
        parts.setdefault(id(place), []).append(part)
        advance(done, total)

    def merged(places: Sequence[_CellPlace[CellsT]]) -> AddedCells[CellsT]:
        found = [(place, parts[id(place)]) for place in places if id(place) in parts]
        customers, cells = _together(
            kind, [(place, [cells for cells, _ in each]) for place, each in found]
        )
        hidden = [(place.words, keys) for place, each in found for _, keys in each]
        return AddedCells(customers, cells, [each for each in hidden if len(each[1])])

    yield from in_threads(merged, [places for _, places in meters], threads)


def _together(
    kind: type[CellsT],
    parts: Sequence[tuple[_CellPlace[CellsT], Sequence[CellsT]]],
) -> tuple[pa.Array, CellsT]:
    """Merge cells by customer and slot, given with where they lie."""
    added = [(place, kind.combine(cells)) for place, cells in parts]
    used = [
        (*place.used_words(customers_of(cells.key)), cells)
        for place, cells in added
        if len(cells)
    ]
    if not used:
        return pa.array([], WORDS), kind.none()
    if len(used) == 1:
        words, codings = used[0][0], [np.arange(len(used[0][0]))]
    else:
        words, codings = merged_words([words for words, _, _ in used])
    cells = kind.combine(
        [
            _recoded(cells, coding[codes])
            for (_, codes, cells), coding in zip(used, codings, strict=True)
        ]
    )
    has_events = cells.count > 0
    return words, cells if has_events.all() else cells.pick(has_events)


def _recoded(cells: CellsT, codes: np.ndarray) -> CellsT:
    """Return cells under other codes of customers, given by the old ones."""
    key = cells.key & ~CUSTOMERS
    key |= customer_keys(codes)[customers_of(cells.key)]
    return cells.with_key(key)


def _places(
    view: UsageView,
    wanted: WantedCells,
    stored: Callable[[UsageRun], StoredCells[CellsT]],
    layers: Sequence[CellsT],
) -> list[_CellPlace[CellsT]]:
    places = []
    for run in view.runs:
        code = code_of(run.names, wanted.meter)
        if code is not None:
            cells = stored(run)
            codes = wanted.codes_in(run.customers)
            source = CellSource(key=cells.key, pick=cells.pick, meter=code, codes=codes)
            places.append(_CellPlace(run.customers, is_run=True, sources=[source]))
    code = view.tail.meters.get(wanted.meter)
    if code is not None and layers:
        # At once, as others may be added meanwhile.
        known = list(view.tail.customers)
        codes = None
        if wanted.customers is not None:
            codes = np.flatnonzero([word in wanted.customers for word in known])
        sources = [
            CellSource(key=layer.key, pick=_picking(layer), meter=code, codes=codes)
            for layer in layers
        ]
        places.append(_CellPlace(pa.array(known, WORDS), is_run=False, sources=sources))
    return places


def _picking(layer: CellsT) -> Callable[[CellRows, np.ndarray], CellsT]:
    return lambda rows, key: layer.pick(rows).with_key(key)


def _length(rows: CellRows) -> int:
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)
