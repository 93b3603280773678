"""The table of statements, and how facts fold into it."""

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
    select,
    update,
)

from ledger.database.bulk import insert_rows
from ledger.database.rows import RowFormat, missing_row, packed_codec
from ledger.facts.statements import (
    StatementContent,
    StatementFinalized,
    StatementVoided,
)
from projections.kernels.statements import StatementRecord, statement_finalized
from projections.schema import POSITION, RecordedFact, TableFold, metadata

# Columns before `content` repeat what is packed: lists are read by them.
statement = Table(
    "statement",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("statement_id", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("subscription_id", Text, nullable=True),
    Column("period_start", BigInteger, nullable=False),
    Column("period_end", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("voided_at", BigInteger, nullable=True),
    Index("statement_customer", "customer", "period_end"),
    Index("statement_period_end", "period_end"),
)

STATEMENTS = RowFormat(
    statement, StatementRecord, {"content": packed_codec(StatementContent)}
)


def fold_statements(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about statements."""
    rows: list[tuple[object, ...]] = []
    for position, recorded_at, fact in facts:
        match fact:
            case StatementFinalized():
                made = statement_finalized(fact, position, recorded_at)
                rows.append(STATEMENTS.row(made))
            case StatementVoided():
                insert_rows(connection, statement, rows)
                rows = []
                _void(connection, fact.statement_id, recorded_at)
            case _:
                pass
    insert_rows(connection, statement, rows)


STATEMENT_FOLD = TableFold(tables=(statement,), fold=fold_statements)


def _void(connection: Connection, statement_id: str, recorded_at: int) -> None:
    is_it = statement.c.statement_id == statement_id
    if connection.execute(select(statement.c.position).where(is_it)).first() is None:
        raise missing_row(statement, statement_id)
    connection.execute(update(statement).where(is_it).values(voided_at=recorded_at))
