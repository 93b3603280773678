"""Jobs: a question cut into parts for any executor, here or elsewhere.

A job scans some segments. It carries the question, the segment store and the segments'
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


# A fifth of a second of one worker: to hand out a job and fetch its partial takes some
# milliseconds of the process that asks.
_EVENTS_OF_A_JOB = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentJob:
    """Segments to scan, neighbours in the log.

    Attributes:
        question: what is asked.
        reader: reads the segments, wherever the job runs.
        segments: at least one.
        cancelled: positions of their events that do not count (int64, ascending).
    """

    question: Question
    reader: SegmentReader
    segments: Sequence[Segment]
    cancelled: np.ndarray

    @property
    def rows(self) -> int:
        """How many events the segments have."""
        return sum(segment.rows for segment in self.segments)


def run(job: SegmentJob) -> pa.Table:
    """Return the partial of a job, made by one thread: executors have many workers."""
    # A request takes long, whatever it asks for: one reads everything.
    columns = list(dict.fromkeys([*columns_for(job.question), "position"]))
    events = (
        job.reader.local_file(segment) or job.reader.table(segment, columns)
        for segment in job.segments
    )
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
    # Where segments are fetched, each is in memory as a whole.
    most = _EVENTS_OF_A_JOB if _are_local(segments, recorded) else 0
    jobs = [
        SegmentJob(
            question=question,
            reader=recorded.reader,
            segments=together,
            cancelled=_within(recorded.cancelled, together),
        )
        for together in _shared_out(segments, most)
    ]
    futures = [executor.submit(run, job) for job in jobs]
    # Dropped as they are used, so that not all partials are in memory.
    futures.reverse()
    try:
        for job in jobs:
            yield futures.pop().result()
            advance(job.rows)
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


def _shared_out(segments: Sequence[Segment], most: int) -> Iterator[Sequence[Segment]]:
    """Yield neighbours, equally many or one more, of about so many events at most."""
    rows = sum(segment.rows for segment in segments)
    count = min(len(segments), -(-rows // max(most, 1)))
    each, more = divmod(len(segments), max(count, 1))
    start = 0
    for at in range(count):
        end = start + each + (at < more)
        yield segments[start:end]
        start = end


def _within(cancelled: np.ndarray, segments: Sequence[Segment]) -> np.ndarray:
    bounds = [segments[0].after, segments[-1].up_to]
    first, last = np.searchsorted(cancelled, bounds, side="right")
    return cancelled[first:last]
