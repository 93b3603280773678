"""The audit: how much of a store was compared with its log, and a pass now."""

from collections.abc import Mapping
from datetime import datetime

from ledger.commits import read_head
from ledger.records.audits.passes import Passes, StoredPass
from ledger.sealing import StepCallback
from ledger.segments.catalog import read_segments
from metering.arguments.clock import at_or_none
from metering.arguments.schema import checked
from metering.audits.requests import AuditRequest
from metering.audits.resources import (
    AuditedMeter,
    AuditedSegment,
    AuditPass,
    AuditStatus,
)
from metering.audits.shown import pass_resource
from metering.store.engine import Engine
from metering.upkeep.auditing.passing import make_pass
from projections.kernels.meters import MeterDefinition


class Audit:
    """Compares what answers are made of with the log, as a worker does by itself."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def status(self) -> AuditStatus:
        """Return how much of the store was audited, and when, by meter and by segment.

        It costs little.

        Raises:
            StoreError: the store cannot be asked.
        """
        definitions = self._engine.definitions().by_id.values()
        with self._engine.log.read() as connection:
            passes = Passes(connection)
            head, segments = read_head(connection), read_segments(connection)
            ended, running = passes.ended(1), passes.running()
            with_files = passes.last_with_files()
        last = ended[0] if ended else None
        of_events, of_files = _segments_of(last), _segments_of(with_files)
        return AuditStatus(
            position=head.position,
            ok=None if last is None else not last.findings.difference_count,
            last_pass=None if last is None else pass_resource(last),
            running=None if running is None else pass_resource(running),
            meters=tuple(_meter(each, last) for each in definitions),
            segments=tuple(
                AuditedSegment(
                    name=each.name,
                    first_position=each.after + 1,
                    last_position=each.up_to,
                    audited=of_events.get(each.name),
                    file_audited=of_files.get(each.name),
                )
                for each in segments
            ),
        )

    def run(
        self, progress: StepCallback | None = None, *, files: bool = False
    ) -> AuditPass | None:
        """Make a pass now, without a rest, and return what it found.

        It compares hourly usage, the tables that facts lead to, and checkpoints of alerts
        with what the log leads to, and counts its entries. It changes nothing. What it
        finds is an event, ``metering.audit.failed``, unless the pass before found the same.

        Args:
            progress: is called with the position reached and the last one.
            files: whether to read the whole file of each segment, and compare it with
                what was sealed.

        Returns:
            The pass, or None where another process makes one.

        Raises:
            InvalidRequestError: an argument is malformed.
            StoreError: the store cannot be read; the next pass goes on with this one.
        """
        asked = checked(AuditRequest, files=files)
        made = make_pass(self._engine, progress, with_files=asked.files)
        return None if made is None else pass_resource(made)


def _meter(meter: MeterDefinition, last: StoredPass | None) -> AuditedMeter:
    is_audited = last is not None and meter.position <= last.position
    found = None
    if last is not None:
        found = next(
            (m for m in last.findings.meters if m.event_name == meter.event_name), None
        )
    return AuditedMeter(
        meter=meter.meter_id,
        event_name=meter.event_name,
        audited=_ended(last) if is_audited else None,
        position=last.position if last is not None and is_audited else 0,
        hourly_totals=0 if found is None else found.totals,
        hourly_totals_differing=0 if found is None else found.differing,
    )


def _segments_of(stored: StoredPass | None) -> Mapping[str, datetime | None]:
    """Return when a pass over each segment ended, by name."""
    if stored is None:
        return {}
    return dict.fromkeys((s.name for s in stored.findings.segments), _ended(stored))


def _ended(stored: StoredPass | None) -> datetime | None:
    return None if stored is None else at_or_none(stored.ended_at)
