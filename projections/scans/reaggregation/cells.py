"""Cells: aggregates of some events of one measure, by customer, dimensions and window.

A table of cells has those of these columns that its measure needs. Without a count, a
row is one event; without limbs, the sum is the value.

customer        dictionary of string
dimension_…     dictionary of string, one column for each dimension; null where absent
window          int64, where the window begins
text            dictionary of string, what unique counts count
count           int64, events
limb_0 …        int64, the sum in 32 bits each, the lowest first; 0 where absent
value           decimal, of the event that was picked
timestamp       microseconds, of the event that was picked
position        int64, of the event that was picked
is_wanted       int64, 1 where the picked event passes the filters and lies in time

Cells of parts of the events reduce to cells of all events, in any order of the parts:
adding is exact, and no two events have one position.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from projections.calendar import SECOND
from projections.kernels.usage.decimals import (
    limb_sums_of_neighbours,
    sums_of_neighbours,
    word_sums_of_neighbours,
    words_of,
)
from projections.scans.reaggregation.columns import (
    Arrays,
    arrays_of,
    codes,
    column,
    numbers,
    packed,
    sizes_of_groups,
    starts_of_groups,
    taken,
    with_sorted_words,
    without_idle_words,
)
from projections.scans.reaggregation.question import Measure

CUSTOMER = "customer"
WINDOW = "window"
TEXT = "text"
COUNT = "count"
LIMBS = ("limb_0", "limb_1", "limb_2", "limb_3")
VALUE = "value"
TIMESTAMP = "timestamp"
POSITION = "position"
IS_WANTED = "is_wanted"

_LOWEST = np.int64(-(1 << 63))


class CellSchema(NamedTuple):
    """The columns of cells, and how cells of one key become one.

    Attributes:
        keys: columns of the key, in the order of sorting.
        others: columns of the event that is picked.
        adds: whether values are added up.
        greatest: columns by which the picked event is the greatest, the first one
            first; without any, no matter which event is picked.
        least: whether the picked event is the least instead.
    """

    keys: tuple[str, ...]
    others: tuple[str, ...] = ()
    adds: bool = False
    greatest: tuple[str, ...] = ()
    least: bool = False


def dimension_columns(count: int) -> tuple[str, ...]:
    """Return the columns of dimensions, whose payload keys could clash with others."""
    return tuple(f"dimension_{at}" for at in range(count))


def schema_of(measure: Measure, dimension_count: int) -> CellSchema:
    """Return the schema of the cells of a measure's events."""
    keys = (CUSTOMER, *dimension_columns(dimension_count), WINDOW)
    match measure.formula:
        case Formula.COUNT:
            return CellSchema(keys)
        case Formula.SUM | Formula.AVG:
            return CellSchema(keys, adds=True)
        case Formula.MIN | Formula.MAX:
            is_least = measure.formula is Formula.MIN
            return CellSchema(keys, (VALUE,), greatest=(VALUE,), least=is_least)
        case Formula.LAST:
            others = (VALUE, TIMESTAMP, POSITION)
            return CellSchema(keys, others, greatest=(TIMESTAMP, POSITION))
        case Formula.UNIQUE_COUNT:
            return CellSchema((*keys, TEXT))


def schema_of_candidates(measure: Measure, dimension_count: int) -> CellSchema:
    """Return the schema of cells that hold the one event of a UTC window that may count.

    Their window is that of the meter, in UTC, and not one that was asked for.
    """
    others = [*dimension_columns(dimension_count), TIMESTAMP, POSITION, IS_WANTED]
    if measure.payload_key is not None:
        others.append(TEXT)
    elif measure.formula is not Formula.COUNT:
        others.append(VALUE)
    return CellSchema((CUSTOMER, WINDOW), tuple(others), greatest=(POSITION,))


