"""Audits as callers get them back."""

from datetime import datetime
from typing import Literal

from metering.bodies import ResourceObject


class AuditPass(ResourceObject, frozen=True, kw_only=True):
    """A pass of the audit: what answers are made of was compared with the log.

    Attributes:
        status: ``running``, ``passed``, or ``failed`` where something differs.
        position: up to which the log is compared; 0 where that is not known yet.
        reached: the position up to which it has come.
        with_files: whether it reads whether files of segments are what was sealed.
        entries: how many entries were acknowledged up to the position.
        entries_present: completeness, how many of them the pass found in their places.
        hourly_totals: how many hourly totals answers are made of.
        hourly_totals_explained: explainability, how many of them are exactly what the
            events of their hour add up to, cancelled ones left out.
        differences: the first of them, a sentence each that names where it is.
        difference_count: of all of them.
    """

    id: str
    object: Literal["metering.audit_pass"] = "metering.audit_pass"
    status: Literal["running", "passed", "failed"]
    started: datetime
    ended: datetime | None
    position: int
    reached: int
    with_files: bool
    entries: int
    entries_present: int
    hourly_totals: int
    hourly_totals_explained: int
    differences: tuple[str, ...]
    difference_count: int


class AuditedMeter(ResourceObject, frozen=True, kw_only=True):
    """How far the usage of a meter was audited.

    Attributes:
        audited: when the last pass over it ended; None where there was none.
        position: up to which that compared; 0 where there was none.
        hourly_totals: of all its customers.
        hourly_totals_differing: how many of them are not what their events add up to.
    """

    object: Literal["metering.audited_meter"] = "metering.audited_meter"
    meter: str
    event_name: str
    audited: datetime | None
    position: int
    hourly_totals: int
    hourly_totals_differing: int


class AuditedSegment(ResourceObject, frozen=True, kw_only=True):
    """Whether a segment was audited.

    Attributes:
        name: of its file.
        first_position: of its stretch of the log.
        last_position: of its stretch of the log.
        audited: when the last pass ended that added up its events; None where none did.
        file_audited: when the last one ended that compared its whole file with what was
            sealed; None where none did.
    """

    object: Literal["metering.audited_segment"] = "metering.audited_segment"
    name: str
    first_position: int
    last_position: int
    audited: datetime | None
    file_audited: datetime | None


class AuditStatus(ResourceObject, frozen=True, kw_only=True):
    """How much of a store was compared with its log, and when.

    Attributes:
        position: of the last entry of the log.
        ok: whether the last pass found nothing; None where none has ended.
        last_pass: the last one that has ended; None where there is none.
        running: the pass that is under way; None where there is none.
        meters: all of them, in the order of creation.
        segments: all of them, in the order of the log.
    """

    object: Literal["metering.audit"] = "metering.audit"
    position: int
    ok: bool | None
    last_pass: AuditPass | None
    running: AuditPass | None
    meters: tuple[AuditedMeter, ...]
    segments: tuple[AuditedSegment, ...]


class AuditFailure(ResourceObject, frozen=True, kw_only=True):
    """A pass of the audit found differences that the one before it had not found.

    Attributes:
        id: of the pass.
        position: up to which it compared.
        difference_count: how many it found.
        first_difference: a sentence that names where the first of them is.
    """

    id: str
    object: Literal["metering.audit_failure"] = "metering.audit_failure"
    created: datetime
    difference_count: int
    first_difference: str
    livemode: bool
    position: int
