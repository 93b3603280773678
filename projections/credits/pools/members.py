"""What members draw of the grants of pools during a run over many invoices.

A line draws from its customer's own grants first, and these are nobody else's. So what
all lines draw of their own is known before the first draws from a pool, and what is left
of the lines draws from pools one by one, in their order: what one member takes, the next
one lacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from sqlalchemy import Connection

from projections.credits.drawable import pools_of_grants
from projections.credits.hold_queries import HoldQueries
from projections.kernels.credits.burn_down_many import (
    EVERY_PRICE,
    NO_PRICE,
    Draws,
    InvoiceLines,
)
from projections.kernels.credits.pools import PoolShare, PoolUse
from projections.pools.queries import PoolQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledGrant:
    """A grant of a pool, as a run has it.

    Attributes:
        at: its index among the grants of the run.
        scope: a code, or `EVERY_PRICE`.
    """

    at: int
    pool_id: str
    currency: int
    effective_at: int
    expires_at: int
    scope: int

    def may_pay(
        self, price: int, period_end: int, scope_prices: set[tuple[int, int]]
    ) -> bool:
        """Whether a line may draw from it."""
        if not self.effective_at <= period_end < self.expires_at:
            return False
        is_listed = price != NO_PRICE and (self.scope, price) in scope_prices
        return self.scope == EVERY_PRICE or is_listed


@dataclass(slots=True)
class PoolMembers:
    """Who of a run's customers may take how much of which pool.

    Attributes:
        shares: what is left of the cap of a customer, by code, in a pool; None is no
            bound.
        pools: of each customer, by code.
    """

    shares: dict[tuple[int, str], int | None] = field(default_factory=dict)
    pools: dict[int, set[str]] = field(default_factory=dict)

    def read(
        self, connection: Connection, codes: Mapping[str, int], instant: int
    ) -> set[str]:
        """Read the shares of customers, and return the pools that they are members of.

        Args:
            connection: to the tables.
            codes: of the customers.
            instant: not past.
        """
        caps = PoolQueries(connection).caps_of_many([*codes])
        if not caps:
            return set()
        members = sorted({customer for customer, *_ in caps})
        held = HoldQueries(connection).held_by_customer(members, instant)
        pools = pools_of_grants(
            connection, {at for amounts in held.values() for at in amounts}
        )
        for customer, pool_id, cap, applied in caps:
            kept = sum(
                amount
                for at, amount in held.get(customer, {}).items()
                if pools.get(at) == pool_id
            )
            use = PoolUse(applied=applied, held=kept)
            code = codes[customer]
            self.shares[code, pool_id] = PoolShare.of(pool_id, cap, use).left
            self.pools.setdefault(code, set()).add(pool_id)
        return {pool_id for _, pool_id, *_ in caps}

    def give_back(self, customer: int, pool_id: str, amount: int) -> None:
        """Add to a share what an invoice gave back."""
        self._take(customer, pool_id, -amount)

    def draw(
        self,
        lines: InvoiceLines,
        own: Draws,
        grants: Sequence[PooledGrant],
        left: np.ndarray,
        scope_prices: set[tuple[int, int]],
    ) -> Draws:
        """Return draws of lines, of their own grants and then of pools.

        Args:
            lines: in the order in which they are settled.
            own: what they draw of their own grants.
            grants: of pools, usable now, in the order of drawing.
            left: of each grant of the run; what is drawn is taken off a copy.
            scope_prices: which prices a scope has, by their codes.
        """
        due = lines.amount.copy()
        np.subtract.at(due, own.line, own.amount)
        left = left.copy()
        found: list[tuple[int, int, int]] = []
        by_pools = _GrantsByPools(grants)
        customers = lines.account >> 16
        is_member = np.isin(customers, np.fromiter(self.pools, np.int64))
        for line in np.flatnonzero(is_member & (due > 0)).tolist():
            customer, currency = divmod(int(lines.account[line]), 1 << 16)
            price, period_end = int(lines.price[line]), int(lines.period_end[line])
            wanted = int(due[line])
            for grant in by_pools.of(frozenset(self.pools[customer])):
                if not wanted:
                    break
                if grant.currency == currency and grant.may_pay(
                    price, period_end, scope_prices
                ):
                    share = self.shares[customer, grant.pool_id]
                    amount = min(wanted, int(left[grant.at]))
                    amount = amount if share is None else min(amount, share)
                    if amount:
                        found.append((line, grant.at, amount))
                        left[grant.at] -= amount
                        self._take(customer, grant.pool_id, amount)
                        wanted -= amount
        if not found:
            return own
        shared = np.array(found, np.int64)
        of_line = np.append(own.line, shared[:, 0])
        order = np.argsort(of_line, kind="stable")
        return Draws(
            of_line[order],
            np.append(own.credit, shared[:, 1])[order],
            np.append(own.amount, shared[:, 2])[order],
        )

    def _take(self, customer: int, pool_id: str, amount: int) -> None:
        share = self.shares.get((customer, pool_id))
        if share is not None:
            self.shares[customer, pool_id] = share - amount


class _GrantsByPools:
    """The grants of some pools, in the order of drawing.

    Lines and pools are many: not to go through the grants of all pools for each line.
    """

    def __init__(self, grants: Sequence[PooledGrant]) -> None:
        self._grants = grants
        self._numbers: dict[str, list[int]] = {}
        for number, grant in enumerate(grants):
            self._numbers.setdefault(grant.pool_id, []).append(number)
        self._known: dict[frozenset[str], list[PooledGrant]] = {}

    def of(self, pools: frozenset[str]) -> Sequence[PooledGrant]:
        """Return the grants of the pools that a customer is a member of."""
        if pools not in self._known:
            numbers = (self._numbers.get(pool_id, ()) for pool_id in pools)
            in_order = sorted(chain.from_iterable(numbers))
            self._known[pools] = [self._grants[number] for number in in_order]
        return self._known[pools]
