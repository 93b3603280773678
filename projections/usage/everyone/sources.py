"""Sources: the cells of one meter, in runs and in the tail, by rank of their customers.

Each run has codes of its own for customers, in byte order, and the tail has some in no
order. The ranks of all are in byte order too, so that a span of ranks is a span of rows
in every source: what is added up can be cut anywhere between two customers.
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
    customer_keys,
    customers_of,
    rows_of_many,
    rows_of_meter,
)
from projections.usage.everyone.slots import Slots
from projections.usage.layers import CellsT
from projections.usage.run import UsageRun
from projections.usage.stored_cells import StoredCells
from projections.usage.tail import TailView
from projections.usage.view import UsageView

CellRows = slice | np.ndarray

_Ranked = tuple[Sequence[pa.Array], pa.Array, Sequence[np.ndarray]]
"""The words of sources, all customers among them, and the rank of each word."""


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

    def rows_in(
        self, key: np.ndarray, meter: int, codes: np.ndarray | None
    ) -> CellRows:
        """Return the rows of the meter, or of some customers in the hours, ascending.

        Args:
            key: uint64, ascending.
            meter: its code there.
            codes: of the customers, ascending; None is everybody.
        """
        if codes is None:
            return rows_of_meter(key, meter, is_windowed=self.is_windowed)
        hours = np.empty((2, len(codes)), np.int64)
        hours[:] = [[self.slots.first], [self.slots.end]]
        rows, _ = rows_of_many(key, meter, codes, hours, is_windowed=self.is_windowed)
        return rows

    def codes_in(self, words: pa.Array) -> np.ndarray | None:
        """Return the codes (int64, ascending) to look for; None is everybody."""
        if self.customers is not None:
            codes = codes_of_many(words, sorted(self.customers))
            return np.sort(codes[codes >= 0])
        return np.arange(len(words)) if self.is_narrow else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _FoundCells(Generic[CellsT]):
    """Cells of one meter in one place, under codes that are in byte order.

    Attributes:
        key: uint64, ascending.
        pick: returns the cells in some rows under other keys.
        words: the customers, by code.
    """

    key: np.ndarray
    pick: Callable[[CellRows, np.ndarray], CellsT]
    words: pa.Array

    def used(self) -> np.ndarray | None:
        """Return the codes in keys (int64, ascending) where they are few; None is all."""
        if len(self.key) >= len(self.words):
            return None
        codes = customers_of(self.key)
        found: np.ndarray = codes[np.flatnonzero(np.diff(codes, prepend=-1))]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSource(Generic[CellsT]):
    """Cells of one meter in one place.

    Attributes:
        key: uint64, ascending.
        pick: returns the cells in some rows under other keys.
        codes: int64, ascending, of customers, all that keys have among them.
        ranks: int64, ascending, of the same customers.
        by_code: int64, the rank of each customer, by code.
    """

    key: np.ndarray
    pick: Callable[[CellRows, np.ndarray], CellsT]
    codes: np.ndarray
    ranks: np.ndarray
    by_code: np.ndarray

    def starts_of(self, ranks: np.ndarray) -> np.ndarray:
        """Return the first row (int64) of a customer of each rank, or of any after it."""
        if not len(self.key):
            return np.zeros(len(ranks), np.int64)
        at = np.searchsorted(self.ranks, ranks)
        is_there = at < len(self.codes)
        meter = self.key[0] & ~(CUSTOMERS | HOURS)
        starts = np.full(len(ranks), len(self.key))
        keys = customer_keys(self.codes[at[is_there]]) | meter
        starts[is_there] = np.searchsorted(self.key, keys)
        return starts

    def ranks_at(self, rows: np.ndarray) -> np.ndarray:
        """Return the ranks (int64) of the customers of some rows."""
        found: np.ndarray = self.by_code[customers_of(self.key[rows])]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterCells(Generic[CellsT]):
    """All cells of one meter that may be wanted.

    Attributes:
        customers: by rank, in byte order.
        sources: where the cells are.
    """

    customers: pa.Array
    sources: Sequence[CellSource[CellsT]]

    def pieces(self, most: int) -> Iterator["CellPiece[CellsT]"]:
        """Cut the cells between customers.

        Args:
            most: how many of the largest source are in a piece, unless one customer has
                more.
        """
        largest = max(self.sources, key=lambda source: len(source.key))
        ranks = largest.ranks_at(np.arange(most, len(largest.key), most))
        bounds = np.append(0, ranks)
        bounds = bounds[np.diff(bounds, append=len(self.customers)) > 0]
        ends = np.append(bounds[1:], len(self.customers))
        starts = [source.starts_of(bounds) for source in self.sources]
        for at, (first, end) in enumerate(
            zip(bounds.tolist(), ends.tolist(), strict=True)
        ):
            parts = []
            for source, begins in zip(self.sources, starts, strict=True):
                after = begins[at + 1] if at + 1 < len(begins) else len(source.key)
                if begins[at] < after:
                    parts.append((source, slice(int(begins[at]), int(after))))
            yield CellPiece(
                customers=self.customers.slice(first, end - first),
                first_rank=first,
                parts=parts,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPiece(Generic[CellsT]):
    """The cells of some customers.

    Attributes:
        customers: in byte order.
        first_rank: of the first of them.
        parts: sources, each with the rows of the customers.
    """

    customers: pa.Array
    first_rank: int
    parts: Sequence[tuple[CellSource[CellsT], slice]]

    def __len__(self) -> int:
        """Return how many cells there are."""
        return sum(rows.stop - rows.start for _, rows in self.parts)


def cells_of_meters(
    kind: type[CellsT],
    view: UsageView,
    wanted: Sequence[WantedCells],
    stored: Callable[[UsageRun], StoredCells[CellsT]],
    layers: Sequence[CellsT],
) -> list[MeterCells[CellsT]]:
    """Find the cells of meters.

    Args:
        kind: of cells.
        view: of usage.
        wanted: of each meter.
        stored: returns the cells of the kind in a run.
        layers: of the tail.
    """
    ranked: dict[tuple[int, ...], _Ranked] = {}
    found = []
    for each in wanted:
        places = [_in_run(run, each, stored) for run in view.runs]
        places.append(_in_tail(kind, view.tail, each, layers))
        with_cells = [place for place in places if place is not None and len(place.key)]
        used = [place.used() for place in with_cells]
        words = [
            place.words if codes is None else place.words.take(pa.array(codes))
            for place, codes in zip(with_cells, used, strict=True)
        ]
        # Most meters are used by all customers of a run, whose ranks they share.
        shared = tuple(map(id, words))
        if shared not in ranked:
            # With the words, or others could be where they were.
            ranked[shared] = words, *_ranks_of(words)
        _, customers, ranks = ranked[shared]
        found.append(
            MeterCells(
                customers=customers,
                sources=list(map(_source, with_cells, used, ranks)),
            )
        )
    return found


def _ranks_of(words: Sequence[pa.Array]) -> tuple[pa.Array, list[np.ndarray]]:
    """Return all customers, and the rank of each customer of each source."""
    if not words:
        return pa.array([], WORDS), []
    if len(words) == 1:
        return words[0], [np.arange(len(words[0]))]
    return merged_words(words)


def _source(
    found: _FoundCells[CellsT], used: np.ndarray | None, ranks: np.ndarray
) -> CellSource[CellsT]:
    codes, by_code = used, ranks
    if codes is None:
        codes = np.arange(len(ranks))
    else:
        by_code = np.zeros(len(found.words), np.int64)
        by_code[codes] = ranks
    return CellSource(
        key=found.key, pick=found.pick, codes=codes, ranks=ranks, by_code=by_code
    )


def _in_run(
    run: UsageRun,
    wanted: WantedCells,
    stored: Callable[[UsageRun], StoredCells[CellsT]],
) -> _FoundCells[CellsT] | None:
    meter = code_of(run.names, wanted.meter)
    if meter is None:
        return None
    cells = stored(run)
    rows = wanted.rows_in(cells.key, meter, wanted.codes_in(run.customers))
    some = cells.at(rows)
    return _FoundCells(key=some.key, pick=some.pick, words=run.customers)


def _in_tail(
    kind: type[CellsT],
    tail: TailView,
    wanted: WantedCells,
    layers: Sequence[CellsT],
) -> _FoundCells[CellsT] | None:
    """Return the cells of all layers, added up under codes in byte order."""
    meter = tail.meters.get(wanted.meter)
    if meter is None or not layers:
        return None
    # At once, as others may be added meanwhile.
    known = list(tail.customers)
    codes = None
    if wanted.customers is not None:
        codes = np.flatnonzero([word in wanted.customers for word in known])
    parts = [layer.pick(wanted.rows_in(layer.key, meter, codes)) for layer in layers]
    customers = [customers_of(part.key) for part in parts]
    words, ranks = sorted_words(pa.array(known, WORDS), np.concatenate(customers))
    keys = customer_keys(ranks)
    cells = kind.combine(
        [
            part.with_key((part.key & ~CUSTOMERS) | keys[of])
            for part, of in zip(parts, customers, strict=True)
        ]
    )
    return _FoundCells(
        key=cells.key,
        pick=lambda rows, key: cells.pick(rows).with_key(key),
        words=words,
    )
