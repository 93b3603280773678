"""Queries of statements, as one database transaction sees them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from ledger.database.bulk import is_among
from projections.kernels.statements import StatementRecord
from projections.rows import Page, within_bounds
from projections.statements.tables import STATEMENTS, statement
from projections.test_clocks.clocked import is_not_gone

_STATEMENTS = select(statement)
_STATEMENT = _STATEMENTS.where(statement.c.statement_id == bindparam("statement_id"))
_STANDING = _STATEMENTS.where(
    statement.c.voided_at.is_(None),
    statement.c.period_end > bindparam("start"),
    statement.c.period_start < bindparam("end"),
).order_by(statement.c.position)
_STANDING_PLACES = _STANDING.with_only_columns(
    statement.c.position,
    statement.c.customer,
    statement.c.period_start,
    statement.c.period_end,
)
_STATED = select(
    statement.c.subscription_id, statement.c.period_end, statement.c.voided_at
).where(statement.c.subscription_id.is_not(None))
_STANDING_OF = _STANDING.where(statement.c.customer == bindparam("customer"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFilter:
    """Which statements are listed; None is no condition.

    Attributes:
        start: their periods begin then or later, microseconds since 1970 UTC.
        end: they end then or earlier.
        is_void: whether they are void.
        created: when they were finalised, the first inclusive, the last exclusive.
    """

    customer: str | None = None
    subscription_id: str | None = None
    start: int | None = None
    end: int | None = None
    is_void: bool | None = None
    created: tuple[int, int] | None = None


class StatedPeriod(NamedTuple):
    """A period of a subscription that has a statement, by when it ends."""

    subscription_id: str
    period_end: int
    is_void: bool


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

    def stated_periods(
        self, until: int, customers: Sequence[str] | None
    ) -> Iterator[StatedPeriod]:
        """Yield the periods of subscriptions that end by an instant and have statements.

        Args:
            until: microseconds since 1970 UTC, inclusive.
            customers: whose; None is everyone's.
        """
        columns = statement.c
        wanted = _STATED.where(columns.period_end <= until)
        if customers is not None:
            is_wanted = is_among(self.connection, columns.customer, list(customers))
            wanted = wanted.where(is_wanted)
        for subscription_id, period_end, voided_at in self.connection.execute(wanted):
            yield StatedPeriod(subscription_id, period_end, voided_at is not None)

    def known_among(self, ids: Sequence[str]) -> set[str]:
        """Return those of some ids that statements have."""
        if not ids:
            return set()
        is_wanted = is_among(self.connection, statement.c.statement_id, list(ids))
        rows = self.connection.execute(
            select(statement.c.statement_id).where(is_wanted)
        )
        return set(rows.scalars())

    def standing_of_many(
        self, spans: Mapping[str, tuple[int, int]]
    ) -> dict[str, list[StatementRecord]]:
        """Return `standing_of` many customers, each with a span of its own."""
        columns = statement.c
        start = min(start for start, _ in spans.values())
        end = max(end for _, end in spans.values())
        wanted = _STANDING_PLACES.where(
            is_among(self.connection, columns.customer, list(spans))
        )
        rows = self.connection.execute(wanted, {"start": start, "end": end})
        # Few are in the way, and only those are unpacked.
        positions = [
            row.position
            for row in rows
            if row.period_end > spans[row.customer][0]
            and row.period_start < spans[row.customer][1]
        ]
        found: dict[str, list[StatementRecord]] = {}
        if positions:
            is_wanted = is_among(self.connection, columns.position, positions)
            for row in self.connection.execute(_STATEMENTS.where(is_wanted)):
                record = STATEMENTS.read(row)
                found.setdefault(record.customer, []).append(record)
        return found

    def statements(self, wanted: StatementFilter, page: Page) -> list[StatementRecord]:
        """Return a page of statements, newest first."""
        asked = _STATEMENTS.where(is_not_gone(statement.c.customer))
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
        asked = within_bounds(asked, statement.c.created, wanted.created)
        rows = page.read(self.connection, statement, asked)
        return [STATEMENTS.read(row) for row in rows]
