"""Making: runs of reports that are pending get their files, and old files go.

A run's file is written part by part, and recorded in one commit once it is durable. Who
dies before leaves the run pending, and the next makes the same file. Several may make one
at a time: the first to record it has made it, and the others remove their parts.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import cast

import pyarrow as pa

from ledger.background import may_pass
from ledger.errors import MeteringError, StoreClosedError, StoreForkedError
from ledger.facts.reports import (
    ReportEnd,
    ReportFileRemoved,
    ReportRunFailed,
    ReportRunSucceeded,
)
from ledger.segments.store import SegmentStore
from metering.arguments.clock import MICROSECOND
from metering.arguments.zones import zone_of
from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.reporting.files import ReportSink, part_names, prefix_of
from metering.reporting.real_time import real_time
from metering.reporting.requests import ReportTypeName
from metering.reporting.types import DEFINITIONS
from metering.reporting.writing import write_report
from metering.store.engine import Engine
from projections.kernels.reports import ReportRecord
from projections.reports.queries import ReportQueries

_AT_A_TIME = 100


class _AbandonedError(Exception):
    """Nobody wants the file any more."""


def make_pending(
    engine: Engine,
    advance: ReportProgress = lambda done, of: None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> int:
    """Make the files of all pending runs, and return how many were made.

    Args:
        engine: of the store.
        advance: is called with how much of a run is done, and how much there is.
        is_wanted: is asked again and again whether to go on.

    Raises:
        StoreError: a file cannot be made now; its run stays pending.
    """
    made = 0
    while is_wanted():
        with engine.log.read() as connection:
            found = ReportQueries(connection).pending(1)
        if not found:
            break
        made += _make(engine, found[0], advance, is_wanted)
    return made


def remove_expired(engine: Engine) -> int:
    """Remove the files that have expired, and return how many."""
    store, lineage, removed = engine.log.sealed.reader.store, engine.log.lineage, 0
    while True:
        with engine.log.read() as connection:
            seen = ReportQueries(connection)
            found = seen.expired(real_time(engine, seen), _AT_A_TIME)
        for run in found:
            # The parts go first: a kill leaves the fact to be recorded, and no part.
            _remove(store, prefix_of(lineage.epoch_at(run.position), run), ())
            with engine.writing() as writing:
                known = ReportQueries(writing.connection).run(run.run_id)
                if known is not None and known.removed_at is None:
                    writing.record([ReportFileRemoved(run_id=run.run_id)])
                    removed += 1
        if len(found) < _AT_A_TIME:
            return removed


def _make(
    engine: Engine,
    run: ReportRecord,
    advance: ReportProgress,
    is_wanted: Callable[[], bool],
) -> int:
    """Make the file of a run, and return 1; 0 where another was faster, or none is wanted."""
    store = engine.log.sealed.reader.store
    epoch = engine.log.lineage.epoch_at(run.position)
    attempt = engine.ids.epoch()
    prefix = f"{prefix_of(epoch, run)}{attempt}-"

    def check() -> None:
        if not is_wanted() or _now(engine, run).ended_at is not None:
            raise _AbandonedError

    def advanced(done: int, of: int) -> None:
        if not is_wanted():
            raise _AbandonedError
        advance(done, of)

    is_ours = False
    try:
        sink = ReportSink(store, prefix, check)
        is_ours = _recorded(engine, run, _end(engine, run, sink, advanced, attempt))
    except _AbandonedError:
        _remove(store, prefix, ())
    except MeteringError:
        # A full disk must not be filled by attempts.
        with suppress(MeteringError):
            _remove(store, prefix, ())
        raise
    known = _now(engine, run)
    if known.ended_at is not None:
        _remove(store, prefix_of(epoch, run), part_names(epoch, known))
    return int(is_ours)


def _end(
    engine: Engine,
    run: ReportRecord,
    sink: ReportSink,
    advance: ReportProgress,
    attempt: str,
) -> ReportEnd:
    """Write a run's file, and return what became of it.

    Raises:
        MeteringError: it passes by itself, or the store is closed.
    """
    try:
        row_count = _written(engine, run, sink, advance)
        parts = sink.parts()
    except MeteringError as error:
        if may_pass(error) or isinstance(error, StoreClosedError | StoreForkedError):
            raise
        return ReportRunFailed(run_id=run.run_id, error=error.message)
    return ReportRunSucceeded(
        run_id=run.run_id,
        file_id=engine.new_id("file"),
        attempt=attempt,
        parts=parts,
        row_count=row_count,
        expires_at=_expiry(engine),
    )


def _expiry(engine: Engine) -> int:
    with engine.log.read() as connection:
        now = real_time(engine, ReportQueries(connection))
    return now + engine.settings.report_retention // MICROSECOND


def _written(
    engine: Engine, run: ReportRecord, sink: ReportSink, advance: ReportProgress
) -> int:
    definition = DEFINITIONS[cast(ReportTypeName, run.report_type)]
    first, last = definition.available(run.created)
    asked = AskedReport(
        position=run.position,
        created=run.created,
        start=first if run.interval_start is None else run.interval_start,
        end=last if run.interval_end is None else run.interval_end,
    )
    names = run.columns or definition.schema.names
    schema = pa.schema([definition.schema.field(name) for name in names])
    zone = zone_of(run.timezone or "UTC", "parameters[timezone]")
    batches = definition.read(engine, asked, advance)
    return write_report(batches, schema, run.written_as, zone, sink)


def _recorded(engine: Engine, run: ReportRecord, end: ReportEnd) -> bool:
    """Record what became of a run, unless another was faster; return whether it was ours."""
    with engine.writing() as writing:
        known = ReportQueries(writing.connection).run(run.run_id)
        assert known is not None, "no run is ever forgotten"
        is_first = known.ended_at is None
        if is_first:
            writing.record([end])
    return is_first


def _now(engine: Engine, run: ReportRecord) -> ReportRecord:
    with engine.log.read() as connection:
        known = ReportQueries(connection).run(run.run_id)
    assert known is not None, "no run is ever forgotten"
    return known


def _remove(store: SegmentStore, prefix: str, kept: Collection[str]) -> None:
    """Remove the files whose names begin so, but for some."""
    for name in store.names(prefix):
        if name not in kept:
            store.remove(name)
