"""Partials: answers to a question for some of the events, and their combination.

A partial is a table of cells with the index of their measure in the column `measure`.
Columns that a measure's cells do not have are null. It can be sent anywhere.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ledger.segments.parts import LocalFile
from projections.scans.reaggregation.answers import answer, check_sums, no_answer
from projections.scans.reaggregation.batches import Portion, pieces_of
from projections.scans.reaggregation.cells import (
    COUNT,
    LIMBS,
    CellSchema,
    reduce,
    schema_of,
    schema_of_candidates,
)
from projections.scans.reaggregation.columns import (
    column,
    numbers,
    only_chunk,
    starts_of_groups,
)
from projections.scans.reaggregation.events import cells_of_batch, cells_of_candidates
from projections.scans.reaggregation.question import Measure, Question
from projections.scans.reaggregation.threads import in_threads

MeasuredCells = tuple[int, pa.Table]
"""The index of a measure, and cells of it."""

_MEASURE = "measure"
_ROWS_WORTH_REDUCING = 1 << 18


def partial(
    question: Question,
    events: Iterable[LocalFile] | pa.Table,
    cancelled: np.ndarray,
    *,
    threads: int,
    progress: Callable[[int], None] | None = None,
) -> pa.Table:
    """Answer a question for some of the events.

    Args:
        question: what is asked.
        events: local segments, read one by one; or a table with the columns of a
            segment, in any order. No event is in two partials.
        cancelled: positions (int64) of events that do not count, and any others.
        threads: how many to use.
        progress: receives how many more events were scanned, on this thread.

    Returns:
        What `combine` takes.

    Raises:
        ValueUnreadableError: an event that counts has no quantity under the payload
            key that holds the value.
        SegmentDamagedError: a segment is not what was sealed.
    """
    cancelled = np.sort(cancelled)

    def cells_of(piece: Portion) -> tuple[int, list[MeasuredCells]]:
        return piece.rows, [
            cells
            for batch in piece.batches()
            for cells in cells_of_batch(question, batch, cancelled)
        ]

    gatherings = _gatherings(question)
    pieces = pieces_of(question, events, cancelled)
    for rows, found in in_threads(cells_of, pieces, threads):
        for at, cells in found:
            gatherings[at].add(cells)
        if progress is not None:
            progress(rows)
    tables = [pa.table({_MEASURE: column(np.zeros(0, np.int64))})]
    for at, reduced in enumerate(in_threads(_Gathering.all, gatherings, threads)):
        if reduced is not None:
            tables.append(partial_of(at, reduced))
    return pa.concat_tables(tables, promote_options="default")


def partial_of(at: int, cells: pa.Table) -> pa.Table:
    """Return cells of one measure as a partial.

    Args:
        at: the index of the measure.
        cells: one for each key, sorted by key.
    """
    return cells.append_column(_MEASURE, column(np.full(cells.num_rows, at)))


def renumbered(partial: pa.Table, measures: Sequence[int]) -> pa.Table:
    """Return a partial with other indices of measures.

    Args:
        partial: of some measures of a question.
        measures: the index in the question of each of them, ascending.
    """
    at = partial.schema.get_field_index(_MEASURE)
    known = numbers(only_chunk(partial.column(at)))
    given = np.array(measures, np.int64)
    return partial.set_column(at, _MEASURE, column(given[known]))


def uncounted(partial: pa.Table) -> pa.Table:
    """Return a partial of events that are counted by another."""
    at = partial.schema.get_field_index(COUNT)
    nothing = column(np.zeros(partial.num_rows, np.int64))
    return partial if at < 0 else partial.set_column(at, COUNT, nothing)


def combine(
    question: Question, partials: Iterable[pa.Table], *, threads: int = 1
) -> pa.Table:
    """Combine the partials of all events into the answer.

    Args:
        question: what is asked.
        partials: of the question, in any order.
        threads: how many to use.

    Returns:
        Columns `meter`, `customer`, one for each dimension under its payload key,
        `window_start`, `window_end`, `value` and `event_count`; sorted by meter,
        customer, dimensions (null first) and window. Each window in which an event
        counts has a row, cut to the bounds of the question. Equal events give equal
        tables, however they were cut into partials. A value is null where the question
        skips sums that do not fit a decimal(38, 12).

    Raises:
        SummaryTooLargeError: one does not, and the question does not skip it.
        ValueUnreadableError: see `partial`.
    """
    gatherings = _gatherings(question)
    for each in partials:
        for at, cells in _measured(question, each):
            gatherings[at].add_reduced(cells)

    def answer_of(at: int) -> list[pa.Table]:
        measure, cells = question.measures[at], gatherings[at].all()
        if cells is None:
            return []
        if measure.is_preaggregated:
            cells = cells_of_candidates(question, measure, cells)
        return list(answer(question, measure, cells))

    by_meter_id = sorted(
        range(len(question.measures)), key=lambda at: question.measures[at].meter_id
    )
    pieces = [
        piece
        for answers in in_threads(answer_of, by_meter_id, threads)
        for piece in answers
    ]
    found = pa.concat_tables(pieces) if pieces else no_answer(question)
    if not question.skips_too_large:
        check_sums(found)
    return found


class _Gathering:
    """The cells of one measure that come bit by bit, in memory of their final size.

    They are reduced whenever as many have come again.
    """

    def __init__(self, schema: CellSchema) -> None:
        self._schema = schema
        self._parts: list[pa.Table] = []
        self._waiting_rows = 0
        self._reduced_rows = 0

    def add(self, cells: pa.Table) -> None:
        self._parts.append(cells)
        self._waiting_rows += cells.num_rows
        if self._waiting_rows >= max(_ROWS_WORTH_REDUCING, self._reduced_rows):
            self._reduce()

    def add_reduced(self, cells: pa.Table) -> None:
        """Add cells that are one for each key, sorted by key."""
        if self._parts:
            self.add(cells)
        else:
            self._parts, self._reduced_rows = [cells], cells.num_rows

    def all(self) -> pa.Table | None:
        """Return all cells, one for each key, sorted by key; None without any."""
        if self._waiting_rows:
            self._reduce()
        return self._parts[0] if self._reduced_rows else None

    def _reduce(self) -> None:
        self._parts = [reduce(self._take_all(), self._schema)]
        self._waiting_rows, self._reduced_rows = 0, self._parts[0].num_rows

    def _take_all(self) -> pa.Table:
        """Let go of all cells, so that they are in memory no longer than needed."""
        parts, self._parts = self._parts, []
        # Limbs that only some parts have are null in the others.
        return pa.concat_tables(parts, promote_options="default")


def _gatherings(question: Question) -> list[_Gathering]:
    return [_Gathering(_schema(question, measure)) for measure in question.measures]


def _schema(question: Question, measure: Measure) -> CellSchema:
    """Return the schema of a measure's cells in partials."""
    find = schema_of_candidates if measure.is_preaggregated else schema_of
    return find(measure, len(question.dimensions))


def _measured(question: Question, table: pa.Table) -> Iterator[MeasuredCells]:
    """Yield the cells of each measure of a partial."""
    measures = numbers(only_chunk(table.column(_MEASURE)))
    starts = starts_of_groups([measures]).tolist()
    for start, end in pairwise([*starts, len(measures)]):
        at = int(measures[start])
        schema = _schema(question, question.measures[at])
        part = table.slice(start, end - start)
        # Limbs that only other measures have are null; as 0 they would change numbers.
        limbs = [
            name
            for name in LIMBS
            if name in part.column_names and not part.column(name).null_count
        ]
        yield at, part.select([*schema.keys, *schema.others, COUNT, *limbs])
