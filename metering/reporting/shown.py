"""Runs of reports and their files as resources."""

from typing import cast

from metering.arguments.clock import at_microseconds, at_or_none
from metering.reporting.requests import ReportStatusName, ReportTypeName
from metering.reporting.resources import (
    ReportFile,
    ReportRun,
    ReportRunParameters,
)
from projections.kernels.reports import ReportRecord


def run_resource(run: ReportRecord, instant: int, *, livemode: bool) -> ReportRun:
    """Return a run as a resource, as it is at an instant."""
    has_succeeded = run.file_id is not None
    return ReportRun(
        id=run.run_id,
        created=at_microseconds(run.created),
        error=run.error,
        livemode=livemode,
        parameters=ReportRunParameters(
            columns=run.columns,
            format=None if run.form is None else run.form.word,
            interval_end=at_or_none(run.interval_end),
            interval_start=at_or_none(run.interval_start),
            timezone=run.timezone,
        ),
        position=run.position,
        report_type=cast(ReportTypeName, run.report_type),
        result=file_resource(run, instant) if has_succeeded else None,
        row_count=run.row_count,
        status=_status(run),
        succeeded_at=at_or_none(run.ended_at) if has_succeeded else None,
    )


def _status(run: ReportRecord) -> ReportStatusName:
    if run.error is not None:
        return "failed"
    return "pending" if run.file_id is None else "succeeded"


def file_resource(run: ReportRecord, instant: int) -> ReportFile:
    """Return the file of a run that has one, as it is at an instant."""
    assert run.file_id is not None, "it has succeeded"
    assert run.ended_at is not None, "it has succeeded"
    assert run.expires_at is not None, "its file expires"
    form = run.written_as.word
    is_there = run.has_file(instant)
    return ReportFile(
        id=run.file_id,
        created=at_microseconds(run.ended_at),
        expires_at=at_microseconds(run.expires_at),
        filename=f"{run.run_id}.{form}",
        size=sum(part.byte_count for part in run.parts),
        title=f"{run.report_type} {run.run_id}",
        type=form,
        url=f"/v1/files/{run.file_id}/contents" if is_there else None,
    )
