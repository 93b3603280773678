"""Answers: cells of all events, as the values that were asked for."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.usage.columns import TIMESTAMP
from ledger.usage.quantities import FRACTION_DIGITS, INTEGER_DIGITS, QUANTITY
from projections.kernels.usage.averages import average_units
from projections.scans.reaggregation.cells import (
    COUNT,
    CUSTOMER,
    VALUE,
    WINDOW,
    dimension_columns,
    limbs_of,
)
from projections.scans.reaggregation.columns import (
    Arrays,
    arrays_of,
    codes,
    column,
    constant,
    instants,
    numbers,
    quantities,
    sizes_of_groups,
    starts_of_groups,
)
from projections.scans.reaggregation.errors import SummaryTooLargeError
from projections.scans.reaggregation.question import Measure, Question
from projections.scans.reaggregation.sums import sums_of

_GREATEST = 10 ** (INTEGER_DIGITS + FRACTION_DIGITS) - 1
# A piece of a column of texts holds two gigabytes.
_ROWS_IN_A_PIECE = 1 << 20
_LIMB_BITS = 32
_LOW_WORD = (1 << 64) - 1


def answer(question: Question, measure: Measure, cells: pa.Table) -> Iterator[pa.Table]:
    """Turn all cells of a measure into its part of the answer, piece by piece.

    Args:
        question: what is asked.
        measure: whose cells.
        cells: one for each key, sorted by key.

    Raises:
        SummaryTooLargeError: a sum does not fit the stored type.
    """
    known = arrays_of(cells)
    if measure.formula is Formula.UNIQUE_COUNT:
        known = _distinct(question, known)
    for start in range(0, len(known[WINDOW]), _ROWS_IN_A_PIECE):
        end = start + _ROWS_IN_A_PIECE
        piece = {name: values[start:end] for name, values in known.items()}
        yield _answer(question, measure, piece)


def no_answer(question: Question) -> pa.Table:
    """Make the answer of no events."""
    return _schema(question).empty_table()


def _answer(question: Question, measure: Measure, known: Arrays) -> pa.Table:
    windows = numbers(known[WINDOW])
    ends = question.windows.ends_of(windows)
    dimensions = dimension_columns(len(question.dimensions))
    columns = [
        constant(measure.meter_id, len(windows)).dictionary_decode(),
        *(known[name].dictionary_decode() for name in (CUSTOMER, *dimensions)),
        instants(np.maximum(windows, question.start)),
        instants(np.minimum(ends, question.end)),
        _values(measure, known),
        known[COUNT],
    ]
    return pa.table(columns, schema=_schema(question))


def _schema(question: Question) -> pa.Schema:
    return pa.schema(
        [
            ("meter", pa.string()),
            ("customer", pa.string()),
            *((key, pa.string()) for key in question.dimensions),
            ("window_start", TIMESTAMP),
            ("window_end", TIMESTAMP),
            ("value", QUANTITY),
            ("event_count", pa.int64()),
        ]
    )


def _distinct(question: Question, cells: Arrays) -> Arrays:
    """Bring cells together that differ only in their texts, and count these."""
    keys = (CUSTOMER, *dimension_columns(len(question.dimensions)))
    parts = [codes(cells[name]) for name in keys]
    starts = starts_of_groups([*parts, numbers(cells[WINDOW])])
    distinct = {name: cells[name].take(column(starts)) for name in (*keys, WINDOW)}
    distinct[COUNT] = column(sums_of(numbers(cells[COUNT]), starts))
    texts = sizes_of_groups(starts, len(cells[WINDOW]))
    distinct[VALUE] = column(texts).cast(QUANTITY)
    return distinct


def _values(measure: Measure, cells: Arrays) -> pa.Array:
    match measure.formula:
        case Formula.COUNT:
            return cells[COUNT].cast(QUANTITY)
        case Formula.SUM:
            return _sums(measure, cells)
        case Formula.AVG:
            return _averages(cells)
        case Formula.MIN | Formula.MAX | Formula.LAST | Formula.UNIQUE_COUNT:
            return cells[VALUE]


def _sums(measure: Measure, cells: Arrays) -> pa.Array:
    limbs = limbs_of(cells)
    words = np.empty((len(limbs[0]), 2), np.int64)
    words[:, 0] = limbs[0] | limbs[1] << _LIMB_BITS
    if len(limbs) == 2:
        words[:, 1] = limbs[1] >> _LIMB_BITS
        return quantities(words)
    words[:, 1] = limbs[2] | limbs[3] << _LIMB_BITS
    # Only sums that come near the greatest number have to be looked at one by one.
    for at in np.flatnonzero(np.abs(limbs[3]) >= _GREATEST >> 3 * _LIMB_BITS):
        units = sum(
            int(limb[at]) << place * _LIMB_BITS for place, limb in enumerate(limbs)
        )
        if abs(units) > _GREATEST:
            customer = cells[CUSTOMER][int(at)].as_py()
            raise SummaryTooLargeError(measure.meter_id, customer)
    return quantities(words)


def _averages(cells: Arrays) -> pa.Array:
    *lower, highest = limbs_of(cells)
    sums = highest.tolist()
    for limb in reversed(lower):
        sums = [
            (high << _LIMB_BITS) + low
            for high, low in zip(sums, limb.tolist(), strict=True)
        ]
    counts = numbers(cells[COUNT]).tolist()
    averages = list(map(average_units, sums, counts))
    words = np.empty((len(averages), 2), np.int64)
    words[:, 0] = np.array([units & _LOW_WORD for units in averages], np.uint64).view(
        np.int64
    )
    words[:, 1] = [units >> 64 for units in averages]
    return quantities(words)
