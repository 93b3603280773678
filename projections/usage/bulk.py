"""Bulk usage: a question about all customers, answered from hourly usage.

The answer is that of a re-aggregation, row for row: cells become partials of the same
question, and are combined with those of the events that no cell can say anything about:
in hours that a bound or a window cuts in two, in cells whose last event was cancelled,
and of meters whose formula does not add up by the hour.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from projections.kernels.usage.decimals import decimals_of, limbs_at_most
from projections.kernels.usage.keys import HOURS, customers_of
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.scans.reaggregation.cells import (
    COUNT,
    CUSTOMER,
    IS_WANTED,
    LIMBS,
    POSITION,
    TIMESTAMP,
    VALUE,
    WINDOW,
)
from projections.scans.reaggregation.columns import column, encoded, instants
from projections.scans.reaggregation.events import bounds_of
from projections.scans.reaggregation.jobs import THREADS, ScanProgress, partials_of
from projections.scans.reaggregation.partial import (
    combine,
    partial_of,
    renumbered,
    uncounted,
)
from projections.scans.reaggregation.question import Measure, Question
from projections.scans.reaggregation.spans import Spans
from projections.scans.recorded import RecordedEvents
from projections.usage.slots import Slots, slots_of_cells, slots_of_windows
from projections.usage.view import UsageView
from projections.usage.windowed import (
    AddedCells,
    WantedCells,
    added_lasts,
    added_totals,
)
from projections.windows import HOUR

# Looking for each customer pays where no more than this part of the time is asked for.
_NARROW = 8
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, kw_only=True)
class _EventReading:
    """Events that have to be read.

    Attributes:
        question: about some of the measures.
        measures: their indices in the whole question, ascending.
        is_counted: whether cells count them already.
    """

    question: Question
    measures: Sequence[int]
    is_counted: bool = False


def usage(
    question: Question,
    view: UsageView,
    recorded: Callable[[], RecordedEvents],
    progress: ScanProgress | None,
) -> pa.Table:
    """Answer a question about what was recorded, without dimensions and filters.

    Args:
        question: what is asked; its `up_to` is the position of the view.
        view: of usage.
        recorded: returns the events up to that position; called if some must be read.
        progress: receives how many cells and events were gone through, and how many
            there are, as far as is known.

    Returns:
        See `projections.scans.reaggregation.partial.combine`.
    """
    assert question.up_to == view.position, "the view is of that position"
    assert not question.dimensions, "cells have no dimensions"
    assert not question.filters, "cells have no payloads"
    stages = _Stages(progress)
    partials, readings = _from_cells(question, view, stages)
    if readings:
        events = recorded()
        for reading in readings:
            partials += _read(reading, events, stages.next())
    return combine(question, partials, threads=THREADS)


class _Stages:
    """Progress of work of which later stages are not known yet."""

    def __init__(self, progress: ScanProgress | None) -> None:
        self._progress = progress
        self._reached = 0

    def next(self) -> ScanProgress:
        """Return what receives the progress of the next stage."""
        before = self._reached

        def advance(done: int, total: int) -> None:
            self._reached = before + total
            if self._progress is not None:
                self._progress(before + done, self._reached)

        return advance


def _from_cells(
    question: Question, view: UsageView, stages: _Stages
) -> tuple[list[pa.Table], list[_EventReading]]:
    """Return the partials of cells, and which events have to be read besides."""
    measures = list(enumerate(question.measures))
    by_events = [at for at, each in measures if not _has_cells(each)]
    with_cells = [(at, each) for at, each in measures if _has_cells(each)]
    by_hour = [at for at, each in with_cells if not each.is_preaggregated]
    ends = view.ends()
    slots = slots_of_windows(question.windows, question.start, question.end, ends)
    readings = []
    if by_events:
        readings.append(_reading(question, by_events))
    if by_hour and len(slots.cut):
        readings.append(_reading(question, by_hour, spans=slots.cut))

    def wanted(measure: Measure) -> WantedCells:
        own = slots
        if measure.is_preaggregated:
            own = slots_of_cells(*bounds_of(question, measure), ends)
        return WantedCells(
            meter=measure.event_name,
            is_windowed=measure.is_preaggregated,
            slots=own,
            customers=question.customers,
            is_narrow=(own.end - own.first) * _NARROW * HOUR < ends[1] - ends[0],
        )

    partials = []
    of_totals = [(at, each, wanted(each)) for at, each in with_cells if _adds(each)]
    totals = added_totals(view, [each for _, _, each in of_totals], stages.next())
    for (at, measure, each), added in zip(of_totals, totals, strict=True):
        partials.append(partial_of(at, _cells_of_totals(measure, each.slots, added)))
    of_lasts = [(at, each, wanted(each)) for at, each in with_cells if not _adds(each)]
    lasts = added_lasts(view, [each for _, _, each in of_lasts], stages.next())
    for (at, measure, each), added_ in zip(of_lasts, lasts, strict=True):
        cells = _cells_of_lasts(question, measure, each.slots, added_)
        partials.append(partial_of(at, cells))
        if added_.hidden:
            readings.append(_reading_of_hidden(question, at, added_))
    return partials, readings


def _has_cells(measure: Measure) -> bool:
    """Whether hourly usage has what a measure needs."""
    if measure.payload_key is not None:
        return False
    is_extreme = measure.formula in {Formula.MIN, Formula.MAX}
    return measure.is_preaggregated or not is_extreme


def _adds(measure: Measure) -> bool:
    """Whether it is of totals, and not of lasts."""
    return not measure.is_preaggregated and measure.formula is not Formula.LAST


def _reading(
    question: Question, measures: Sequence[int], spans: Spans | None = None
) -> _EventReading:
    some = tuple(question.measures[at] for at in measures)
    return _EventReading(
        question=replace(question, measures=some, spans=spans), measures=measures
    )


def _reading_of_hidden(
    question: Question, at: int, added: AddedCells[Lasts]
) -> _EventReading:
    """Return what to read where the last event of a cell was cancelled.

    It is read for all those customers in all those hours. What is read of a cell that
    hides nothing is in it, and being the last is no matter of how often.
    """
    measure = question.measures[at]
    length = measure.preaggregation_length if measure.is_preaggregated else HOUR
    customers: set[str] = set()
    for words, keys in added.hidden:
        codes = np.unique(customers_of(keys))
        customers.update(words.take(column(codes)).to_pylist())
    hours = np.unique(np.concatenate([keys & HOURS for _, keys in added.hidden]))
    starts = hours.view(np.int64) * HOUR
    return _EventReading(
        question=replace(
            question,
            measures=(measure,),
            spans=Spans.of(starts, starts + length),
            customers=frozenset(customers),
        ),
        measures=(at,),
        # Of candidates of pre-aggregated meters none is counted.
        is_counted=True,
    )


def _read(
    reading: _EventReading, events: RecordedEvents, progress: ScanProgress
) -> Iterator[pa.Table]:
    for found in partials_of(reading.question, events, None, progress):
        partial = renumbered(found, reading.measures)
        yield uncounted(partial) if reading.is_counted else partial


def _cells_of_totals(
    measure: Measure, slots: Slots, added: AddedCells[Totals]
) -> pa.Table:
    """Return totals as the cells of a partial."""
    cells = added.cells
    columns = _keys(slots, added) | {COUNT: column(cells.count)}
    if measure.formula is not Formula.COUNT:
        limbs = limbs_at_most(cells.limbs, len(LIMBS))
        columns |= zip(LIMBS, map(column, limbs), strict=False)
    return pa.table(columns)


def _cells_of_lasts(
    question: Question, measure: Measure, slots: Slots, added: AddedCells[Lasts]
) -> pa.Table:
    """Return lasts as the cells of a partial, or as candidates."""
    cells = added.cells
    # What has no last event is before all that have one.
    timestamps = np.where(cells.position > 0, cells.timestamp, _NEVER)
    columns = _keys(slots, added) | {
        COUNT: column(cells.count),
        TIMESTAMP: instants(timestamps),
        POSITION: column(cells.position),
    }
    if measure.is_preaggregated:
        is_wanted = (timestamps >= question.start) & (timestamps < question.end)
        columns[IS_WANTED] = column(is_wanted.astype(np.int64))
    if measure.formula is not Formula.COUNT:
        columns[VALUE] = decimals_of(cells.words)
    return pa.table(columns)


def _keys(
    slots: Slots, added: AddedCells[Totals] | AddedCells[Lasts]
) -> dict[str, pa.Array]:
    key = added.cells.key
    codes = customers_of(key).astype(np.int32)
    return {
        CUSTOMER: encoded(codes, added.customers.cast(pa.string())),
        WINDOW: column(slots.starts[(key & HOURS).view(np.int64)]),
    }
