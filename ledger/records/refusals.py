"""What a server's stream refused, counted by window, and the reports made of it.

All that writes is called under the write lock. So the errors of a window that ended are
all there when its reports are made, and no window is reported twice.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from ledger.records.tables import metadata

# One row a window, meter and code, however many events were refused; it is gone when
# the report of its window is made.
stream_error = Table(
    "stream_error",
    metadata,
    Column("window_start", BigInteger, primary_key=True),
    Column("livemode", Integer, primary_key=True),
    # Empty where no meter was found.
    Column("meter_id", String(64), primary_key=True),
    Column("code", String(100), primary_key=True),
    Column("error_count", BigInteger, nullable=False),
    Column("samples", Text, nullable=False),
)

error_report = Table(
    "error_report",
    metadata,
    Column("report_id", String(64), primary_key=True),
    Column("livemode", Integer, nullable=False),
    Column("meter_id", String(64), nullable=False),
    Column("window_start", BigInteger, nullable=False),
    Column("window_end", BigInteger, nullable=False),
    Column("error_types", Text, nullable=False),
    Index("error_report_end", "window_end", "report_id"),
)
_error, _report = stream_error.c, error_report.c

WINDOW = 10_000_000
"""How long a window is, in microseconds."""
REPORTS_KEPT = 30 * 24 * 3600 * 1_000_000
"""For how long there is a report, in microseconds."""
SAMPLES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleError:
    """One of the errors that a report counts.

    Attributes:
        identifier: of the request, as its sender knows it.
    """

    message: str
    identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsOfCode:
    """The errors of one code on one meter.

    Attributes:
        meter_id: None where no meter was found.
        samples: the first of them.
    """

    meter_id: str | None
    code: str
    error_count: int
    samples: tuple[SampleError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """The errors on one meter in one window.

    Attributes:
        window_end: exclusive.
        error_types: by code, in order.
    """

    report_id: str
    livemode: bool
    meter_id: str | None
    window_start: int
    window_end: int
    error_types: tuple[ErrorsOfCode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Which reports to read: by the end of their window, ``[start, end)``, and meter.

    Attributes:
        meter_id: only of this meter; None is any.
        has_meter: only reports with a meter, or only those without; None is both.
    """

    livemode: bool
    start: int
    end: int
    meter_id: str | None
    has_meter: bool | None


