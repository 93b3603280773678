"""Runs of reports: what the facts about one add up to."""

from dataclasses import dataclass, replace

from msgspec.structs import asdict

from ledger.facts.reports import (
    ReportForm,
    ReportPart,
    ReportRunCreated,
    ReportRunFailed,
    ReportRunSucceeded,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """A run of a report at some position of the log.

    Attributes:
        position: of the fact that created it, up to which it counts.
        created: microseconds since 1970 UTC.
        file_id: None where it has no file.
        error: why it failed; None where it has not.
        ended_at: when it succeeded or failed; None while it is pending.
        removed_at: when its file was removed; None where it was not.
    """

    position: int
    run_id: str
    report_type: str
    columns: tuple[str, ...] | None
    interval_start: int | None
    interval_end: int | None
    timezone: str | None
    form: ReportForm | None
    created: int
    file_id: str | None = None
    attempt: str | None = None
    parts: tuple[ReportPart, ...] = ()
    row_count: int | None = None
    expires_at: int | None = None
    error: str | None = None
    ended_at: int | None = None
    removed_at: int | None = None

    @property
    def written_as(self) -> ReportForm:
        """How its file is written."""
        return self.form or ReportForm.CSV

    def has_file(self, instant: int) -> bool:
        """Whether its file can be read at an instant."""
        if self.expires_at is None or self.removed_at is not None:
            return False
        return instant < self.expires_at


def run_created(
    fact: ReportRunCreated, position: int, recorded_at: int
) -> ReportRecord:
    """Return a run as it was created."""
    return ReportRecord(**asdict(fact), position=position, created=recorded_at)


def run_succeeded(
    run: ReportRecord, fact: ReportRunSucceeded, recorded_at: int
) -> ReportRecord:
    """Return a run that has its file."""
    return replace(run, **asdict(fact), ended_at=recorded_at)


def run_failed(
    run: ReportRecord, fact: ReportRunFailed, recorded_at: int
) -> ReportRecord:
    """Return a run that will never have one."""
    return replace(run, error=fact.error, ended_at=recorded_at)


def file_removed(run: ReportRecord, recorded_at: int) -> ReportRecord:
    """Return a run whose file is gone."""
    return replace(run, removed_at=recorded_at)
