"""Settling many holds at once: a row a settlement, each with the outcome it would have alone.

They are committed some hundred at a time. Each commit stays if the next one fails; where
all is repeated, what was settled is answered and draws nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from ledger.facts.credits.holds import CreditHoldSettled
from ledger.usage.columns import rows_table
from metering.arguments.arrow_types import is_text, require_type, texts_of
from metering.arguments.refusals import invalid, missing
from metering.arguments.schema import checked
from metering.arguments.strings import is_storable
from metering.credits.settlement.sources import open_arrow, read_whole
from metering.errors import InvalidRequestError, ResourceMissingError, SourceError
from metering.holds.deciding import check_settled_so, settled
from metering.holds.refusals import settlement_taken
from metering.holds.requests import CreditHoldSettle
from metering.store.engine import Engine, on_nobodys_behalf

_KINDS = {
    "hold": ("names", is_text, "give strings"),
    "amount": ("amounts", pa.types.is_integer, "give integers, in minor units"),
    "settlement": ("names", is_text, "give strings"),
    "final": ("flags", pa.types.is_boolean, "give booleans"),
}
"""The columns that are read, and what they hold."""
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
        # Half a surrogate pair is no text that Arrow has.
        shown = shown and shown.encode(errors="replace").decode()
        self.rejections.append((row, shown, error.code, error.message))

    def receipt(self) -> SettlementsReceipt:
        rows = sorted(self.rejections)
        return SettlementsReceipt(
            settled=self.settled,
            repeated=self.repeated,
            rejected=len(rows),
            rejections=rows_table(rows, REJECTIONS),
        )


def settle_holds(engine: Engine, source: object) -> SettlementsReceipt:
    """Settle the holds of a source; see `CreditHolds.settle_many`."""
    tally = _HoldsTally()
    with on_nobodys_behalf():
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
            if not is_storable(hold_id):
                raise ResourceMissingError("credit hold", hold_id, param="hold")
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
    opened = open_arrow(source)
    if opened is None:
        raise SourceError(
            f"Cannot settle {type(source).__name__}: give an Arrow table or stream, or a"
            " list of dicts"
        )
    names = _names(opened.schema)
    table = opened if isinstance(opened, pa.Table) else read_whole(opened, names)
    columns = [_values(table.column(name), name) for name in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _names(schema: pa.Schema) -> Sequence[str]:
    """Return which columns there are.

    Raises:
        SourceError: one is missing, is there twice, or is of a wrong type.
    """
    for name, (meant, is_kind, hint) in _KINDS.items():
        found = schema.get_all_field_indices(name)
        if len(found) > 1 or (not found and name == "hold"):
            number = "no" if not found else "more than one"
            raise SourceError(f"There is {number} column {name!r}", param=name)
        if found:
            require_type(schema.field(name), meant, is_kind, hint)
    return [name for name in _KINDS if name in schema.names]


def _values(column: pa.ChunkedArray, name: str) -> Sequence[object]:
    if _KINDS[name][1] is is_text:
        return texts_of(column.cast(pa.string()).combine_chunks())
    values: Sequence[object] = column.to_pylist()
    return values


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
    ids = [row.hold_id for row in rows]
    with engine.writing_credits(
        lambda seen: {each.customer for each in seen.holds.holds_named(ids).values()}
    ) as (writing, seen):
        holds = {**seen.holds.holds_named(ids)}
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
