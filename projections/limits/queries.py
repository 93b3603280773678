"""Queries of spend limits, and of what of holds counts against them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from ledger.database.connections import DriverStatement
from ledger.database.rows import decoded
from projections.credits.hold_tables import (
    HAS_ENDED,
    IS_UNENDED,
    PARTS,
    credit_hold,
)
from projections.kernels.limits import LimitDefinition
from projections.limits.tables import LIMITS_NOW, SPEND_LIMITS, spend_limit
from projections.rows import Page
from projections.test_clocks.clocked import is_not_gone

_hold = credit_hold.c
_LIMITS = select(spend_limit)
_LIMIT = _LIMITS.where(spend_limit.c.limit_id == bindparam("limit_id"))
_OF_CUSTOMER = DriverStatement(
    _LIMITS.where(LIMITS_NOW, spend_limit.c.customer == bindparam("customer")).order_by(
        spend_limit.c.position
    )
)
_MADE_WITHIN = (
    _hold.customer == bindparam("customer"),
    _hold.currency == bindparam("currency"),
    _hold.created >= bindparam("start"),
    _hold.created < bindparam("end"),
)
# Holds end after they were made: so the indexes of ends bound the search.
_SETTLED = (
    select(_hold.price, func.sum(_hold.drawn + _hold.overdrawn))
    .where(HAS_ENDED, _hold.ended_at >= bindparam("start"), *_MADE_WITHIN)
    .group_by(_hold.price)
)
_UNENDED = select(
    _hold.price, _hold.parts, _hold.drawn, _hold.overdrawn, _hold.expires_at
).where(IS_UNENDED, _hold.expires_at > bindparam("start"), *_MADE_WITHIN)


class HoldsSpend(NamedTuple):
    """What holds that were made in a window come to, in minor units.

    Attributes:
        drawn: of credits, so far.
        kept: by those that are open.
    """

    drawn: int
    kept: int


class LimitQueries:
    """Queries of spend limits in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def limit(self, limit_id: str) -> LimitDefinition | None:
        """Return a limit by its id, canceled or not."""
        row = self.connection.execute(_LIMIT, {"limit_id": limit_id}).first()
        return None if row is None else SPEND_LIMITS.read(row)

    def of_customer(self, customer: str) -> list[LimitDefinition]:
        """Return the limits of a customer that are not canceled, oldest first."""
        rows = _OF_CUSTOMER.run(self.connection, {"customer": customer})
        return [*map(SPEND_LIMITS.read, rows)]

    def page(self, customer: str | None, page: Page) -> Sequence[LimitDefinition]:
        """Return a page of the limits that are not canceled, newest first."""
        wanted = _LIMITS.where(LIMITS_NOW, is_not_gone(spend_limit.c.customer))
        if customer is not None:
            wanted = wanted.where(spend_limit.c.customer == customer)
        rows = page.read(self.connection, spend_limit, wanted)
        return [SPEND_LIMITS.read(row) for row in rows]

    def holds_spend(
        self, limit: LimitDefinition, start: int, end: int, instant: int
    ) -> HoldsSpend:
        """Return what holds made in ``[start, end)`` come to that count for a limit.

        Args:
            limit: of a customer.
            start: microseconds since 1970 UTC.
            end: exclusive.
            instant: at which holds are open or not, not past.
        """
        given = {
            "customer": limit.customer,
            "currency": limit.currency,
            "start": start,
            "end": end,
        }
        settled = self.connection.execute(_SETTLED, given)
        drawn = sum(int(amount) for price, amount in settled if limit.counts(price))
        kept = 0
        for price, parts, of_hold, beyond, expires_at in self.connection.execute(
            _UNENDED, given
        ):
            if limit.counts(price):
                drawn += of_hold + beyond
                if expires_at > instant:
                    taken = decoded(_hold.parts, PARTS, parts)
                    kept += sum(part.amount for part in taken) - of_hold
        return HoldsSpend(drawn, kept)