def gather(events: Arrays, schema: CellSchema, *, is_grouped: bool) -> pa.Table:
    """Return the cells of events; several may have the same key.

    Args:
        events: of one batch.
        schema: of the cells.
        is_grouped: whether most events of one key are neighbours already.
    """
    if not is_grouped:
        order = column(np.argsort(_key(events, schema), kind="stable"))
        events = {name: values.take(order) for name, values in events.items()}
    starts = starts_of_groups([_key_part(events, name) for name in schema.keys])
    cells = _reduced(events, schema, starts)
    return pa.table({name: without_idle_words(cells[name]) for name in cells})


def reduce(cells: pa.Table, schema: CellSchema) -> pa.Table:
    """Merge cells of one key.

    Args:
        cells: in any order.
        schema: of the cells.

    Returns:
        One cell for each key, sorted by key, strings in byte order and null first.
    """
    columns = arrays_of(cells)
    # Column by column from here on, so that few of them are in memory twice.
    del cells
    for name, values in columns.items():
        if pa.types.is_dictionary(values.type):
            columns[name] = with_sorted_words(values)
    key = _key(columns, schema)
    order = np.argsort(key, kind="stable")
    starts, rows = starts_of_groups([key[order]]), column(order)
    for name, values in columns.items():
        columns[name] = values.take(rows)
    return pa.table(_reduced(columns, schema, starts))


def _reduced(columns: Arrays, schema: CellSchema, starts: np.ndarray) -> Arrays:
    sizes = sizes_of_groups(starts, len(columns[WINDOW]))
    picked = _picked(columns, schema, starts, sizes)
    reduced = {
        name: taken(columns[name], picked) for name in (*schema.keys, *schema.others)
    }
    counts = columns.get(COUNT)
    reduced[COUNT] = column(
        sizes if counts is None else sums_of_neighbours(numbers(counts), starts)
    )
    if schema.adds:
        values = columns.get(VALUE)
        sums = (
            limb_sums_of_neighbours(limbs_in(columns), starts)
            if values is None
            else word_sums_of_neighbours(words_of(values), starts)
        )
        reduced |= zip(LIMBS, map(column, sums), strict=False)
    return reduced


def limbs_in(cells: Arrays) -> list[np.ndarray]:
    """View the limbs of sums, the lowest first."""
    return [numbers(cells[name]) for name in LIMBS if name in cells]


def _picked(
    columns: Arrays, schema: CellSchema, starts: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """Return the row of each group that is the greatest, or the least."""
    length = len(columns[WINDOW])
    if not schema.greatest or len(starts) == length:
        return starts
    is_greatest = np.ones(length, bool)
    for part in _order_of(columns, schema):
        rank = np.where(is_greatest, part, _LOWEST)
        is_greatest &= rank == np.repeat(np.maximum.reduceat(rank, starts), sizes)
    row = np.where(is_greatest, np.arange(length), -1)
    picked: np.ndarray = np.maximum.reduceat(row, starts)
    return picked


def _order_of(columns: Arrays, schema: CellSchema) -> list[np.ndarray]:
    """Return numbers (int64) that sort events as the columns of the order do."""
    parts: list[np.ndarray] = []
    for name in schema.greatest:
        if name == VALUE:
            low, high = words_of(columns[name])
            # The low word has no sign of its own.
            parts += [high, low ^ _LOWEST]
        else:
            parts.append(numbers(columns[name]))
    return [~part for part in parts] if schema.least else parts


def _key(columns: Arrays, schema: CellSchema) -> np.ndarray:
    """Return each row's key as one number (int64), in the order of codes."""
    parts = [_key_part(columns, name) for name in schema.keys]
    return packed(
        [
            # Windows begin at whole seconds; the code of null is -1.
            (part - _least(part)) // SECOND if name == WINDOW else part + 1
            for name, part in zip(schema.keys, parts, strict=True)
        ]
    )


def _key_part(columns: Arrays, name: str) -> np.ndarray:
    return numbers(columns[name]) if name == WINDOW else codes(columns[name])


def _least(numbers: np.ndarray) -> int:
    return int(numbers.min()) if len(numbers) else 0
