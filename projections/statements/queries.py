"""Queries of statements, as one database transaction sees them."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from projections.kernels.statements import StatementRecord
from projections.rows import Page
from projections.statements.tables import STATEMENTS, statement

_STATEMENTS = select(statement)
_STATEMENT = _STATEMENTS.where(statement.c.statement_id == bindparam("statement_id"))
_STANDING = _STATEMENTS.where(
    statement.c.voided_at.is_(None),
    statement.c.period_end > bindparam("start"),
    statement.c.period_start < bindparam("end"),
).order_by(statement.c.position)
_STANDING_OF = _STANDING.where(statement.c.customer == bindparam("customer"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFilter:
    """Which statements are listed; None is no condition.

    Attributes:
        start: their periods begin then or later, microseconds since 1970 UTC.
        end: they end then or earlier.
        is_void: whether they are void.
    """

    customer: str | None = None
    subscription_id: str | None = None
    start: int | None = None
    end: int | None = None
    is_void: bool | None = None


class StatementQueries:
    """Queries of statements in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def statement(self, statement_id: str) -> StatementRecord | None:
        """Return a statement by its id."""
        given = {"statement_id": statement_id}
        row = self.connection.execute(_STATEMENT, given).first()
        return None if row is None else STATEMENTS.read(row)

    def standing_of(self, customer: str, start: int, end: int) -> list[StatementRecord]:
        """Return a customer's statements that are not void, of periods in a span.

        Args:
            customer: whose.
            start: microseconds since 1970 UTC; a period ends after it.
            end: a period begins before it.
        """
        given = {"customer": customer, "start": start, "end": end}
        return [
            STATEMENTS.read(row) for row in self.connection.execute(_STANDING_OF, given)
        ]

    def statements(self, wanted: StatementFilter, page: Page) -> list[StatementRecord]:
        """Return a page of statements, newest first."""
        asked = _STATEMENTS
        if wanted.customer is not None:
            asked = asked.where(statement.c.customer == wanted.customer)
        if wanted.subscription_id is not None:
            asked = asked.where(statement.c.subscription_id == wanted.subscription_id)
        if wanted.start is not None:
            asked = asked.where(statement.c.period_start >= wanted.start)
        if wanted.end is not None:
            asked = asked.where(statement.c.period_end <= wanted.end)
        if wanted.is_void is not None:
            voided_at = statement.c.voided_at
            asked = asked.where(
                voided_at.is_not(None) if wanted.is_void else voided_at.is_(None)
            )
        rows = page.read(self.connection, statement, asked)
        return [STATEMENTS.read(row) for row in rows]
