"""Windowed usage: the cells of runs and of the tail, added up by customer and window.

Cells lie customer by customer and hour by hour, so those of one window are neighbours in
each source. A piece of the customers at a time is added up, and made into whatever is
asked for, in the memory of the piece before it: where answers are large, new memory takes
longer than all that is computed.

A cell of lasts whose last event was cancelled hides the one before it. Its events count,
and no event of it is the last: it is named, to be read from the events.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa

from projections.kernels.usage.keys import (
    CUSTOMERS,
    HOURS,
    WINDOWED,
    customer_keys,
    customers_of,
)
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.scans.reaggregation.jobs import THREADS, ScanProgress
from projections.scans.reaggregation.threads import in_threads
from projections.usage.everyone.sources import (
    CellPiece,
    CellRows,
    CellSource,
    MeterCells,
    WantedCells,
    cells_of_meters,
)
from projections.usage.layers import CellsT
from projections.usage.view import UsageView

MadeT = TypeVar("MadeT")

CELLS_AT_A_TIME = 1 << 19
"""Many enough that threads seldom wait for each other, and few of what is large."""

# Fewer are added up before another thread has begun.
_CELLS_FOR_THREADS = 1 << 18


@dataclass(frozen=True, slots=True)
class AddedCells(Generic[CellsT]):
    """Cells of one meter and of some customers, added up by customer and slot.

    Attributes:
        customers: in byte order; the index is the code of the customer.
        cells: of at least one event each; the key has the customer's code and the slot.
        hidden: keys (uint64) of cells whose last event was cancelled, with the
            customer's code and the hour.
    """

    customers: pa.Array
    cells: CellsT
    hidden: np.ndarray


_Picked = tuple[CellsT, np.ndarray]
"""Cells of a source under keys of slots, and the rows of those that hide a last event."""


def added_totals(
    view: UsageView,
    wanted: Sequence[WantedCells],
    make: Callable[[int, AddedCells[Totals]], MadeT],
    advance: ScanProgress,
    *,
    at_a_time: int,
) -> list[list[MadeT]]:
    """Add up the totals of meters.

    Args:
        view: of usage.
        wanted: of each meter.
        make: makes something of what a piece of the meter at an index adds up to, on any
            thread.
        advance: receives how many cells were gone through, on this thread.
        at_a_time: how many cells of one place are in a piece, unless one customer has
            more.

    Returns:
        What was made of each meter, its customers in byte order.
    """
    layers = view.tail.total_layers
    found = cells_of_meters(Totals, view, wanted, lambda run: run.totals, layers)

    def pick(
        source: CellSource[Totals], rows: CellRows, key: np.ndarray
    ) -> _Picked[Totals]:
        return source.pick(rows, key), np.zeros(0, np.int64)

    meters = list(zip(wanted, found, strict=True))
    return _added(Totals, meters, pick, make, advance, at_a_time)


def added_lasts(
    view: UsageView,
    wanted: Sequence[WantedCells],
    make: Callable[[int, AddedCells[Lasts]], MadeT],
    advance: ScanProgress,
    *,
    at_a_time: int,
) -> list[list[MadeT]]:
    """Add up the lasts of meters; see `added_totals`."""
    layers = view.tail.last_layers
    found = cells_of_meters(Lasts, view, wanted, lambda run: run.lasts, layers)
    cancelled = view.cancelled_events()

    def pick(
        source: CellSource[Lasts], rows: CellRows, key: np.ndarray
    ) -> _Picked[Lasts]:
        lasts = source.pick(rows, key)
        # No event is at position 0.
        at = np.searchsorted(cancelled, lasts.position)
        are_cancelled = np.append(cancelled, 0)[at] == lasts.position
        are_cancelled &= lasts.position > 0
        return lasts.without_last(are_cancelled), np.flatnonzero(are_cancelled)

    meters = list(zip(wanted, found, strict=True))
    return _added(Lasts, meters, pick, make, advance, at_a_time)


def _added(
    kind: type[CellsT],
    meters: Sequence[tuple[WantedCells, MeterCells[CellsT]]],
    pick: Callable[[CellSource[CellsT], CellRows, np.ndarray], _Picked[CellsT]],
    make: Callable[[int, AddedCells[CellsT]], MadeT],
    advance: ScanProgress,
    at_a_time: int,
) -> list[list[MadeT]]:
    total = sum(len(each.key) for _, found in meters for each in found.sources)
    threads = THREADS if total > _CELLS_FOR_THREADS else 1

    def pieces() -> Iterator[tuple[int, CellPiece[CellsT]]]:
        for at, (_, found) in enumerate(meters):
            if found.sources:
                for piece in found.pieces(at_a_time):
                    yield at, piece

    def work(numbered: tuple[int, CellPiece[CellsT]]) -> tuple[int, int, MadeT]:
        at, piece = numbered
        wanted, _ = meters[at]
        parts, hidden = [], []
        for source, rows in piece.parts:
            picked, are_hidden = _in_slots(source, rows, wanted, pick)
            parts.append(_ranked(kind.combine([picked]), source, piece))
            hidden.append(_ranked_keys(are_hidden, source, piece))
        cells = parts[0] if len(parts) == 1 else kind.combine(parts or [kind.none()])
        has_events = cells.count > 0
        added = AddedCells(
            piece.customers,
            cells if has_events.all() else cells.pick(has_events),
            np.concatenate([np.zeros(0, np.uint64), *hidden]),
        )
        return at, len(piece), make(at, added)

    made: list[list[MadeT]] = [[] for _ in meters]
    done = 0
    for at, cells, result in in_threads(work, pieces(), threads):
        made[at].append(result)
        done += cells
        advance(done, total)
    return made


def _in_slots(
    source: CellSource[CellsT],
    rows: slice,
    wanted: WantedCells,
    pick: Callable[[CellSource[CellsT], CellRows, np.ndarray], _Picked[CellsT]],
) -> _Picked[CellsT]:
    """Return the cells in slots, and the keys of those that hide a last event."""
    key = source.key[rows]
    slot = wanted.slots.of_hours((key & HOURS).view(np.int64))
    some: CellRows = rows
    if slot.min(initial=0) < 0:
        kept = np.flatnonzero(slot >= 0)
        key, slot = key[kept], slot[kept]
        some = kept + rows.start
    by_slot: np.ndarray = key & CUSTOMERS
    by_slot |= slot.view(np.uint64)
    if wanted.is_windowed:
        by_slot |= WINDOWED
    cells, hiding = pick(source, some, by_slot)
    return cells, key[hiding]


def _ranked(
    cells: CellsT, source: CellSource[CellsT], piece: CellPiece[CellsT]
) -> CellsT:
    """Return cells of a source under the codes of customers in a piece."""
    return cells.with_key(_ranked_keys(cells.key, source, piece))


def _ranked_keys(
    key: np.ndarray, source: CellSource[CellsT], piece: CellPiece[CellsT]
) -> np.ndarray:
    codes = source.by_code[customers_of(key)] - piece.first_rank
    ranked: np.ndarray = key & ~CUSTOMERS
    ranked |= customer_keys(codes)
    return ranked
