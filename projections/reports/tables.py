"""The table of runs of reports, and how facts fold into it."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
)

from ledger.database.rows import (
    RowFormat,
    change_row,
    enum_codec,
    packed_codec,
    row_of,
)
from ledger.facts.reports import (
    ReportFileRemoved,
    ReportForm,
    ReportPart,
    ReportRunCreated,
    ReportRunFailed,
    ReportRunSucceeded,
)
from projections.kernels.reports import (
    ReportRecord,
    file_removed,
    run_created,
    run_failed,
    run_succeeded,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

report_run = Table(
    "report_run",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("run_id", String(255), nullable=False, unique=True),
    Column("report_type", String(64), nullable=False),
    Column("columns", LargeBinary, nullable=True),
    Column("interval_start", BigInteger, nullable=True),
    Column("interval_end", BigInteger, nullable=True),
    Column("timezone", String(100), nullable=True),
    Column("form", String(16), nullable=True),
    Column("created", BigInteger, nullable=False),
    Column("file_id", String(255), nullable=True, unique=True),
    Column("attempt", String(64), nullable=True),
    Column("parts", LargeBinary, nullable=False),
    Column("row_count", BigInteger, nullable=True),
    Column("expires_at", BigInteger, nullable=True),
    Column("error", Text, nullable=True),
    Column("ended_at", BigInteger, nullable=True),
    Column("removed_at", BigInteger, nullable=True),
    Index("report_run_ended", "ended_at", "position"),
    Index("report_run_removed", "removed_at", "expires_at"),
)

REPORT_RUNS = RowFormat(
    report_run,
    ReportRecord,
    {
        "columns": packed_codec(tuple[str, ...]),
        "form": enum_codec(ReportForm),
        "parts": packed_codec(tuple[ReportPart, ...]),
    },
)


def fold_reports(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about reports."""
    for position, recorded_at, fact in facts:
        match fact:
            case ReportRunCreated():
                row = REPORT_RUNS.named(run_created(fact, position, recorded_at))
                connection.execute(insert(report_run), row)
            case ReportRunSucceeded():
                known = _run(connection, fact.run_id)
                _keep(connection, run_succeeded(known, fact, recorded_at))
            case ReportRunFailed():
                known = _run(connection, fact.run_id)
                _keep(connection, run_failed(known, fact, recorded_at))
            case ReportFileRemoved():
                known = _run(connection, fact.run_id)
                _keep(connection, file_removed(known, recorded_at))
            case _:
                pass


REPORT_FOLD = TableFold(tables=(report_run,), fold=fold_reports)


def _run(connection: Connection, run_id: str) -> ReportRecord:
    return REPORT_RUNS.read(row_of(connection, report_run.c.run_id, run_id))


def _keep(connection: Connection, changed: ReportRecord) -> None:
    row = REPORT_RUNS.named(changed)
    change_row(connection, report_run.c.run_id, changed.run_id, row)
