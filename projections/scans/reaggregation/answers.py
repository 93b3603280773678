"""Answers: cells of all events as the table that was asked for.

Of all values only a sum can be null: one of more digits than the stored type.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import TIMESTAMP
from ledger.usage.quantities import FRACTION_DIGITS, QUANTITY, STORED_INTEGER_DIGITS
from projections.kernels.usage.decimals import (
    average_units,
    decimals_of,
    limbs_of_numbers,
    number_of_limbs,
    numbers_of_limbs,
    sums_of_neighbours,
    widened,
    words_of_limbs,
)
from projections.scans.reaggregation.cells import (
    COUNT,
    CUSTOMER,
    VALUE,
    WINDOW,
    dimension_columns,
    limbs_in,
)
from projections.scans.reaggregation.columns import (
    Arrays,
    arrays_of,
    codes,
    column,
    instants,
    numbers,
    repeated,
    sizes_of_groups,
    starts_of_groups,
)
from projections.scans.reaggregation.errors import SummaryTooLargeError
from projections.scans.reaggregation.question import Measure, Question

POSITION = "position"
"""Key of an answer's metadata: up to which position of the log it counts."""

_GREATEST = 10 ** (STORED_INTEGER_DIGITS + FRACTION_DIGITS) - 1
# Of an error, which has to be read.
_NAMED = 10
# One array of strings holds two gigabytes.
_ROWS_IN_A_PIECE = 1 << 20


def answer(question: Question, measure: Measure, cells: pa.Table) -> Iterator[pa.Table]:
    """Yield a measure's part of the answer, piece by piece.

    Args:
        question: what is asked.
        measure: whose cells.
        cells: one for each key, sorted by key.
    """
    known = arrays_of(cells)
    if measure.formula is Formula.UNIQUE_COUNT:
        known = _distinct(question, known)
    for start in range(0, len(known[WINDOW]), _ROWS_IN_A_PIECE):
        end = start + _ROWS_IN_A_PIECE
        piece = {name: values[start:end] for name, values in known.items()}
        yield _answer(question, measure, piece)


def check_sums(answer: pa.Table) -> None:
    """Check that no sum of an answer is too large.

    Raises:
        SummaryTooLargeError: one is.
    """
    values = answer.column("value")
    if not values.null_count:
        return
    too_large = answer.filter(values.is_null()).group_by(
        ["meter", "customer"], use_threads=False
    )
    series = too_large.aggregate([])
    first = series.slice(0, _NAMED)
    raise SummaryTooLargeError(
        list(zip(*(column.to_pylist() for column in first.columns), strict=True)),
        series.num_rows,
    )


def no_answer(question: Question) -> pa.Table:
    """Return the answer of no events."""
    return _schema(question).empty_table()


def _answer(question: Question, measure: Measure, known: Arrays) -> pa.Table:
    windows = numbers(known[WINDOW])
    ends = question.windows.ends_of(windows)
    dimensions = dimension_columns(len(question.dimensions))
    columns = [
        repeated(measure.meter_id, len(windows)),
        *(known[name].dictionary_decode() for name in (CUSTOMER, *dimensions)),
        instants(np.maximum(windows, question.start)),
        instants(np.minimum(ends, question.end)),
        _values(measure, known),
        known[COUNT],
        repeated(measure.event_name, len(windows)),
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
            # Last, so that the others stay where they were before there was this one.
            ("event_name", pa.string()),
        ],
        metadata={POSITION: str(question.up_to)},
    )


def _distinct(question: Question, cells: Arrays) -> Arrays:
    """Merge cells that differ only in their strings, and count the strings."""
    keys = (CUSTOMER, *dimension_columns(len(question.dimensions)))
    parts = [codes(cells[name]) for name in keys]
    starts = starts_of_groups([*parts, numbers(cells[WINDOW])])
    distinct = {name: cells[name].take(column(starts)) for name in (*keys, WINDOW)}
    distinct[COUNT] = column(sums_of_neighbours(numbers(cells[COUNT]), starts))
    strings = sizes_of_groups(starts, len(cells[WINDOW]))
    distinct[VALUE] = column(strings).cast(QUANTITY)
    return distinct


def _values(measure: Measure, cells: Arrays) -> pa.Array:
    match measure.formula:
        case Formula.COUNT:
            return cells[COUNT].cast(QUANTITY)
        case Formula.SUM:
            return _sums(cells)
        case Formula.AVG:
            return _averages(cells)
        case Formula.MIN | Formula.MAX | Formula.LAST | Formula.UNIQUE_COUNT:
            return cells[VALUE]


def _sums(cells: Arrays) -> pa.Array:
    limbs = np.stack(limbs_in(cells))
    words = words_of_limbs(limbs)
    sums = decimals_of(widened(words[:2], 2))
    if len(words) == 1:
        return sums
    # Only sums near the greatest number have to be looked at one by one.
    high = words[1]
    is_near = (high >= _GREATEST >> 64) | (high <= -(_GREATEST >> 64))
    for word in words[2:]:
        is_near |= word != high >> 63
    is_too_large = np.zeros(len(high), bool)
    for at in np.flatnonzero(is_near).tolist():
        is_too_large[at] = abs(number_of_limbs(limbs[:, at])) > _GREATEST
    if not is_too_large.any():
        return sums
    return pc.if_else(pa.array(is_too_large), None, sums)


def _averages(cells: Arrays) -> pa.Array:
    sums = numbers_of_limbs(np.stack(limbs_in(cells)))
    averages = map(average_units, sums, numbers(cells[COUNT]).tolist())
    words = words_of_limbs(limbs_of_numbers(list(averages)))
    return decimals_of(widened(words, 2))
