"""Reports: what the store holds, as files.

A run is asked for, and made by a worker. It counts what the log holds when it is asked for,
whenever it is made, and so is the same bytes however often it is begun.
"""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from metering.arguments.ids import found_by_id
from metering.arguments.pages import LIMIT, ListObject, listed, page_of
from metering.arguments.schema import checked
from metering.arguments.strings import check_path
from metering.arguments.times import CreatedBounds, Time, created_within
from metering.errors import ResourceMissingError
from metering.reporting.asking import asked_run
from metering.reporting.contents.asked import ReportProgress
from metering.reporting.downloads import write_down
from metering.reporting.files import content_of
from metering.reporting.making import make_pending, remove_expired
from metering.reporting.real_time import real_time
from metering.reporting.requests import (
    ReportParameters,
    ReportRunCreate,
    ReportRunList,
    ReportTypeName,
)
from metering.reporting.resources import ReportFile, ReportRun, ReportType
from metering.reporting.shown import file_resource, run_resource
from metering.reporting.types import DEFINITIONS, type_resource
from metering.store.engine import Engine
from metering.store.scheduled_credits import everybody
from projections.kernels.reports import ReportRecord
from projections.reports.queries import ReportQueries


class Reports:
    """The reports of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def types(self) -> ListObject[ReportType]:
        """Return the reports that there are."""
        self._engine.log.check_usable()
        now, livemode = self._engine.now(), self._engine.settings.livemode
        return ListObject(
            [
                type_resource(each, definition, now, livemode=livemode)
                for each, definition in DEFINITIONS.items()
            ]
        )

    def retrieve_type(self, report_type: str) -> ReportType:
        """Return a type of report by its id.

        Raises:
            ResourceMissingError: there is no such type.
        """
        known: dict[str, ReportType] = {each.id: each for each in self.types()}
        return found_by_id(known.get, report_type, "report type")

    def create(
        self,
        *,
        report_type: ReportTypeName,
        parameters: ReportParameters | None = None,
    ) -> ReportRun:
        """Ask for a report, which a worker makes, or `make`.

        It counts what the log holds now, also where it is made later.

        Args:
            report_type: what it is of; see `types`.
            parameters: of ``columns``, ``interval_start`` (inclusive), ``interval_end``
                (exclusive), ``timezone`` and ``format``, any. The interval is of
                timestamps of events and of transactions, of when statements were
                finalised, and of windows of rejected events. The time zone writes times,
                and moves no bound and no day: days are those of UTC.

        Raises:
            InvalidRequestError: an argument is malformed, there is no such type or
                column, or the interval ends before it begins or lies where there is
                nothing.
        """
        asked = checked(ReportRunCreate, report_type=report_type, parameters=parameters)
        created = asked_run(asked, self._engine.new_id("frr"), self._engine.now())
        # What was due by then has been granted by then.
        with self._engine.writing_credits(everybody) as (writing, _):
            writing.record([created])
        return self.retrieve(created.run_id)

    def retrieve(self, run_id: str) -> ReportRun:
        """Return a run by its id, as it is now.

        Raises:
            ResourceMissingError: there is no such run.
        """
        run, now = self._found(run_id)
        return run_resource(run, now, livemode=self._livemode)

    def list(
        self,
        *,
        created: Time | CreatedBounds | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[ReportRun]:
        """Return runs, newest first.

        Args:
            created: at a time, or within bounds: ``{"gte": …, "lt": …}``.
            limit: 1 to 100.
            starting_after: id of the run before the first one to list.
            ending_before: id of the run behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no run.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                ReportRunList,
                created=created,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def make(self, progress: ReportProgress | None = None) -> int:
        """Make the files of all pending runs, and return how many were made.

        A worker does so by itself. Only some of a report is in memory at a time: a segment
        of events, the customers of a meter, or those of seven days. Killed at any step, it is
        begun anew. Files that have expired are removed.

        Args:
            progress: is called with how much of a run is done, and how much there is.

        Raises:
            StoreError: a file cannot be made now; its run stays pending.
        """
        made = make_pending(self._engine, progress or (lambda done, of: None))
        remove_expired(self._engine)
        return made

    def open(self, run_id: str) -> Iterator[bytes]:
        """Return the file of a run, in pieces of some megabytes.

        Each piece is compared with what was made before it is given out.

        Raises:
            ResourceMissingError: there is no such run, or it has no file, or none any
                more.
            StoreDamagedError: the file is not what was made.
        """
        return self._content(*self._found(run_id), "report run")

    def download(self, run_id: str, path: str | PathLike[str]) -> int:
        """Write the file of a run to a path, whole or not at all; return its bytes.

        Args:
            run_id: of the run.
            path: of the file, which is replaced where it is there.

        Raises:
            ResourceMissingError: as for `open`.
            StoreDamagedError: the file is not what was made.
            InvalidRequestError: the path cannot be written.
        """
        target = Path(check_path(path, "path"))
        return write_down(self.open(run_id), target)

    def retrieve_file(self, file_id: str) -> ReportFile:
        """Return the file of a run by its own id.

        Raises:
            ResourceMissingError: there is no such file.
        """
        return file_resource(*self._found_by_file(file_id))

    def open_file(self, file_id: str) -> Iterator[bytes]:
        """Return a file by its own id, as `open` does.

        Raises:
            ResourceMissingError: there is no such file, or it has expired.
            StoreDamagedError: the file is not what was made.
        """
        return self._content(*self._found_by_file(file_id), "file")

    @property
    def _livemode(self) -> bool:
        return self._engine.settings.livemode

    def _found(self, run_id: object) -> tuple[ReportRecord, int]:
        """Return a run, and the time."""
        with self._engine.log.read() as connection:
            seen = ReportQueries(connection)
            return run_of(seen, run_id), real_time(self._engine, seen)

    def _found_by_file(self, file_id: object) -> tuple[ReportRecord, int]:
        with self._engine.log.read() as connection:
            seen = ReportQueries(connection)
            run = found_by_id(seen.run_of_file, file_id, "file")
            return run, real_time(self._engine, seen)

    def _content(self, run: ReportRecord, now: int, kind: str) -> Iterator[bytes]:
        if not run.has_file(now):
            raise ResourceMissingError(f"contents of {kind}", run.run_id)
        log = self._engine.log
        epoch = log.lineage.epoch_at(run.position)
        return content_of(log.sealed.reader.store, epoch, run)

    def _page(self, asked: ReportRunList) -> ListObject[ReportRun]:
        with self._engine.log.read() as connection:
            seen = ReportQueries(connection)
            page = page_of(asked, lambda each, at: run_of(seen, each, at).position)
            found = seen.runs(created_within(asked.created), page)
            now = real_time(self._engine, seen)
        made = [run_resource(each, now, livemode=self._livemode) for each in found]
        return listed(asked, made, self._page)


def run_of(seen: ReportQueries, run_id: object, param: str = "id") -> ReportRecord:
    """Return a run by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.run, run_id, "report run", param)
