"""Comparing: a list of events, such as a customer's own, row by row with a figure.

Each row is read and judged as `MeterEvents.ingest` would, and nothing is recorded. What
was refused, or sent again, left no trace in the log: the rules say so of the row itself.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ledger.appending.drafts import Outcome, Status
from ledger.usage.columns import rows_table
from ledger.usage.rows import batch_of
from metering.errors import conflict_message
from metering.explaining.usage import ExplainedUsage
from metering.store.checked_events import CheckedEvents
from metering.usage.ingest.ingestion import Ingestion, SettledPiece
from metering.usage.ingest.layout import Columns, columns_given
from metering.usage.ingest.options import IngestOptions
from metering.usage.ingest.receipts import Rejection

COMPARED = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("identifier", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("position", pa.int64()),
        pa.field("by", pa.int64()),
        pa.field("code", pa.string()),
        pa.field("message", pa.string()),
    ]
)
"""What became of each row, and the events that count and are in no row."""


class _Compared(NamedTuple):
    """A row; see `COMPARED`."""

    row: int | None
    identifier: str | None
    reason: str
    position: int | None = None
    by: int | None = None
    code: str | None = None
    message: str | None = None


class Comparison:
    """A comparison in the making.

    Args:
        usage: whose events.
        beside: how far beyond the bounds events are told apart, in microseconds.
    """

    def __init__(self, usage: ExplainedUsage, beside: int) -> None:
        self._usage = usage
        counted = [each.column("position").to_numpy() for each in usage.events()]
        self._counted = np.concatenate([np.zeros(0, np.int64), *counted])
        self._others: dict[int, tuple[str, int | None]] = {}
        for batch in usage.not_counted(beside):
            columns = ("position", "reason", "by")
            for position, reason, by in zip(
                *(batch.column(name).to_pylist() for name in columns), strict=True
            ):
                self._others[position] = reason, by
        self._met: set[int] = set()

    def with_source(
        self, source: object, columns: Columns | None, options: IngestOptions
    ) -> pa.Table:
        """Compare all rows of a source, as `COMPARED`."""
        ingestion = Ingestion(self._usage.engine, columns_given(columns), options)
        rows: list[_Compared] = []
        for piece in ingestion.settled(source):
            rows += sorted(self._rows(piece), key=lambda each: each.row or 0)
        rows += self._unlisted()
        return rows_table(rows, COMPARED)

    def _rows(self, piece: SettledPiece) -> Iterator[_Compared]:
        checked, outcome, unnamed = piece
        yield from _refused(checked.refusals.values())
        if outcome is None:
            return
        refused = _refused_in_doubt(checked, outcome)
        yield from _refused(refused.values())
        batch = batch_of(checked.events)
        names, customers = (
            batch.column(name).to_pylist() for name in ("event_name", "customer")
        )
        series = self._usage.series.meter.event_name, self._usage.series.customer
        identifiers = batch.column("identifier").to_pylist()
        without = set(unnamed.tolist())
        for row, number in enumerate(checked.numbers.tolist()):
            if number in refused:
                continue
            if number in without:
                yield _Compared(number, None, "unnamed")
                continue
            is_own = (names[row], customers[row]) == series
            yield self._row(number, identifiers[row], outcome, row, is_own=is_own)

    def _row(
        self, number: int, identifier: str, outcome: Outcome, row: int, *, is_own: bool
    ) -> _Compared:
        """Say what became of a row that obeys the rules."""
        status = outcome.statuses[row]
        # Of a row that repeats another that is not recorded, there is no position.
        position = None if outcome.are_here[row] else int(outcome.positions[row])
        if status == Status.CONFLICT:
            message = (
                "Another row has this identifier, and says something else"
                if position is None
                else conflict_message(identifier, outcome.conflicts[row], position)
            )
            return _Compared(
                number,
                identifier,
                "refused",
                by=position,
                code="identifier_conflict",
                message=message,
            )
        if status == Status.APPENDED:
            return _Compared(number, identifier, "unrecorded")
        if position is None or position in self._met:
            return _Compared(number, identifier, "sent_again", by=position)
        self._met.add(position)
        reason, by = self._verdict(position, is_own=is_own)
        return _Compared(number, identifier, reason, position, by)

    def _verdict(self, position: int, *, is_own: bool) -> tuple[str, int | None]:
        if position in self._others:
            return self._others[position]
        at = int(self._counted.searchsorted(position))
        if at < len(self._counted) and self._counted[at] == position:
            return "counted", None
        return ("outside" if is_own else "other"), None

    def _unlisted(self) -> Iterator[_Compared]:
        """Yield the events that count and are in no row."""
        met = np.array(sorted(self._met), np.int64)
        for batch in self._usage.events():
            left = batch.filter(pa.array(~np.isin(batch.column("position"), met)))
            for position, identifier in zip(
                left.column("position").to_pylist(),
                left.column("identifier").to_pylist(),
                strict=True,
            ):
                yield _Compared(None, identifier, "unlisted", position)


def _refused(rejections: Iterable[Rejection]) -> Iterator[_Compared]:
    for each in rejections:
        yield _Compared(
            each.row,
            each.identifier,
            "refused",
            code=each.code,
            message=each.message,
        )


def _refused_in_doubt(
    checked: CheckedEvents[Rejection], outcome: Outcome
) -> dict[int, Rejection]:
    """Return which rows are refused, as they repeat nothing that is recorded."""
    if checked.doubts is None:
        return {}
    return dict(checked.doubts.refuse(checked.doubts.rows_without_original(outcome)))
