"""Partials: the answer to a question for some of the events, and their combination.

A partial is a table of cells with the column `measure`, which says by index whose they
are; columns that a measure's cells do not have are null. It can be sent anywhere.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ledger.segments.parts import LocalFile
from projections.scans.reaggregation.answers import answer, no_answer
from projections.scans.reaggregation.batches import Portion, pieces_of
from projections.scans.reaggregation.cells import (
    COUNT,
    LIMBS,
    CellSchema,
    shape_of,
    shape_of_candidates,
)
from projections.scans.reaggregation.columns import (
    column,
    numbers,
    only_chunk,
    starts_of_groups,
)
from projections.scans.reaggregation.events import cells_of_batch, cells_of_candidates
from projections.scans.reaggregation.gathering import Gathering
from projections.scans.reaggregation.question import Measure, Question
from projections.scans.reaggregation.threads import in_threads

MeasuredCells = tuple[int, pa.Table]
"""Index of a measure, and cells of it."""

_MEASURE = "measure"


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
        events: local segments, asked for one by one as they are needed; or a table with
            the columns of one, in any order. No event is in two partials.
        cancelled: positions (int64) of events that do not count; others than those of
            these events do no harm.
        threads: how many work on it.
        progress: is told of how many more events were gone over, on this thread.

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
    for at, reduced in enumerate(in_threads(Gathering.all, gatherings, threads)):
        if reduced is not None:
            measure = column(np.full(reduced.num_rows, at))
            tables.append(reduced.append_column(_MEASURE, measure))
    return pa.concat_tables(tables, promote_options="default")


def combine(
    question: Question, partials: Iterable[pa.Table], *, threads: int = 1
) -> pa.Table:
    """Combine the partials of all events into the answer.

    Args:
        question: what is asked.
        partials: of it, in any order.
        threads: how many work on it.

    Returns:
        Columns `meter`, `customer`, one for each dimension, named by its payload key,
        `window_start`, `window_end`, `value` and `event_count`; sorted by meter,
        customer, dimensions (null first) and window. There is a row for each window in
        which an event counts, cut to the bounds of the question. Equal events give
        equal tables, however they were cut into partials.

    Raises:
        SummaryTooLargeError: a sum does not fit a decimal(38, 12).
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
    return pa.concat_tables(pieces) if pieces else no_answer(question)


def _gatherings(question: Question) -> list[Gathering]:
    return [Gathering(_shape(question, measure)) for measure in question.measures]


def _shape(question: Question, measure: Measure) -> CellSchema:
    """Find the shape of the cells in which a measure's events travel."""
    find = shape_of_candidates if measure.is_preaggregated else shape_of
    return find(measure, len(question.dimensions))


def _measured(question: Question, table: pa.Table) -> Iterator[MeasuredCells]:
    """Split a partial by measure."""
    measures = numbers(only_chunk(table.column(_MEASURE)))
    starts = starts_of_groups([measures]).tolist()
    for start, end in pairwise([*starts, len(measures)]):
        at = int(measures[start])
        shape = _shape(question, question.measures[at])
        part = table.slice(start, end - start)
        # Limbs that only others have are null, and were they 0, numbers would change.
        limbs = [
            name
            for name in LIMBS
            if name in part.column_names and not part.column(name).null_count
        ]
        yield at, part.select([*shape.keys, *shape.others, COUNT, *limbs])
