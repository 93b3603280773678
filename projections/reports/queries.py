"""Queries of runs of reports, as one database transaction sees them."""

from sqlalchemy import Connection, bindparam, select

from projections.kernels.reports import ReportRecord
from projections.reports.tables import REPORT_RUNS, report_run
from projections.rows import Page, within_bounds

_column = report_run.c
_RUNS = select(report_run)
_RUN = _RUNS.where(_column.run_id == bindparam("run_id"))
_OF_FILE = _RUNS.where(_column.file_id == bindparam("file_id"))
_PENDING = _RUNS.where(_column.ended_at.is_(None)).order_by(_column.position)
_EXPIRED = _RUNS.where(
    _column.removed_at.is_(None), _column.expires_at <= bindparam("instant")
).order_by(_column.position)


class ReportQueries:
    """Queries of runs of reports in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def run(self, run_id: str) -> ReportRecord | None:
        """Return a run by its id."""
        row = self.connection.execute(_RUN, {"run_id": run_id}).first()
        return None if row is None else REPORT_RUNS.read(row)

    def run_of_file(self, file_id: str) -> ReportRecord | None:
        """Return the run that has a file."""
        row = self.connection.execute(_OF_FILE, {"file_id": file_id}).first()
        return None if row is None else REPORT_RUNS.read(row)

    def pending(self, limit: int) -> list[ReportRecord]:
        """Return the runs that are to be made, those asked for first before others."""
        rows = self.connection.execute(_PENDING.limit(limit))
        return [REPORT_RUNS.read(row) for row in rows]

    def expired(self, instant: int, limit: int) -> list[ReportRecord]:
        """Return the runs whose files expired by an instant, and are still there."""
        rows = self.connection.execute(_EXPIRED.limit(limit), {"instant": instant})
        return [REPORT_RUNS.read(row) for row in rows]

    def runs(self, created: tuple[int, int] | None, page: Page) -> list[ReportRecord]:
        """Return a page of runs, newest first.

        Args:
            created: microseconds since 1970 UTC, the first inclusive, the last exclusive;
                None is any time.
            page: which of them.
        """
        wanted = within_bounds(_RUNS, _column.created, created)
        rows = page.read(self.connection, report_run, wanted)
        return [REPORT_RUNS.read(row) for row in rows]