class Refusals:
    """Errors and reports, as one database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Errors.

    def add_errors(
        self, errors: Sequence[ErrorsOfCode], now: int, *, livemode: bool
    ) -> None:
        """Add errors to the window of an instant; each meter and code occurs once."""
        window_start = now - now % WINDOW
        for each in errors:
            is_it = (
                (_error.window_start == window_start)
                & (_error.livemode == int(livemode))
                & (_error.meter_id == (each.meter_id or ""))
                & (_error.code == each.code)
            )
            row = self._connection.execute(
                select(_error.error_count, _error.samples).where(is_it)
            ).one_or_none()
            if row is None:
                added = {
                    "window_start": window_start,
                    "livemode": int(livemode),
                    "meter_id": each.meter_id or "",
                    "code": each.code,
                    "error_count": each.error_count,
                    "samples": _written(each.samples),
                }
                self._connection.execute(insert(stream_error), added)
                continue
            changed = {
                "error_count": row.error_count + each.error_count,
                "samples": _written((*_samples(row.samples), *each.samples)),
            }
            self._connection.execute(update(stream_error).where(is_it).values(changed))

    def has_ended_window(self, now: int) -> bool:
        """Whether a window with errors has ended that is not reported."""
        ended = select(_error.code).where(_error.window_start <= now - WINDOW).limit(1)
        return self._connection.execute(ended).first() is not None

    # Reports.

    def report(self, new_id: Callable[[], str], now: int) -> list[StoredReport]:
        """Make reports of the windows that have ended; delete those of 30 days ago."""
        has_ended = _error.window_start <= now - WINDOW
        rows = self._connection.execute(
            select(stream_error)
            .where(has_ended)
            .order_by(
                _error.window_start, _error.livemode, _error.meter_id, _error.code
            )
        ).all()
        if not rows:
            return []
        made = [
            StoredReport(
                report_id=new_id(),
                livemode=bool(livemode),
                meter_id=meter_id or None,
                window_start=start,
                window_end=start + WINDOW,
                error_types=tuple(
                    ErrorsOfCode(
                        meter_id=meter_id or None,
                        code=row.code,
                        error_count=row.error_count,
                        samples=_samples(row.samples),
                    )
                    for row in of_report
                ),
            )
            for (start, livemode, meter_id), of_report in groupby(
                rows, lambda row: (row.window_start, row.livemode, row.meter_id)
            )
        ]
        self._connection.execute(insert(error_report), [_row(each) for each in made])
        self._connection.execute(delete(stream_error).where(has_ended))
        self._connection.execute(
            delete(error_report).where(_report.window_end <= now - REPORTS_KEPT)
        )
        return made

    def find_report(
        self, report_id: str, now: int, *, livemode: bool
    ) -> StoredReport | None:
        """Return a report, None where there is none, or none any more."""
        row = self._connection.execute(
            select(error_report).where(
                _report.report_id == report_id,
                _report.livemode == int(livemode),
                _report.window_end > now - REPORTS_KEPT,
            )
        ).one_or_none()
        return None if row is None else _stored_report(row)

    def reports(
        self,
        bounds: Bounds,
        most: int,
        *,
        older_than: StoredReport | None = None,
        newer_than: StoredReport | None = None,
    ) -> list[StoredReport]:
        """Return reports, newest first: the newest, or those next to one of them."""
        place = tuple_(_report.window_end, _report.report_id)
        order: list[Any] = [_report.window_end, _report.report_id]
        if newer_than is None:
            order = [each.desc() for each in order]
        wanted = (
            select(error_report)
            .where(
                _report.livemode == int(bounds.livemode),
                _report.window_end >= bounds.start,
                _report.window_end < bounds.end,
            )
            .order_by(*order)
            .limit(most)
        )
        if bounds.meter_id is not None:
            wanted = wanted.where(_report.meter_id == bounds.meter_id)
        if bounds.has_meter is not None:
            has_none = _report.meter_id == ""
            wanted = wanted.where(~has_none if bounds.has_meter else has_none)
        if older_than is not None:
            wanted = wanted.where(place < (older_than.window_end, older_than.report_id))
        if newer_than is not None:
            wanted = wanted.where(place > (newer_than.window_end, newer_than.report_id))
        found = [_stored_report(row) for row in self._connection.execute(wanted)]
        return found if newer_than is None else found[::-1]


def _written(samples: Sequence[SampleError]) -> str:
    return json.dumps(
        [[each.message, each.identifier] for each in samples[:SAMPLES_MAX]]
    )


def _samples(written: str) -> tuple[SampleError, ...]:
    return tuple(
        SampleError(message=message, identifier=identifier)
        for message, identifier in json.loads(written)
    )


def _row(report: StoredReport) -> dict[str, Any]:
    return {
        "report_id": report.report_id,
        "livemode": int(report.livemode),
        "meter_id": report.meter_id or "",
        "window_start": report.window_start,
        "window_end": report.window_end,
        "error_types": json.dumps(
            [
                [each.code, each.error_count, _written(each.samples)]
                for each in report.error_types
            ]
        ),
    }


def _stored_report(row: Row[Any]) -> StoredReport:
    meter_id = row.meter_id or None
    return StoredReport(
        report_id=row.report_id,
        livemode=bool(row.livemode),
        meter_id=meter_id,
        window_start=row.window_start,
        window_end=row.window_end,
        error_types=tuple(
            ErrorsOfCode(
                meter_id=meter_id,
                code=code,
                error_count=error_count,
                samples=_samples(samples),
            )
            for code, error_count, samples in json.loads(row.error_types)
        ),
    )
