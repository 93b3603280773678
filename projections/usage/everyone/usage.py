"""Bulk usage: a question about all customers, answered from hourly usage.

The answer is that of a re-aggregation, row for row: cells become partials of the same
question, and are combined with those of the events that no cell can say anything about:
in hours that a bound or a window cuts in two, and in cells whose last event was
cancelled. Meters whose formula does not add up by the hour are re-aggregated.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial as bound

import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from ledger.usage.columns import column_of
from projections.kernels.usage.keys import HOURS, customers_of
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from projections.scans.reaggregation.answers import answer_schema, check_sums
from projections.scans.reaggregation.jobs import (
    THREADS,
    ScanProgress,
    partials_of,
    reaggregate,
)
from projections.scans.reaggregation.partial import combine, uncounted
from projections.scans.reaggregation.question import Measure, Question, bounds_of
from projections.scans.reaggregation.spans import Spans
from projections.scans.recorded import RecordedEvents
from projections.usage.everyone.answers import (
    answer_of_lasts,
    answer_of_totals,
    candidates_of_lasts,
    partial_of_lasts,
    partial_of_totals,
)
from projections.usage.everyone.slots import Slots, slots_of_cells, slots_of_windows
from projections.usage.everyone.sources import WantedCells
from projections.usage.everyone.windowed import (
    CELLS_AT_A_TIME,
    AddedCells,
    added_lasts,
    added_totals,
)
from projections.usage.view import UsageView
from projections.windows import HOUR

# Looking for each customer pays where no more than this part of the time is asked for.
_NARROW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _EventReading:
    """Events that have to be read.

    Attributes:
        question: about some of the measures.
        is_counted: whether cells count them already.
    """

    question: Question
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """What cells say.

    Attributes:
        answers: by meter, of those of which they say all.
        partials: of the others.
        readings: what has to be read of these besides.
    """

    answers: dict[str, pa.Table] = field(default_factory=dict)
    partials: list[pa.Table] = field(default_factory=list)
    readings: list[_EventReading] = field(default_factory=list)


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
    found = _from_cells(question, view, stages)
    answers, partials = found.answers, found.partials
    by_events = [each for each in question.measures if not _has_cells(each)]
    if by_events or found.readings:
        events = recorded()
        for reading in found.readings:
            partials += _read(reading, events, stages.next())
        if by_events:
            asked = _about(question, by_events)
            answers |= _by_meter(reaggregate(asked, events, None, stages.next()))
    if partials:
        others = [each for each in question.measures if each.meter_id not in answers]
        combined = combine(_about(question, others), partials, threads=THREADS)
        answers |= _by_meter(combined)
    parts = [answers[meter_id] for meter_id in sorted(answers)]
    answer = _one_answer(question, parts)
    if not question.skips_too_large:
        check_sums(answer)
    return answer


def _about(question: Question, measures: Sequence[Measure]) -> Question:
    """Return the question about some measures, whose sums are checked with the others."""
    return replace(question, measures=tuple(measures), skips_too_large=True)


def _by_meter(answer: pa.Table) -> dict[str, pa.Table]:
    """Return the rows of each meter."""
    counts = answer.group_by("meter", use_threads=False).aggregate([([], "count_all")])
    answers, start = {}, 0
    for meter, rows in zip(*(each.to_pylist() for each in counts.columns), strict=True):
        answers[meter] = answer.slice(start, rows)
        start += rows
    return answers


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


def _from_cells(question: Question, view: UsageView, stages: _Stages) -> _Found:
    """Return what cells say, and which events have to be read besides."""
    found = _Found()
    with_cells = [each for each in question.measures if _has_cells(each)]
    by_hour = [each for each in with_cells if not each.is_preaggregated]
    ends = view.ends()
    slots = slots_of_windows(question.windows, question.start, question.end, ends)
    if by_hour and len(slots.cut):
        some = replace(question, measures=tuple(by_hour), spans=slots.cut)
        found.readings.append(_EventReading(question=some))
    wanted = [(each, _wanted(question, each, slots, ends)) for each in with_cells]
    totals = [(measure, each) for measure, each in wanted if _adds(measure)]
    lasts = [(measure, each) for measure, each in wanted if not _adds(measure)]
    _take_totals(found, question, totals, view, stages.next())
    _take_lasts(found, question, lasts, view, stages.next())
    return found


def _wanted(
    question: Question, measure: Measure, slots: Slots, ends: tuple[int, int]
) -> WantedCells:
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


def _take_totals(
    found: _Found,
    question: Question,
    measures: Sequence[tuple[Measure, WantedCells]],
    view: UsageView,
    advance: ScanProgress,
) -> None:
    def tell(at: int, added: AddedCells[Totals]) -> pa.Table:
        measure, wanted = measures[at]
        is_part = len(wanted.slots.cut) > 0
        told = partial_of_totals if is_part else answer_of_totals
        return told(question, measure, wanted.slots, added)

    wanted_cells = [each for _, each in measures]
    every = added_totals(view, wanted_cells, tell, advance, at_a_time=CELLS_AT_A_TIME)
    for (measure, wanted), tables in zip(measures, every, strict=True):
        if len(wanted.slots.cut):
            found.partials.extend(tables)
        else:
            found.answers[measure.meter_id] = _one_answer(question, tables)


def _take_lasts(
    found: _Found,
    question: Question,
    measures: Sequence[tuple[Measure, WantedCells]],
    view: UsageView,
    advance: ScanProgress,
) -> None:
    def keep(_: int, added: AddedCells[Lasts]) -> AddedCells[Lasts]:
        return added

    wanted_cells = [each for _, each in measures]
    every = added_lasts(view, wanted_cells, keep, advance, at_a_time=CELLS_AT_A_TIME)
    for (measure, wanted), added in zip(measures, every, strict=True):
        hiding = [each for each in added if len(each.hidden)]
        if hiding:
            found.readings.append(_reading_of_hidden(question, measure, hiding))
        tell = bound(answer_of_lasts, question, measure, wanted.slots)
        if measure.is_preaggregated:
            tell = bound(candidates_of_lasts, question, measure)
        elif len(wanted.slots.cut) or hiding:
            tell = bound(partial_of_lasts, question, measure, wanted.slots)
        tables = list(map(tell, added))
        if tell.func is answer_of_lasts:
            found.answers[measure.meter_id] = _one_answer(question, tables)
        else:
            found.partials.extend(tables)


def _one_answer(question: Question, tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables([answer_schema(question).empty_table(), *tables])


def _has_cells(measure: Measure) -> bool:
    """Whether hourly usage has what a measure needs."""
    if measure.payload_key is not None:
        return False
    is_extreme = measure.formula in {Formula.MIN, Formula.MAX}
    return measure.is_preaggregated or not is_extreme


def _adds(measure: Measure) -> bool:
    """Whether it is of totals, and not of lasts."""
    return not measure.is_preaggregated and measure.formula is not Formula.LAST


def _reading_of_hidden(
    question: Question, measure: Measure, hiding: Sequence[AddedCells[Lasts]]
) -> _EventReading:
    """Return what to read where the last event of a cell was cancelled.

    It is read for all those customers in all those hours. What is read of a cell that
    hides nothing is in it, and being the last is no matter of how often.
    """
    length = measure.preaggregation_length if measure.is_preaggregated else HOUR
    customers: set[str] = set()
    for each in hiding:
        codes = np.unique(customers_of(each.hidden))
        customers.update(each.customers.take(column_of(codes)).to_pylist())
    hours = np.unique(np.concatenate([each.hidden & HOURS for each in hiding]))
    starts = hours.view(np.int64) * HOUR
    return _EventReading(
        question=replace(
            question,
            measures=(measure,),
            spans=Spans.of(starts, starts + length),
            customers=frozenset(customers),
        ),
        # Of candidates of pre-aggregated meters none is counted.
        is_counted=True,
    )


def _read(
    reading: _EventReading, events: RecordedEvents, progress: ScanProgress
) -> Iterator[pa.Table]:
    for partial in partials_of(reading.question, events, None, progress):
        yield uncounted(partial) if reading.is_counted else partial
