"""Runs of reports as they were when they ended."""

from dataclasses import replace

from ledger.database.rows import missing_row
from projections.kernels.reports import ReportRecord
from projections.reports.queries import ReportQueries
from projections.reports.tables import report_run
from projections.webhooks.past import Past


def ended_run(past: Past, run_id: str) -> ReportRecord:
    """Return a run as it was when it ended, its file not removed yet."""
    found = ReportQueries(past.connection).run(run_id)
    if found is None:
        raise missing_row(report_run, run_id)
    return replace(found, removed_at=None)
