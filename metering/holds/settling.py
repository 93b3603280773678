"""Settling many holds at once: a row a settlement, each with the outcome it would have alone.

They are committed some hundred at a time. Each commit stays if the next one fails; where
all is repeated, what was settled is answered and draws nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from ledger.facts.holds import CreditHoldSettled
from metering.arguments.refusals import invalid, missing
from metering.arguments.schema import checked
from metering.errors import InvalidRequestError, ResourceMissingError, SourceError
from metering.holds.deciding import check_settled_so, settled
from metering.holds.refusals import settlement_taken
from metering.holds.requests import CreditHoldSettle
from metering.store.engine import Engine
from projections.credits.queries import CreditQueries

SETTLEMENTS = ("hold", "amount", "settlement", "final")
"""The columns that are read."""
REJECTIONS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("hold", pa.string()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
    ]
)
_ROWS_AT_A_TIME = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementsReceipt:
    """What became of the settlements of holds.

    Attributes:
        settled: those that were made.
        repeated: those that had been made before, equal in content.
        rejected: those that break a rule, or contradict what was settled.
        rejections: row (from 0), hold, code and message of each, in their order.
    """

    settled: int
    repeated: int
    rejected: int
    rejections: pa.Table


class _HoldRow(NamedTuple):
    """A row that may be settled."""

    number: int
    hold_id: str
    asked: CreditHoldSettle


@dataclass(slots=True)
class _HoldsTally:
    """A receipt in the making."""

    settled: int = 0
    repeated: int = 0
    rejections: list[tuple[int, str | None, str, str]] = field(default_factory=list)

    def reject(self, row: int, hold: object, error: InvalidRequestError) -> None:
        shown = hold if isinstance(hold, str) else None
        self.rejections.append((row, shown, error.code, error.message))

    def receipt(self) -> SettlementsReceipt:
        rows = sorted(self.rejections)
        columns = [*zip(*rows, strict=True)] if rows else [()] * len(REJECTIONS)
        table = pa.table(
            [
                pa.array(each, one.type)
                for each, one in zip(columns, REJECTIONS, strict=True)
            ],
            schema=REJECTIONS,
        )
        return SettlementsReceipt(
            settled=self.settled,
            repeated=self.repeated,
            rejected=len(rows),
            rejections=table,
        )


def settle_holds(engine: Engine, source: object) -> SettlementsReceipt:
    """Settle the holds of a source; see `CreditHolds.settle_many`."""
    tally = _HoldsTally()
    for portion in _portions(_rows(source, tally)):
        _commit(engine, portion, tally)
    return tally.receipt()


def _rows(source: object, tally: _HoldsTally) -> Iterator[_HoldRow]:
    for number, row in enumerate(_read(source)):
        hold_id = row.get("hold")
        final = row.get("final")
        try:
            if not isinstance(hold_id, str):
                raise invalid("hold", hold_id, "the id of a hold")
            asked = checked(
                CreditHoldSettle,
                amount=row.get("amount"),
                final=True if final is None else final,
                settlement=row.get("settlement"),
            )
            if not asked.final and asked.settlement is None:
                raise missing("settlement")
        except InvalidRequestError as error:
            tally.reject(number, hold_id, error)
        else:
            yield _HoldRow(number, hold_id, asked)


def _read(source: object) -> Iterator[Mapping[str, Any]]:
    """Read the rows of a source.

    Raises:
        SourceError: it is no Arrow data and no list of dicts, or lacks a column.
    """
    if isinstance(source, list | tuple):
        for each in source:
            if not isinstance(each, Mapping):
                raise SourceError(f"Cannot settle {type(each).__name__}: give dicts")
            yield each
        return
    try:
        table = pa.table(source)
    except (pa.ArrowException, TypeError, ValueError, OSError) as error:
        raise SourceError(
            f"Cannot settle {type(source).__name__}: give an Arrow table or stream, or a"
            " list of dicts"
        ) from error
    names = table.schema.names
    if names.count("hold") != 1:
        raise SourceError("There must be one column 'hold'", param="hold")
    wanted = table.select([each for each in SETTLEMENTS if names.count(each) == 1])
    for batch in wanted.to_batches(max_chunksize=_ROWS_AT_A_TIME):
        yield from batch.to_pylist()


def _portions(rows: Iterator[_HoldRow]) -> Iterator[Sequence[_HoldRow]]:
    """Cut rows so that no portion has a hold twice: each is decided by what is recorded."""
    portion: dict[str, _HoldRow] = {}
    for row in rows:
        if row.hold_id in portion or len(portion) == _ROWS_AT_A_TIME:
            yield [*portion.values()]
            portion = {}
        portion[row.hold_id] = row
    if portion:
        yield [*portion.values()]


def _commit(engine: Engine, rows: Sequence[_HoldRow], tally: _HoldsTally) -> None:
    """Settle the holds of a portion in one commit."""
    made, repeated = 0, 0
    rejected: list[tuple[_HoldRow, InvalidRequestError]] = []
    with engine.writing() as writing:
        seen = CreditQueries(writing.connection)
        holds = {**seen.holds.holds_named([row.hold_id for row in rows])}
        facts: list[CreditHoldSettled] = []
        invoices = set[str]()
        for row in rows:
            hold = holds.get(row.hold_id)
            try:
                if hold is None:
                    raise ResourceMissingError("credit hold", row.hold_id, param="hold")
                known = seen.holds.settlement(hold, row.asked.settlement or "")
                if known is None:
                    fact = settled(hold, row.asked, seen, writing.now)
                    if (invoice := fact.application.invoice) in invoices:
                        raise settlement_taken(hold, invoice)
                    invoices.add(invoice)
                    facts.append(fact)
                else:
                    check_settled_so(hold, known, row.asked)
                    repeated += 1
            except InvalidRequestError as error:
                rejected.append((row, error))
        made = len(facts)
        writing.record(facts)
    tally.settled += made
    tally.repeated += repeated
    for row, why in rejected:
        tally.reject(row.number, row.hold_id, why)
