"""Queries of the grants of pools, and of what a customer has of one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from projections.credits.drawable import held_of_pools
from projections.credits.queries import CreditQueries
from projections.credits.tables import COUNT_UNUSED, SELECT_GRANTS, credit_grant
from projections.kernels.credits.grants import Grant
from projections.kernels.credits.pools import PoolUse
from projections.pools.queries import PoolQueries
from projections.rows import Page

_grant = credit_grant.c
_IS_OF_POOL = _grant.pool == bindparam("pool_id")
_GRANTS_OF = SELECT_GRANTS.where(_IS_OF_POOL)
_COUNT_UNUSED = COUNT_UNUSED.where(_IS_OF_POOL)
_CURRENCIES = select(_grant.currency).where(_IS_OF_POOL).distinct()


class PoolGrants:
    """Queries of one pool's grants in one database transaction."""

    def __init__(self, seen: CreditQueries, pool_id: str) -> None:
        self._seen = seen
        self._given: dict[str, Any] = {"pool_id": pool_id}
        self.pool_id = pool_id

    def all(self) -> list[Grant]:
        """Return all grants, in the order of their creation."""
        wanted = _GRANTS_OF.order_by(_grant.position)
        rows = self._seen.connection.execute(wanted, self._given)
        return self._seen.grants_in(rows)

    def page(self, page: Page) -> list[Grant]:
        """Return a page of the grants."""
        wanted = _GRANTS_OF.params(self._given)
        rows = page.read(self._seen.connection, credit_grant, wanted)
        return self._seen.grants_in(rows)

    def unused_count(self, instant: int) -> int:
        """Return how many of the grants an invoice may still draw from."""
        given = {**self._given, "instant": instant}
        return int(self._seen.connection.execute(_COUNT_UNUSED, given).scalar_one())

    def currencies(self) -> set[str]:
        """Return the currencies of the grants, ended ones too."""
        rows = self._seen.connection.execute(_CURRENCIES, self._given)
        return set(rows.scalars())

    def use_by(self, customer: str, instant: int) -> PoolUse:
        """Return what a customer has of the pool at an instant that is not past."""
        connection = self._seen.connection
        held = self._seen.holds.open_of(customer, instant).amounts
        return PoolUse(
            applied=PoolQueries(connection).applied(self.pool_id, customer),
            held=held_of_pools(connection, held)[self.pool_id],
        )

    def above(
        self, cap: int, instant: int, customers: Sequence[str]
    ) -> tuple[str, int] | None:
        """Return the first of some customers that has more than a cap, and how much."""
        for customer in customers:
            taken = self.use_by(customer, instant).taken
            if taken > cap:
                return customer, taken
        return None
