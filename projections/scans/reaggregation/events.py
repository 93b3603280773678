"""Events as cells: which of them count, and for what.

A table of events has the columns of `cells` that its measure needs, but for `window`.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ledger.facts.meters import Formula
from projections.scans.reaggregation.cells import (
    CUSTOMER,
    IS_WANTED,
    POSITION,
    TEXT,
    TIMESTAMP,
    VALUE,
    WINDOW,
    dimension_columns,
    gather,
    reduce,
    schema_of,
    schema_of_candidates,
)
from projections.scans.reaggregation.columns import (
    Arrays,
    arrays_of,
    codes,
    column,
    numbers,
    starts_of_groups,
)
from projections.scans.reaggregation.payloads import (
    are_allowed,
    quantities_of,
    words_under,
)
from projections.scans.reaggregation.question import Measure, Question
from projections.windows import ceil_to, floor_to


def cells_of_batch(
    question: Question, batch: Arrays, cancelled: np.ndarray
) -> Iterator[tuple[int, pa.Table]]:
    """Yield the cells of a batch of events.

    Args:
        question: what is asked.
        batch: events in the order of a segment, with the columns that `columns_for`
            names; without `position` where no event is cancelled or too late and no
            measure needs it.
        cancelled: positions (int64, ascending) of events that do not count.

    Yields:
        The index of a measure and cells of some of its events, or candidates where the
        measure is pre-aggregated.
    """
    index = {each.event_name: at for at, each in enumerate(question.measures)}
    words = batch["event_name"].dictionary.to_pylist()
    name_codes = codes(batch["event_name"])
    starts = starts_of_groups([name_codes]).tolist()
    for start, end in pairwise([*starts, len(name_codes)]):
        at = index.get(words[name_codes[start]])
        if at is not None:
            part = {name: values[start:end] for name, values in batch.items()}
            yield at, _cells(question, question.measures[at], part, cancelled)


def columns_for(question: Question) -> list[str]:
    """Return the columns of a segment that the question needs."""
    measures = question.measures
    columns = ["event_name", "customer", "timestamp"]
    if any(each.payload_key is None and not _is_count(each) for each in measures):
        columns.append("value")
    if any(_needs_position(each) for each in measures):
        columns.append("position")
    has_key = any(each.payload_key is not None for each in measures)
    if has_key or question.dimensions or question.filters:
        columns.append("payload")
    return columns


def bounds_of(question: Question, measure: Measure) -> tuple[int, int]:
    """Return the half-open span of timestamps that decide a measure's answer."""
    if not measure.is_preaggregated:
        return question.start, question.end
    length = measure.preaggregation_length
    return floor_to(question.start, length), ceil_to(question.end, length)


def cells_of_candidates(
    question: Question, measure: Measure, candidates: pa.Table
) -> pa.Table:
    """Return the cells of the events that count of a pre-aggregated measure.

    Args:
        question: what is asked.
        measure: pre-aggregated.
        candidates: one for each key.

    Returns:
        Cells, one for each key, sorted by key.

    Raises:
        ValueUnreadableError: a string is no quantity.
    """
    events = arrays_of(candidates)
    events = _kept(events, numbers(events[IS_WANTED]) == 1)
    cells = _cells_of_events(question, measure, events, is_grouped=False)
    return reduce(cells, schema_of(measure, len(question.dimensions)))


def _cells(
    question: Question, measure: Measure, part: Arrays, cancelled: np.ndarray
) -> pa.Table:
    part = _kept(part, _counts(question, measure, part, cancelled))
    events, passes = _events(question, measure, part)
    if measure.is_preaggregated:
        return _candidates(question, measure, events, passes)
    events = _kept(events, passes)
    is_grouped = not question.dimensions and measure.formula is not Formula.UNIQUE_COUNT
    return _cells_of_events(question, measure, events, is_grouped=is_grouped)


