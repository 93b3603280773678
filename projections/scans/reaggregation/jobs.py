"""Jobs: a question cut into parts for any executor, here or elsewhere.

A job scans one segment. It carries the question, the segment store and the segment's
cancellations, and returns a partial: events stay where they are. Its result does not
depend on where, when or how often it runs.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.segments.entry import Segment, overlapping
from ledger.segments.parts import LocalFile
from ledger.segments.reader import SegmentReader
from projections.scans.reaggregation.partial import (
    ScannedEvents,
    answer,
    combine,
    partial,
)
from projections.scans.reaggregation.question import Question, bounds_of, columns_for
from projections.scans.recorded import RecordedEvents

ScanProgress = Callable[[int, int], None]
"""Receives how many events were scanned, and how many there are."""

THREADS = os.cpu_count() or 1
"""How many threads work on one question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentJob:
    """One segment to scan.

    Attributes:
        question: what is asked.
        reader: reads the segment, wherever the job runs.
        segment: the segment.
        cancelled: positions of its events that do not count (int64, ascending).
    """

    question: Question
    reader: SegmentReader
    segment: Segment
    cancelled: np.ndarray


def run(job: SegmentJob) -> pa.Table:
    """Return the partial of a job, made by one thread: executors have many workers."""
    events: ScannedEvents
    file = job.reader.local_file(job.segment)
    if file is not None:
        events = [file]
    else:
        # A request takes long, whatever it asks for: one reads everything.
        columns = dict.fromkeys([*columns_for(job.question), "position"])
        events = job.reader.table(job.segment, list(columns))
    return partial(job.question, events, job.cancelled, threads=1)


def reaggregate(
    question: Question,
    recorded: RecordedEvents,
    executor: Executor | None,
    progress: ScanProgress | None,
) -> pa.Table:
    """Answer a question from all that was recorded.

    Args:
        question: what is asked; its `up_to` is the position of `recorded`.
        recorded: the events.
        executor: runs the jobs; None is this process.
        progress: called now and then, and at the end.

    Returns:
        See `projections.scans.reaggregation.partial.combine`.
    """
    segments = segments_concerned(question, recorded)
    if executor is None and _are_local(segments, recorded):
        events = _events_here(segments, recorded)
        advance = _advance(segments, recorded, progress)
        cancelled = recorded.cancelled
        return answer(question, events, cancelled, threads=THREADS, progress=advance)
    partials = partials_of(question, recorded, executor, progress)
    return combine(question, partials, threads=THREADS)


def partials_of(
    question: Question,
    recorded: RecordedEvents,
    executor: Executor | None,
    progress: ScanProgress | None,
) -> Iterator[pa.Table]:
    """Yield the partials of a question from all that was recorded; see `reaggregate`."""
    segments = segments_concerned(question, recorded)
    advance = _advance(segments, recorded, progress)
    events: ScannedEvents = recorded.tail
    if executor is not None:
        yield from _elsewhere(question, recorded, segments, executor, advance)
    elif _are_local(segments, recorded):
        events = _events_here(segments, recorded)
    else:
        with ThreadPoolExecutor(THREADS, "reaggregation") as pool:
            yield from _elsewhere(question, recorded, segments, pool, advance)
    cancelled = recorded.cancelled
    yield partial(question, events, cancelled, threads=THREADS, progress=advance)


def _are_local(segments: Sequence[Segment], recorded: RecordedEvents) -> bool:
    return all(map(recorded.reader.is_local, segments))


def _events_here(
    segments: Sequence[Segment], recorded: RecordedEvents
) -> Iterator[LocalFile | pa.Table]:
    """Yield the files of segments on this machine, and the tail."""
    for segment in segments:
        file = recorded.reader.local_file(segment)
        assert file is not None, "it is on this machine"
        yield file
    yield recorded.tail


def _advance(
    segments: Sequence[Segment],
    recorded: RecordedEvents,
    progress: ScanProgress | None,
) -> Callable[[int], None]:
    """Return what receives how many more events were scanned."""
    total = sum(segment.rows for segment in segments) + recorded.tail.num_rows
    done = 0

    def advance(events: int) -> None:
        nonlocal done
        done += events
        if progress is not None:
            progress(done, total)

    return advance


def _elsewhere(
    question: Question,
    recorded: RecordedEvents,
    segments: Sequence[Segment],
    executor: Executor,
    advance: Callable[[int], None],
) -> Iterator[pa.Table]:
    jobs = [
        SegmentJob(
            question=question,
            reader=recorded.reader,
            segment=segment,
            cancelled=_within(recorded.cancelled, segment),
        )
        for segment in segments
    ]
    futures = [executor.submit(run, job) for job in jobs]
    # Dropped as they are used, so that not all partials are in memory.
    futures.reverse()
    try:
        for segment in segments:
            yield futures.pop().result()
            advance(segment.rows)
    finally:
        for future in futures:
            future.cancel()


def segments_concerned(
    question: Question, recorded: RecordedEvents
) -> tuple[Segment, ...]:
    """Return the segments that may hold events that count."""
    bounds = [bounds_of(question, measure) for measure in question.measures]
    if not bounds:
        return ()
    start, end = min(low for low, _ in bounds), max(high for _, high in bounds)
    return tuple(
        segment
        for segment in overlapping(recorded.segments, start, end)
        if segment.after < question.up_to
        and (
            question.spans is None
            or question.spans.meet(segment.earliest, segment.latest + 1)
        )
    )


def _within(cancelled: np.ndarray, segment: Segment) -> np.ndarray:
    first, last = np.searchsorted(
        cancelled, [segment.after, segment.up_to], side="right"
    )
    return cancelled[first:last]
