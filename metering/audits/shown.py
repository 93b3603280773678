"""Audits as resources."""

from typing import Literal

from ledger.facts.audits import AuditFailed
from ledger.records.audits.passes import StoredPass
from metering.arguments.clock import at_microseconds, at_or_none
from metering.audits.resources import AuditFailure, AuditPass


def pass_resource(stored: StoredPass) -> AuditPass:
    """Return a pass as a resource."""
    findings = stored.findings
    totals = sum(each.totals for each in findings.meters)
    differing = sum(each.differing for each in findings.meters)
    ended: Literal["failed", "passed"] = (
        "failed" if findings.difference_count else "passed"
    )
    return AuditPass(
        id=stored.audit_id,
        status="running" if stored.ended_at is None else ended,
        started=at_microseconds(stored.started_at),
        ended=at_or_none(stored.ended_at),
        position=stored.position,
        reached=stored.reached,
        with_files=stored.with_files,
        entries=findings.entries,
        entries_present=findings.entries_present,
        hourly_totals=totals,
        hourly_totals_explained=totals - differing,
        differences=findings.differences,
        difference_count=findings.difference_count,
    )


def failure_resource(
    fact: AuditFailed, recorded_at: int, *, livemode: bool
) -> AuditFailure:
    """Return what a pass found as a resource."""
    return AuditFailure(
        id=fact.audit_id,
        created=at_microseconds(recorded_at),
        difference_count=fact.difference_count,
        first_difference=fact.first,
        livemode=livemode,
        position=fact.up_to,
    )
