"""The report of statements: the lines of those that were finalised in the interval."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from metering.reporting.contents.asked import AskedReport, ReportProgress
from metering.statements.tables import LINES, lines_table
from metering.store.engine import Engine
from projections.kernels.statements import StatementRecord
from projections.rows import Page
from projections.statements.queries import StatementFilter, StatementQueries

STATEMENTS = LINES

_AT_A_TIME = 200


def statements(
    engine: Engine, asked: AskedReport, advance: ReportProgress
) -> Iterator[pa.RecordBatch]:
    """Yield a row for each line, oldest statement first, a page of statements at a time."""
    wanted = StatementFilter(created=(asked.start, asked.end))
    after = 0
    while True:
        # A pool may have one connection, which whoever takes the rows needs.
        with engine.log.read() as connection:
            page = Page(limit=_AT_A_TIME, after=after)
            found = StatementQueries(connection).statements(wanted, page)[::-1]
        then = [
            _as_of(each, asked) for each in found if each.position <= asked.position
        ]
        yield from lines_table(then).to_batches()
        if len(then) < _AT_A_TIME:
            return
        after = then[-1].position
        advance(after, asked.position)


def _as_of(statement: StatementRecord, asked: AskedReport) -> StatementRecord:
    """Return a statement as it was when the report was asked for."""
    voided_at = statement.voided_at
    if voided_at is None or voided_at <= asked.created:
        return statement
    return replace(statement, voided_at=None)
