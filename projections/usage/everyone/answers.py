"""Answers and partials of a re-aggregation, made of cells instead of events.

The cells of one meter are an answer where they say all: added up by customer and window,
in order. Where events have to be read besides, they become a partial of the question.
"""

from decimal import Decimal

import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import column_of
from ledger.usage.quantities import (
    FRACTION_DIGITS,
    QUANTITY,
    STORED_INTEGER_DIGITS,
    UNITS_PER_ONE,
)
from projections.kernels.usage.decimals import (
    average_units,
    decimals_of,
    limbs_of_numbers,
    number_of_limbs,
    numbers_of_limbs,
    widened,
    words_of_limbs,
)
from projections.kernels.usage.keys import HOURS, customers_of
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.scans.reaggregation.answers import (
    PIECE_ROWS,
    answer_schema,
    instants,
    words_of,
)
from projections.scans.reaggregation.question import Measure, Question
from projections.usage.everyone.slots import Slots
from projections.usage.everyone.windowed import AddedCells

_GREATEST = 10 ** (STORED_INTEGER_DIGITS + FRACTION_DIGITS) - 1
_MOMENT = pa.decimal128(38, 0)


def answer_of_totals(
    question: Question, measure: Measure, slots: Slots, added: AddedCells[Totals]
) -> pa.Table:
    """Return totals of all usage of a measure as its part of the answer."""
    cells = added.cells
    match measure.formula:
        case Formula.COUNT:
            values = column_of(cells.count).cast(QUANTITY)
        case Formula.AVG:
            values = _averages(cells)
        case _:
            values = _sums(cells.limbs)
    return _answer(question, measure, slots, added, values)


def answer_of_lasts(
    question: Question, measure: Measure, slots: Slots, added: AddedCells[Lasts]
) -> pa.Table:
    """Return lasts of all usage of a measure, none of them hidden, as `answer_of_totals`."""
    assert (added.cells.position > 0).all(), "each cell has its last event"
    return _answer(question, measure, slots, added, decimals_of(added.cells.words))


def partial_of_totals(
    question: Question, measure: Measure, slots: Slots, added: AddedCells[Totals]
) -> pa.Table:
    """Return totals as a partial."""
    cells = added.cells
    columns = _keys(measure, added) | {
        "window_number": column_of(question.numbers_of(_starts(slots, added))),
        "event_count": column_of(cells.count),
    }
    if measure.formula is not Formula.COUNT:
        columns |= _summands(cells.limbs)
    return pa.table(columns)


def partial_of_lasts(
    question: Question, measure: Measure, slots: Slots, added: AddedCells[Lasts]
) -> pa.Table:
    """Return lasts of a measure that is not pre-aggregated as a partial."""
    cells = added.cells
    # What has no last event is no candidate for being it.
    is_there = pa.py_buffer(np.packbits(cells.position > 0, bitorder="little"))
    moments = np.ascontiguousarray(np.stack([cells.position, cells.timestamp], axis=1))
    buffers = [is_there, pa.py_buffer(moments)]
    columns = _keys(measure, added) | {
        "window_number": column_of(question.numbers_of(_starts(slots, added))),
        "event_count": column_of(cells.count),
        "value": decimals_of(cells.words),
        "moment": pa.Array.from_buffers(_MOMENT, len(moments), buffers),
    }
    return pa.table(columns)


def candidates_of_lasts(
    question: Question, measure: Measure, added: AddedCells[Lasts]
) -> pa.Table:
    """Return lasts of a pre-aggregated measure as a partial."""
    cells = added.cells
    has_last = cells.position > 0
    timestamps = np.where(has_last, cells.timestamp, 0)
    is_wanted = has_last & (timestamps >= question.start) & (timestamps < question.end)
    columns = _keys(measure, added) | {
        "position": column_of(cells.position),
        "instant": column_of(timestamps),
        "is_wanted": column_of(is_wanted.astype(np.uint8)).cast(pa.bool_()),
    }
    if measure.formula is not Formula.COUNT:
        columns["number"] = decimals_of(cells.words)
    return pa.table(columns)


def _answer(
    question: Question,
    measure: Measure,
    slots: Slots,
    added: AddedCells[Totals] | AddedCells[Lasts],
    values: pa.Array,
) -> pa.Table:
    starts = _starts(slots, added)
    ends = question.windows.ends_of(starts)
    customers = pa.DictionaryArray.from_arrays(*_customers(added))
    columns = [
        instants(np.maximum(starts, question.start)),
        instants(np.minimum(ends, question.end)),
        values,
        column_of(added.cells.count),
    ]
    schema = answer_schema(question)
    meters, names = words_of(measure, len(starts))
    pieces = []
    for at in range(0, len(starts), PIECE_ROWS):
        rows = slice(at, at + PIECE_ROWS)
        whose = customers[rows].dictionary_decode()
        named, length = [each[rows] for each in columns], len(whose)
        piece = [meters[:length], whose, *named, names[:length]]
        pieces.append(pa.RecordBatch.from_arrays(piece, schema=schema))
    return pa.Table.from_batches(pieces, schema)


def _keys(
    measure: Measure, added: AddedCells[Totals] | AddedCells[Lasts]
) -> dict[str, pa.Array]:
    codes, words = _customers(added)
    name = pa.array([measure.event_name], pa.string())
    is_first = column_of(np.zeros(len(codes), np.int32))
    return {
        "event_name": pa.DictionaryArray.from_arrays(is_first, name),
        "customer": pa.DictionaryArray.from_arrays(codes, words),
    }


def _customers(
    added: AddedCells[Totals] | AddedCells[Lasts],
) -> tuple[pa.Array, pa.Array]:
    """Return the code of each cell's customer, and all customers."""
    codes = customers_of(added.cells.key).astype(np.int32)
    return column_of(codes), added.customers.cast(pa.string())


def _starts(slots: Slots, added: AddedCells[Totals] | AddedCells[Lasts]) -> np.ndarray:
    """Return where the window of each cell begins (int64)."""
    starts: np.ndarray = slots.starts[(added.cells.key & HOURS).view(np.int64)]
    return starts


def _sums(limbs: np.ndarray) -> pa.Array:
    """Return sums; null where one is too large."""
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


def _summands(limbs: np.ndarray) -> dict[str, pa.Array]:
    """Return sums as partials have them, in one part or in two."""
    sums = _sums(limbs)
    if not sums.null_count:
        return {"total": sums}
    numbers = numbers_of_limbs(limbs)
    wholes = [number // UNITS_PER_ONE for number in numbers]
    parts = [number % UNITS_PER_ONE for number in numbers]
    return {
        "whole": pa.array(map(Decimal, wholes), pa.decimal128(38, 0)),
        "part": _quantities(parts),
    }


def _averages(cells: Totals) -> pa.Array:
    sums = numbers_of_limbs(cells.limbs)
    return _quantities(list(map(average_units, sums, cells.count.tolist())))


def _quantities(units: list[int]) -> pa.Array:
    return decimals_of(widened(words_of_limbs(limbs_of_numbers(units)), 2))
