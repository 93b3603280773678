"""Partials: answers to a question for some of the events, and their combination.

A partial is a table with the columns of `partial_schema` that it needs, and can be sent
anywhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial as bound
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from ledger.errors import SegmentStoreUnavailableError
from ledger.segments.parts import LocalFile
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import WORD, column_of, numbers_of
from projections.kernels.usage.dictionaries import sorted_words
from projections.scans.reaggregation.answers import (
    answer_of,
    check_sums,
    decoded,
    no_answer,
)
from projections.scans.reaggregation.columns import combined_schema, partial_schema
from projections.scans.reaggregation.database import (
    NoNumberError,
    SumOverflowError,
    UnreadableFileError,
    run,
)
from projections.scans.reaggregation.errors import ValueUnreadableError
from projections.scans.reaggregation.queries import (
    PARTIALS,
    answer_query,
    combining_query,
    partial_query,
    unreadable_query,
)
from projections.scans.reaggregation.question import Question
from projections.scans.reaggregation.sources import EventSource, source_of

ScannedEvents: TypeAlias = "Iterable[LocalFile | pa.Table] | pa.Table"
"""Local segments, and tables with the columns of a segment, in any order; or one."""

_SPANS_MOST = 64

_QueryWriter = Callable[..., str]
"""Writes a query, by whether its sums are made of parts that always fit."""

MoreEvents = Callable[[int], None]
"""Receives how many more events were scanned."""


def partial(
    question: Question,
    events: ScannedEvents,
    cancelled: np.ndarray,
    *,
    threads: int,
    progress: MoreEvents | None = None,
) -> pa.Table:
    """Answer a question for some of the events.

    Args:
        question: what is asked.
        events: no event is in two partials.
        cancelled: positions (int64) of events that do not count, and any others.
        threads: how many to use.
        progress: receives how many more events were scanned, on this thread.

    Returns:
        What `combine` takes.

    Raises:
        ValueUnreadableError: a string is no quantity; of the first event of which it is
            known here that it counts.
        SegmentDamagedError: a file is not what was sealed.
        SegmentStoreUnavailableError: a file cannot be read now.
    """
    source = source_of(question, _several(events), cancelled, threads)
    query = bound(partial_query, question, source)
    found = _scanned(question, source, query, threads, progress)
    if found is None:
        return partial_schema(question).empty_table()
    words = [found.column(name).cast(WORD) for name in ("rank", "customer")]
    names = ["event_name", "customer", *found.column_names[2:]]
    return pa.table([*words, *found.columns[2:]], names)


def answer(
    question: Question,
    events: ScannedEvents,
    cancelled: np.ndarray,
    *,
    threads: int,
    progress: MoreEvents | None = None,
) -> pa.Table:
    """Answer a question for all events at once: `combine` of the one `partial`."""
    source = source_of(question, _several(events), cancelled, threads)
    query = bound(answer_query, question, source)
    found = _scanned(question, source, query, threads, progress)
    return _checked(question, found)


def uncounted(partial: pa.Table) -> pa.Table:
    """Return a partial of events that are counted by another."""
    at = partial.schema.get_field_index("event_count")
    nothing = column_of(np.zeros(partial.num_rows, np.int64))
    return partial if at < 0 else partial.set_column(at, "event_count", nothing)


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
        `window_start`, `window_end`, `value`, `event_count` and `event_name`; sorted by
        meter, customer, dimensions (null first) and window. Each window in which an event
        counts has a row, cut to the bounds of the question. Equal events give equal
        tables, however they were cut into partials. A value is null where the question
        skips sums that do not fit a decimal(38, 12).

    Raises:
        SummaryTooLargeError: one does not, and the question does not skip it.
        ValueUnreadableError: see `partial`.
    """
    found = [each for each in partials if each.num_rows]
    if not found:
        return no_answer(question)
    is_split = any("whole" in each.column_names for each in found)
    try:
        rows = _combined(question, found, threads, is_split=is_split)
    except NoNumberError:
        tables = {PARTIALS: _stacked(found, partial_schema(question))}
        query = unreadable_query(question, None)
        raise _unreadable(run(query, tables, threads=threads)) from None
    return _checked(question, rows)


def _checked(question: Question, rows: pa.Table | None) -> pa.Table:
    """Return rows as the answer, whose sums fit or may be null."""
    found = no_answer(question) if rows is None else answer_of(question, rows)
    if not question.skips_too_large:
        check_sums(found)
    return found


