"""What a server's stream refused, counted by window, and the reports made of it.

All that writes is called under the write lock. So the errors of a window that ended are
all there when its reports are made, and no window is reported twice.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    tuple_,
)

from ledger.database.bulk import insert_rows
from ledger.database.rows import FLAG, Codec, RowFormat, newest_first
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
class ErrorsOfCode:
    """The errors of one code on one meter.

    Attributes:
        samples: the messages of the first of them, each with the identifier of its
            request, as the sender knows it.
    """

    code: str
    error_count: int
    samples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """The errors on one meter in one window.

    Attributes:
        meter_id: empty where no meter was found.
        window_end: exclusive.
        error_types: by code, in order.
    """

    report_id: str
    livemode: bool
    meter_id: str
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
        self,
        errors: Mapping[str, Sequence[ErrorsOfCode]],
        now: int,
        *,
        livemode: bool,
    ) -> None:
        """Add errors to the window of an instant.

        Args:
            errors: by meter, empty where none was found; each code occurs once.
            now: the instant.
            livemode: the mode of the events.
        """
        window = {"window_start": now - now % WINDOW, "livemode": int(livemode)}
        for meter_id, each in (
            (at, one) for at, ones in errors.items() for one in ones
        ):
            key = (*window.values(), meter_id, each.code)
            is_it = tuple_(*stream_error.primary_key) == key
            taking = delete(stream_error).where(is_it).returning(stream_error)
            known = [ERRORS.read(row) for row in self._connection.execute(taking)]
            total = ErrorsOfCode(
                code=each.code,
                error_count=sum(one.error_count for one in (*known, each)),
                samples=sum((one.samples for one in (*known, each)), ()),
            )
            row = ERRORS.row(total, meter_id=meter_id, **window)
            self._connection.execute(insert(stream_error).values(row))

    def has_ended_window(self, now: int) -> bool:
        """Whether a window with errors has ended that is not reported."""
        ended = select(_error.code).where(_error.window_start <= now - WINDOW).limit(1)
        return self._connection.execute(ended).first() is not None

    def between(
        self, meter_id: str, start: int, end: int, *, livemode: bool
    ) -> list[tuple[int, ErrorsOfCode]]:
        """Return the errors on a meter in windows that lie in ``[start, end)`` in part.

        Returns:
            Each with the start of its window, by window and code.
        """
        found = self._between(meter_id, start, end, livemode=livemode)
        return [(window, each) for window, _, each in found]

    def of_all_between(
        self, start: int, end: int, *, livemode: bool
    ) -> list[tuple[int, str, ErrorsOfCode]]:
        """Return all errors in windows that lie in ``[start, end)`` in part.

        Returns:
            Each with the start of its window and its meter, by window, meter and code;
            the meter is empty where none was found.
        """
        return self._between(None, start, end, livemode=livemode)

    def _between(
        self, meter_id: str | None, start: int, end: int, *, livemode: bool
    ) -> list[tuple[int, str, ErrorsOfCode]]:
        errors = select(stream_error).where(
            _error.livemode == int(livemode),
            _error.window_start > start - WINDOW,
            _error.window_start < end,
        )
        reports = select(error_report).where(
            _report.livemode == int(livemode),
            _report.window_end > start,
            _report.window_start < end,
        )
        if meter_id is not None:
            errors = errors.where(_error.meter_id == meter_id)
            reports = reports.where(_report.meter_id == meter_id)
        found = [
            (row.window_start, row.meter_id, ERRORS.read(row))
            for row in self._connection.execute(errors.order_by(_error.window_start))
        ]
        for row in self._connection.execute(reports.order_by(_report.window_end)):
            report = REPORTS.read(row)
            found += (
                (report.window_start, report.meter_id, each)
                for each in report.error_types
            )
        return sorted(found, key=lambda each: (each[0], each[1], each[2].code))

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
                meter_id=meter_id,
                window_start=start,
                window_end=start + WINDOW,
                error_types=tuple(map(ERRORS.read, of_report)),
            )
            for (start, livemode, meter_id), of_report in groupby(
                rows, lambda row: (row.window_start, row.livemode, row.meter_id)
            )
        ]
        insert_rows(self._connection, error_report, list(map(REPORTS.row, made)))
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
        return None if row is None else REPORTS.read(row)

    def reports(
        self,
        bounds: Bounds,
        most: int,
        *,
        older_than: StoredReport | None = None,
        newer_than: StoredReport | None = None,
    ) -> list[StoredReport]:
        """Return reports, newest first: the newest, or those next to one of them."""
        wanted = select(error_report).where(
            _report.livemode == int(bounds.livemode),
            _report.window_end >= bounds.start,
            _report.window_end < bounds.end,
        )
        if bounds.meter_id is not None:
            wanted = wanted.where(_report.meter_id == bounds.meter_id)
        if bounds.has_meter is not None:
            has_none = _report.meter_id == ""
            wanted = wanted.where(~has_none if bounds.has_meter else has_none)
        rows = newest_first(
            self._connection,
            wanted,
            (_report.window_end, _report.report_id),
            most,
            before=_place(older_than),
            after=_place(newer_than),
        )
        return [REPORTS.read(row) for row in rows]


def _place(report: StoredReport | None) -> tuple[int, str] | None:
    return None if report is None else (report.window_end, report.report_id)


def _written(samples: Sequence[tuple[str, str]]) -> str:
    return json.dumps(samples[:SAMPLES_MAX])


def _samples(written: str) -> tuple[tuple[str, str], ...]:
    return tuple((message, identifier) for message, identifier in json.loads(written))


def _written_types(types: Sequence[ErrorsOfCode]) -> str:
    return json.dumps(
        [[each.code, each.error_count, _written(each.samples)] for each in types]
    )


def _types(written: str) -> tuple[ErrorsOfCode, ...]:
    return tuple(
        ErrorsOfCode(code=code, error_count=count, samples=_samples(samples))
        for code, count, samples in json.loads(written)
    )


ERRORS = RowFormat(stream_error, ErrorsOfCode, {"samples": Codec(_written, _samples)})
REPORTS = RowFormat(
    error_report,
    StoredReport,
    {"livemode": FLAG, "error_types": Codec(_written_types, _types)},
)
