"""Aggregates: the formula of a meter over events that are read batch by batch."""

from collections.abc import Iterable

import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.usage.arrow import compute as pc
from ledger.usage.quantities import UNITS_PER_ONE, units_from_quantity
from projections.kernels.usage.decimals import (
    average_units,
    limbs_of,
    number_of_limbs,
    words_of,
)


def aggregate(formula: Formula, batches: Iterable[pa.RecordBatch]) -> tuple[int, int]:
    """Return a formula of the events that count, and how many there are.

    Args:
        formula: of the meter.
        batches: the columns timestamp, position, value and string of the events that
            count.

    Returns:
        In units of 10**-12, or of one event where events are counted; 0 of none.
    """
    match formula:
        case Formula.SUM | Formula.COUNT | Formula.AVG:
            total, count = _total(batches)
            return units_of_total(formula, total, count), count
        case Formula.MIN | Formula.MAX:
            return _extreme(batches, is_least=formula is Formula.MIN)
        case Formula.LAST:
            return _last(batches)
        case Formula.UNIQUE_COUNT:
            return _distinct(batches)


def units_of_total(formula: Formula, total: int, count: int) -> int:
    """Return a formula that follows from the sum of values and their number."""
    match formula:
        case Formula.COUNT:
            return int(count * UNITS_PER_ONE)
        case Formula.AVG:
            return average_units(total, count) if count else 0
        case _:
            return total


def _total(batches: Iterable[pa.RecordBatch]) -> tuple[int, int]:
    total = count = 0
    for batch in batches:
        limbs = limbs_of(words_of(batch.column("value")))
        total += number_of_limbs(limbs.sum(axis=1))
        count += batch.num_rows
    return total, count


def _extreme(batches: Iterable[pa.RecordBatch], *, is_least: bool) -> tuple[int, int]:
    found: list[int] = []
    count = 0
    choose = min if is_least else max
    for batch in batches:
        ends = pc.min_max(batch.column("value"))
        if batch.num_rows:
            units = units_from_quantity(ends["min" if is_least else "max"].as_py())
            found = [choose([*found, units])]
            count += batch.num_rows
    return (found[0] if found else 0), count


def _last(batches: Iterable[pa.RecordBatch]) -> tuple[int, int]:
    events = [
        (timestamp, position, value)
        for batch in batches
        for timestamp, position, value in zip(
            batch.column("timestamp").cast(pa.int64()).to_pylist(),
            batch.column("position").to_pylist(),
            batch.column("value").to_pylist(),
            strict=True,
        )
    ]
    if not events:
        return 0, 0
    return units_from_quantity(max(events)[2]), len(events)


def _distinct(batches: Iterable[pa.RecordBatch]) -> tuple[int, int]:
    strings: set[str | None] = set()
    count = 0
    for batch in batches:
        strings.update(pc.unique(batch.column("string")).to_pylist())
        count += batch.num_rows
    return len(strings - {None}) * UNITS_PER_ONE, count