def _combined(
    question: Question, found: Sequence[pa.Table], threads: int, *, is_split: bool
) -> pa.Table:
    """Combine partials, with sums of parts where they do not fit as they are."""
    partials = _stacked(found, combined_schema(question, is_split=is_split))
    at = partials.schema.get_field_index("customer")
    words, ranks = _ranked(partials.column(at))
    # Numbers are grouped and sorted in two thirds of the time that strings take.
    tables = {PARTIALS: partials.set_column(at, "customer", ranks)}
    query = combining_query(question, _shared(found), is_split=is_split)
    try:
        rows = run(query, tables, threads=threads)
    except SumOverflowError:
        if is_split:
            raise
        return _combined(question, found, threads, is_split=True)
    at = rows.schema.get_field_index("customer")
    customers = [decoded(codes, words) for codes in rows.column(at).chunks]
    return rows.set_column(at, "customer", pa.chunked_array(customers, pa.string()))


def _shared(found: Iterable[pa.Table]) -> list[tuple[int, int]]:
    """Return the first and the last of windows that several partials may have."""
    spans = []
    for each in found:
        if "window_number" in each.column_names:
            ends = pc.min_max(each.column("window_number")).as_py()
            spans += [(ends["min"], ends["max"])] if ends["min"] is not None else []
    spans.sort()
    shared: list[tuple[int, int]] = []
    reached = -1
    for first, last in spans:
        if first <= reached:
            shared.append((first, min(last, reached)))
        reached = max(reached, last)
    # All at once, where to tell them apart takes longer than to group them.
    return shared if len(shared) <= _SPANS_MOST else [(spans[0][0], reached)]


def _ranked(words: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Return the words of a column, sorted, and the number of each row's."""
    coded = words.unify_dictionaries().combine_chunks()
    codes = numbers_of(coded.indices)
    known, ranks = sorted_words(coded.dictionary, codes)
    return known.cast(pa.string()), column_of(ranks[codes].astype(np.int32))


def _stacked(found: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """Return partials with the columns of a schema, null where one lacks them."""
    tables = [
        pa.table(
            [
                each.column(field.name)
                if field.name in each.column_names
                else pa.nulls(each.num_rows, field.type)
                for field in schema
            ],
            schema=schema,
        )
        for each in found
    ]
    return pa.concat_tables(tables)


def _several(events: ScannedEvents) -> Iterable[LocalFile | pa.Table]:
    return [events] if isinstance(events, pa.Table) else events


def _scanned(
    question: Question,
    source: EventSource,
    write: _QueryWriter,
    threads: int,
    progress: MoreEvents | None,
) -> pa.Table | None:
    """Answer a query about events; None where there can be none."""
    told = 0

    def advance(share: float) -> None:
        nonlocal told
        more = int(share * source.rows) - told
        if progress is not None and more > 0:
            told += more
            progress(more)

    found = None
    if source.query and question.measures:
        found = _read(question, source, write, threads, advance)
    advance(1)
    return found


def _read(
    question: Question,
    source: EventSource,
    write: _QueryWriter,
    threads: int,
    advance: Callable[[float], None],
) -> pa.Table:
    """Answer a query about events in files, and once more after an error of a file.

    Raises:
        SegmentDamagedError: one is not what was sealed.
        SegmentStoreUnavailableError: one cannot be read now.
    """
    for is_last_try in (False, True):
        source.check(question, threads)
        try:
            return _asked(write, source.tables, threads, advance)
        except NoNumberError:
            query = unreadable_query(question, source)
            found = run(query, source.tables, threads=threads)
            raise _unreadable(found) from None
        except UnreadableFileError as error:
            # What is damaged is found by the check.
            if is_last_try:
                place = str(Path(source.files[0].path).parent)
                reason = f"{error}; try again"
                raise SegmentStoreUnavailableError(place, reason) from error
    raise AssertionError("one try is the last")


def _asked(
    write: _QueryWriter,
    tables: Mapping[str, pa.Table],
    threads: int,
    advance: Callable[[float], None],
) -> pa.Table:
    """Answer a query, with sums of parts where they do not fit as they are."""
    try:
        query = write(is_split=False)
        return run(query, tables, threads=threads, progress=advance)
    except SumOverflowError:
        query = write(is_split=True)
    return run(query, tables, threads=threads, progress=advance)


def _unreadable(found: pa.Table) -> ValueUnreadableError:
    ((position, text, key),) = zip(
        *(column.to_pylist() for column in found.columns), strict=True
    )
    return ValueUnreadableError(position, key, text)
