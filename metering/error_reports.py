"""Error reports: what was refused on the stream, where nobody waits to be told.

Every refusal is written down, durably, before the request is acknowledged; a report
tells of all those on one meter in a window of ten seconds. It is there as soon as the
window has ended: whoever looks next makes it, so no process need live to do so.
Source: https://docs.stripe.com/api/v2/core/events/event-types
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from metering.clock import at_microseconds
from metering.engine import Engine
from metering.errors import InvalidRequestError, ResourceMissingError
from metering.times import Time, instant
from projections.streaming import (
    SAMPLES_MAX,
    Bounds,
    ErrorsOfCode,
    SampleError,
    StoredReport,
    Streaming,
)

REPORT_TRIGGERED = "v1.billing.meter.error_report_triggered"
NO_METER_FOUND = "v1.billing.meter.no_meter_found"
LIMIT_MAX = 100
_NO_METER = "no_meter"
_BEYOND = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEvent:
    """An event of the stream that was refused.

    Attributes:
        identifier: of the request that it came with.
    """

    event_name: str
    code: str
    message: str
    identifier: str


class ErrorType(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of one code.

    Attributes:
        samples: the messages of the first of them, each with the identifier of the
            request that it came with.
    """

    code: str
    error_count: int
    samples: tuple[tuple[str, str], ...]


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was refused on one meter in one window.

    Attributes:
        created: when the window had ended.
        meter: its id; None tells of all events for whose name there was no meter.
        validation_end: exclusive.
    """

    id: str
    type: str
    created: datetime
    livemode: bool
    meter: str | None
    validation_start: datetime
    validation_end: datetime
    error_types: tuple[ErrorType, ...]


class ErrorReports:
    """The error reports of a store, for 30 days."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, refused: Sequence[RefusedEvent]) -> None:
        """Write down events that were refused, durably, to be reported."""
        meters = self._engine.known_definitions().by_event_name
        grouped: dict[tuple[str | None, str], list[RefusedEvent]] = defaultdict(list)
        for each in refused:
            meter = meters.get(each.event_name)
            has_meter = meter is not None and each.code != _NO_METER
            grouped[meter.meter_id if meter and has_meter else None, each.code].append(
                each
            )
        errors = [
            ErrorsOfCode(
                meter_id=meter_id,
                code=code,
                error_count=len(group),
                samples=tuple(
                    SampleError(message=each.message, identifier=each.identifier)
                    for each in group[:SAMPLES_MAX]
                ),
            )
            for (meter_id, code), group in grouped.items()
        ]
        livemode = self._engine.settings.livemode

        def change(streaming: Streaming, now: int) -> None:
            streaming.report(self._new_id, now)
            streaming.add_errors(errors, now, livemode=livemode)

        self._engine.record_streaming(change)

    def retrieve(self, report_id: str) -> ErrorReport:
        """Get a report by its id.

        Raises:
            ResourceMissingError: there is no such report.
        """
        self._make()
        found = self._find(report_id)
        if found is None:
            raise ResourceMissingError("event", str(report_id))
        return self._resource(found)

    def list(
        self,
        *,
        types: Sequence[str] | None = None,
        meter: str | None = None,
        created: Mapping[str, Time] | None = None,
        limit: int = 20,
        starting_after: str | None = None,
    ) -> list[ErrorReport]:
        """List reports, the newest first.

        Args:
            types: of these types; None is every type.
            meter: of this meter.
            created: within bounds, of gt, gte, lt and lte.
            limit: 1 to 100.
            starting_after: id of the report before the first one to list.

        Raises:
            ResourceMissingError: the cursor is the id of no report.
            InvalidRequestError: an argument is malformed.
        """
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidRequestError(
                f"Invalid limit: {limit}; must be 1 to {LIMIT_MAX}", param="limit"
            )
        self._make()
        after = None
        if starting_after is not None:
            after = self._find(starting_after)
            if after is None:
                raise ResourceMissingError("event", starting_after, param="page")
        wanted = {REPORT_TRIGGERED, NO_METER_FOUND} & set(types or _TYPES)
        if not wanted:
            return []
        start, end = _bounds(created or {})
        bounds = Bounds(
            livemode=self._engine.settings.livemode,
            start=start,
            end=end,
            meter_id=meter,
            has_meter=None if len(wanted) == 2 else REPORT_TRIGGERED in wanted,
        )
        with self._engine.log.read() as connection:
            found = Streaming(connection).reports(bounds, after, limit)
        return [self._resource(each) for each in found]

    def _find(self, report_id: str) -> StoredReport | None:
        livemode = self._engine.settings.livemode
        with self._engine.log.read() as connection:
            return Streaming(connection).find_report(report_id, livemode=livemode)

    def _make(self) -> None:
        """Make the reports of windows that have ended."""
        with self._engine.log.read() as connection:
            is_due = Streaming(connection).has_ended_window(self._engine.now())
        if is_due:
            self._engine.record_streaming(
                lambda streaming, now: streaming.report(self._new_id, now)
            )

    def _new_id(self) -> str:
        return self._engine.ids.resource("evt")

    def _resource(self, stored: StoredReport) -> ErrorReport:
        is_of_meter = stored.meter_id is not None
        return ErrorReport(
            id=stored.report_id,
            type=REPORT_TRIGGERED if is_of_meter else NO_METER_FOUND,
            created=at_microseconds(stored.window_end),
            livemode=self._engine.settings.livemode,
            meter=stored.meter_id,
            validation_start=at_microseconds(stored.window_start),
            validation_end=at_microseconds(stored.window_end),
            error_types=tuple(
                ErrorType(
                    code=each.code,
                    error_count=each.error_count,
                    samples=tuple(
                        (sample.message, sample.identifier) for sample in each.samples
                    ),
                )
                for each in stored.error_types
            ),
        )


_TYPES = (REPORT_TRIGGERED, NO_METER_FOUND)


def _bounds(created: Mapping[str, Time]) -> tuple[int, int]:
    """Bound when a report was made, ``[start, end)``, to the microsecond."""
    starts, ends = [0], [_BEYOND]
    for name, time in created.items():
        at = instant(time, f"created[{name}]")
        match name:
            case "gte":
                starts.append(at)
            case "gt":
                starts.append(at + 1)
            case "lt":
                ends.append(at)
            case "lte":
                ends.append(at + 1)
            case _:
                raise InvalidRequestError(
                    f"Invalid created: {name!r}; must be gt, gte, lt or lte",
                    param="created",
                )
    return max(starts), min(ends)
