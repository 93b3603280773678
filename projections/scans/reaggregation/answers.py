"""Answers: what was asked for as a table.

Of all values only a sum can be null: one of more digits than the stored type.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa

from ledger.usage.columns import TIMESTAMP, column_of, numbers_of, strings_of
from ledger.usage.quantities import QUANTITY
from projections.scans.reaggregation.errors import SummaryTooLargeError
from projections.scans.reaggregation.question import Measure, Question

POSITION = "position"
"""Key of an answer's metadata: up to which position of the log it counts."""

PIECE_ROWS = 1 << 14
"""How many rows of an answer are next to each other in memory, at most.

All pieces of a measure share the words that each of its rows repeats: where an answer is
large, new memory takes longer than all that is computed.
"""

# Some megabytes of words that are repeated.
_MEASURES_KEPT = 8
# Of an error, which has to be read.
_NAMED = 10


def answer_of(question: Question, rows: pa.Table) -> pa.Table:
    """Return rows, in order, as an answer.

    Args:
        question: what is asked.
        rows: columns `rank`, `customer`, dimensions, `window_number`, `value` and
            `event_count`.
    """
    schema = answer_schema(question)
    pieces, at = [], 0
    for measure, count in zip(question.in_order(), _rows_of_each(rows), strict=False):
        batches = rows.slice(at, count).to_batches(PIECE_ROWS)
        at += count
        meters, names = words_of(measure, count)
        for batch in batches:
            _, customer, *dimensions, number, value, event_count = batch.columns
            numbers = numbers_of(number)
            starts, ends = (
                question.windows_of(numbers),
                question.windows_of(numbers + 1),
            )
            columns = [
                meters[: len(batch)],
                customer,
                *dimensions,
                instants(np.maximum(starts, question.start, out=starts)),
                instants(np.minimum(ends, question.end, out=ends)),
                value,
                event_count,
                names[: len(batch)],
            ]
            pieces.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    return pa.Table.from_batches(pieces, schema)


def words_of(measure: Measure, rows: int) -> tuple[pa.Array, pa.Array]:
    """Return the meter and the event name of each row in a measure's longest piece.

    Args:
        measure: that all rows are of.
        rows: how many the measure has.
    """
    words = measure.meter_id, measure.event_name
    return _longest(words) if rows >= PIECE_ROWS else _repeated(words, rows)


@lru_cache(_MEASURES_KEPT)
def _longest(words: tuple[str, str]) -> tuple[pa.Array, pa.Array]:
    return _repeated(words, PIECE_ROWS)


def _repeated(words: tuple[str, str], rows: int) -> tuple[pa.Array, pa.Array]:
    meters, names = (pa.repeat(word, rows) for word in strings_of(words))
    return meters, names


def _rows_of_each(rows: pa.Table) -> list[int]:
    """Return how many rows each measure has, up to the last one that has any."""
    ranks = [numbers_of(each.indices) for each in rows.column("rank").chunks]
    return np.bincount(np.concatenate(ranks)).tolist() if ranks else []


def decoded(codes: pa.Array, words: pa.Array) -> pa.Array:
    """Return a column of strings, given the code of each row."""
    return pa.DictionaryArray.from_arrays(codes, words).dictionary_decode()


def instants(values: np.ndarray) -> pa.Array:
    """View microseconds since 1970 UTC (int64) as a column."""
    return column_of(values).view(TIMESTAMP)


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
    return answer_schema(question).empty_table()


def answer_schema(question: Question) -> pa.Schema:
    """Return the columns of an answer."""
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
