"""The table of corrections, and how facts fold into it."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, Table, Text, insert

from ledger.database.rows import RowFormat, change_row, row_of
from ledger.facts.corrections import CorrectionApplied, CorrectionReverted
from projections.kernels.corrections import (
    CorrectionRecord,
    correction_applied,
    correction_reverted,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

correction = Table(
    "correction",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("correction_id", Text, nullable=False, unique=True),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("cancelled", BigInteger, nullable=False),
    Column("replaced", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("reverted_position", BigInteger, nullable=True),
    Column("reverted_reason", Text, nullable=True),
    Column("reverted_by", Text, nullable=True),
    Column("reverted_at", BigInteger, nullable=True),
)

CORRECTIONS = RowFormat(correction, CorrectionRecord, {})


def fold_corrections(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about corrections."""
    for position, recorded_at, fact in facts:
        match fact:
            case CorrectionApplied():
                made = correction_applied(fact, position, recorded_at)
                connection.execute(insert(correction), CORRECTIONS.named(made))
            case CorrectionReverted():
                column = correction.c.correction_id
                row = row_of(connection, column, fact.correction_id)
                known = CORRECTIONS.read(row)
                changed = correction_reverted(known, fact, position, recorded_at)
                named = CORRECTIONS.named(changed)
                change_row(connection, column, fact.correction_id, named)
            case _:
                pass


CORRECTION_FOLD = TableFold(tables=(correction,), fold=fold_corrections)