def _counts(
    question: Question, measure: Measure, part: Arrays, cancelled: np.ndarray
) -> np.ndarray | None:
    """Return (bool) which may count by time, customer and position; None is all."""
    start, end = bounds_of(question, measure)
    timestamps = numbers(part["timestamp"])
    counts = None
    if timestamps.min() < start or timestamps.max() >= end:
        counts = (timestamps >= start) & (timestamps < end)
    if question.spans is not None:
        counts = _both(counts, question.spans.hold(timestamps))
    if question.customers is not None:
        counts = _both(counts, are_allowed(part["customer"], question.customers))
    if "position" in part:
        positions = numbers(part["position"])
        is_there = (positions <= question.up_to) & ~_are_among(positions, cancelled)
        counts = _both(counts, is_there)
    return counts


def _both(counts: np.ndarray | None, others: np.ndarray) -> np.ndarray:
    return others if counts is None else counts & others


def _events(
    question: Question, measure: Measure, part: Arrays
) -> tuple[Arrays, np.ndarray | None]:
    """Return the columns that a measure needs, and (bool) which events pass filters."""
    events = {CUSTOMER: part["customer"], TIMESTAMP: part["timestamp"]}
    if _needs_position(measure):
        events[POSITION] = part["position"]
    keys = {*question.dimensions, *question.filters}
    if measure.payload_key is not None:
        keys.add(measure.payload_key)
    words = {key: words_under(part["payload"], key) for key in keys}
    dimensions = dimension_columns(len(question.dimensions))
    for name, key in zip(dimensions, question.dimensions, strict=True):
        events[name] = words[key]
    if measure.payload_key is not None:
        events[TEXT] = words[measure.payload_key]
    elif not _is_count(measure):
        events[VALUE] = part["value"]
    passes = None
    for key, allowed in question.filters.items():
        has_one = are_allowed(words[key], allowed)
        passes = has_one if passes is None else passes & has_one
    return events, passes


def _candidates(
    question: Question, measure: Measure, events: Arrays, passes: np.ndarray | None
) -> pa.Table:
    timestamps = numbers(events[TIMESTAMP])
    length = measure.preaggregation_length
    is_wanted = (timestamps >= question.start) & (timestamps < question.end)
    if passes is not None:
        is_wanted &= passes
    candidates = {
        **events,
        WINDOW: column(timestamps // length * length),
        IS_WANTED: column(is_wanted.astype(np.int64)),
    }
    schema = schema_of_candidates(measure, len(question.dimensions))
    return gather(candidates, schema, is_grouped=True)


def _cells_of_events(
    question: Question, measure: Measure, events: Arrays, *, is_grouped: bool
) -> pa.Table:
    """Return the cells of events that count, without those that have no content."""
    for name in (TEXT, VALUE):
        if name in events and events[name].null_count:
            is_there = events[name].is_valid().cast(pa.uint8())
            events = _kept(events, numbers(is_there) == 1)
    schema = schema_of(measure, len(question.dimensions))
    known = dict(events)
    known[WINDOW] = column(question.windows.starts_of(numbers(known[TIMESTAMP])))
    if measure.needs_number and measure.payload_key is not None:
        known[VALUE] = quantities_of(known[TEXT], known[POSITION], measure.payload_key)
    elif measure.formula is Formula.UNIQUE_COUNT and measure.payload_key is None:
        known[TEXT] = known[VALUE].cast(pa.string()).dictionary_encode()
    wanted = (*schema.keys, *schema.others, *((VALUE,) if schema.adds else ()))
    return gather({name: known[name] for name in wanted}, schema, is_grouped=is_grouped)


def _kept(columns: Arrays, is_kept: np.ndarray | None) -> Arrays:
    if is_kept is None or is_kept.all():
        return columns
    rows = column(np.flatnonzero(is_kept))
    return {name: values.take(rows) for name, values in columns.items()}


def _are_among(positions: np.ndarray, cancelled: np.ndarray) -> np.ndarray:
    at = np.searchsorted(cancelled, positions)
    # No event is at position 0.
    found: np.ndarray = np.append(cancelled, 0)[at] == positions
    return found


def _is_count(measure: Measure) -> bool:
    return measure.formula is Formula.COUNT


def _needs_position(measure: Measure) -> bool:
    reads_numbers = measure.needs_number and measure.payload_key is not None
    is_last = measure.formula is Formula.LAST
    return is_last or measure.is_preaggregated or reads_numbers
