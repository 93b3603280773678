"""The grants of many customers as columns, read once and drawn down during a run.

They stay true as long as no other process records a fact, since what the run records is drawn
here too. So a run over many invoices reads the grants of a customer once and not once a
commit.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, select

from ledger.commits import read_head
from ledger.database.bulk import is_among, read_columns
from ledger.database.rows import decoded
from ledger.facts.credits.grants import GrantCategory
from projections.credits.hold_queries import HoldQueries
from projections.credits.pools.members import PooledGrant, PoolMembers
from projections.credits.tables import (
    GRANTS_AND_USE,
    HAS_CREDIT,
    IS_LIVE,
    PRICES,
    credit_grant,
    credit_grant_use,
)
from projections.kernels.credits.burn_down import NEVER
from projections.kernels.credits.burn_down_many import (
    EVERY_PRICE,
    Draws,
    InvoiceLines,
    UsableGrants,
)
from projections.kernels.credits.grants import Application
from projections.pools.queries import PoolQueries

_GRANTS_AT_MOST = 1_000_000
_PAID = GrantCategory.PAID.value
_POOL = "\0"
"""Begins the name of a pool among those of customers, which never begin so."""
_COLUMNS = (
    credit_grant.c.position,
    credit_grant.c.grant_id,
    credit_grant.c.customer,
    credit_grant.c.currency,
    credit_grant_use.c.amount - credit_grant_use.c.applied,
    credit_grant.c.effective_at,
    credit_grant.c.expires_at,
    credit_grant.c.priority,
    credit_grant.c.category,
    credit_grant.c.prices,
    credit_grant.c.pool,
    credit_grant_use.c.held,
)
_LIVE = select(*_COLUMNS).select_from(GRANTS_AND_USE).where(IS_LIVE)
_SPENDABLE = _LIVE.where(HAS_CREDIT)


class Codes:
    """Numbers for strings, from 0, in the order in which they came."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {}

    def __len__(self) -> int:
        """Return how many strings have a number."""
        return len(self._codes)

    def __contains__(self, string: str) -> bool:
        """Whether a string has a number."""
        return string in self._codes

    def strings(self, numbers: Container[int]) -> set[str]:
        """Return the strings that have some numbers."""
        found = self._codes.items()
        return {each for each, number in found if each and number in numbers}

    def of(self, string: str) -> int:
        """Return the number of a string, a new one where it has none."""
        return self._codes.setdefault(string, len(self._codes))

    def known(self, strings: Sequence[str | None]) -> np.ndarray:
        """Return the numbers (int64) of strings, -1 for those that have none."""
        numbers = map(self._codes.get, strings, repeat(-1))
        return np.fromiter(numbers, np.int64, len(strings))

    def of_all(self, strings: Sequence[str]) -> np.ndarray:
        """Return the numbers (int64) of strings, new ones where they have none."""
        codes = self._codes
        for string in strings:
            if string not in codes:
                codes[string] = len(codes)
        return np.fromiter(map(codes.__getitem__, strings), np.int64, len(strings))


class Spendable:
    """The grants that customers can spend, kept up to date during a run.

    Args:
        with_used_up: whether grants of which nothing is left are among them, since
            credits may come back to them.

    Attributes:
        prices: numbers of prices.
        grant_ids: of each grant.
        positions: of each grant's creation (int64).
    """

    def __init__(self, *, with_used_up: bool = False) -> None:
        self._wanted = _LIVE if with_used_up else _SPENDABLE
        self._facts_position = -1
        self._forget()

    def _forget(self) -> None:
        self._has_holds = False
        self._customers, self._currencies = Codes(), Codes()
        self.prices = Codes()
        self._scopes: dict[bytes | None, int] = {None: EVERY_PRICE}
        self._scope_prices: list[tuple[int, int]] = []
        self.grant_ids: list[str] = []
        self.positions = np.zeros(0, np.int64)
        self._columns = np.zeros((8, 0), np.int64)
        self._members = PoolMembers()
        self._pools: dict[int, str] = {}

    def read(
        self, connection: Connection, customers: Sequence[str], instant: int
    ) -> None:
        """Read the grants of customers that are not known yet.

        Args:
            connection: holds the write lock, so that the grants stay true.
            customers: whose grants.
            instant: of the database transaction.
        """
        facts_position = read_head(connection).facts_position
        is_full = len(self.grant_ids) > _GRANTS_AT_MOST
        # Holds expire without a fact.
        is_stale = facts_position != self._facts_position or self._has_holds
        if is_stale or is_full:
            self._forget()
            self._facts_position = facts_position
        unknown = [
            each for each in dict.fromkeys(customers) if each not in self._customers
        ]
        if not unknown:
            return
        codes = self._customers.of_all(unknown).tolist()
        is_own = is_among(connection, credit_grant.c.customer, unknown)
        self._read_grants(connection, is_own, unknown, instant)
        members = dict(zip(unknown, codes, strict=True))
        pools = self._members.read(connection, members, instant)
        added = sorted(pools.difference(self._pools.values()))
        if pools:
            # What holds keep of a share is not read with the grants that are live.
            self._has_holds = True
        if added:
            is_pooled = is_among(connection, credit_grant.c.pool, added)
            holders = sorted(PoolQueries(connection).holders(added))
            self._read_grants(connection, is_pooled, holders, instant)

    def _read_grants(
        self,
        connection: Connection,
        is_wanted: ColumnElement[bool],
        holders: Sequence[str],
        instant: int,
    ) -> None:
        """Read grants.

        Args:
            connection: to the tables.
            is_wanted: which.
            holders: the customers whose holds may keep something of them.
            instant: of the database transaction.
        """
        statement = self._wanted.where(is_wanted)
        given = {"instant": instant}
        *columns, pools, held = read_columns(connection, statement, given)
        columns[2] = [
            customer or f"{_POOL}{pool_id}"
            for customer, pool_id in zip(columns[2], pools, strict=True)
        ]
        if any(held):
            self._has_holds = True
            amounts = HoldQueries(connection).held_of(holders, instant)
            positions, left = columns[0], columns[4]
            columns[4] = [
                one - amounts[at] for at, one in zip(positions, left, strict=True)
            ]
        first = len(self.grant_ids)
        self._add(columns)
        self._pools |= {
            at: pool_id for at, pool_id in enumerate(pools, first) if pool_id
        }

    def _add(self, columns: list[list[Any]]) -> None:
        (positions, ids, customers, currencies, left, starts, ends, *others) = columns
        priorities, categories, scopes = others
        for scope in {*scopes}.difference(self._scopes):
            self._know(scope)
        self.grant_ids += ids
        self.positions = np.append(self.positions, np.array(positions, np.int64))
        added = (
            self._customers.of_all(customers),
            self._currencies.of_all(currencies),
            left,
            starts,
            [NEVER if end is None else end for end in ends],
            priorities,
            [category == _PAID for category in categories],
            list(map(self._scopes.__getitem__, scopes)),
        )
        block = np.array(added, np.int64)
        self._columns = np.concatenate([self._columns, block], axis=1)

    def _know(self, scope: bytes) -> None:
        self._scopes[scope] = number = len(self._scopes) - 1
        self._scope_prices += [
            (number, self.prices.of(price))
            for price in decoded(credit_grant.c.prices, PRICES, scope)
        ]

    def customer_codes(self, customers: Sequence[str]) -> np.ndarray:
        """Return the numbers (int64) of customers, -1 for those that were not read."""
        return self._customers.known(customers)

    def currency_codes(self, currencies: Sequence[str]) -> np.ndarray:
        """Return the numbers (int64) of currencies."""
        return self._currencies.of_all(currencies)

    def accounts(self, customers: np.ndarray, currencies: np.ndarray) -> np.ndarray:
        """Return the account of each pair of a customer, read before, and a currency."""
        accounts: np.ndarray = customers << 16 | currencies
        return accounts

    def price_codes(self, prices: Sequence[str | None]) -> np.ndarray:
        """Return the numbers (int64) of prices, `NO_PRICE` for those in no scope."""
        return self.prices.known(prices)

    def credits(
        self, accounts: np.ndarray, instant: int
    ) -> tuple[UsableGrants, np.ndarray]:
        """Return the grants of some accounts that can be used now.

        Returns:
            The grants, and the index of each.
        """
        customer, currency, left, start, end, priority, is_paid, scope = self._columns
        account = customer << 16 | currency
        is_wanted = np.zeros(len(self._customers), bool)
        is_wanted[accounts >> 16] = True
        chosen = np.flatnonzero(
            (left > 0) & (start <= instant) & (instant < end) & is_wanted[customer]
        )
        keys = (self.positions, start, is_paid, end, priority, account)
        order = np.lexsort([key[chosen] for key in keys])
        at = chosen[order]
        scope_prices = np.array(self._scope_prices, np.int64).reshape(-1, 2)
        grants = UsableGrants(
            account=account[at],
            remaining=left[at],
            effective_at=start[at],
            expires_at=end[at],
            scope=scope[at],
            scope_prices=scope_prices,
        )
        return grants, at

    def draw_shared(self, lines: InvoiceLines, own: Draws, instant: int) -> Draws:
        """Add to draws of customers' own grants what their lines draw of pools.

        Args:
            lines: in the order in which they are settled.
            own: what they draw, by the index of the grant in the run.
            instant: at which grants are usable.
        """
        if not self._pools:
            return own
        _, currency, left, start, end, priority, is_paid, scope = self._columns
        at = np.fromiter(self._pools, np.int64)
        at = at[(left[at] > 0) & (start[at] <= instant) & (instant < end[at])]
        keys = (self.positions, start, is_paid, end, priority)
        at = at[np.lexsort([key[at] for key in keys])]
        grants = [
            PooledGrant(
                at=each,
                pool_id=self._pools[each],
                currency=int(currency[each]),
                effective_at=int(start[each]),
                expires_at=int(end[each]),
                scope=int(scope[each]),
            )
            for each in at.tolist()
        ]
        return self._members.draw(lines, own, grants, left, {*self._scope_prices})

    def sharing(self, given_back: Iterable[Application]) -> set[str]:
        """Return the customers that draw from pools, or that give back to one.

        Args:
            given_back: what the commit in hand gives back.
        """
        if not self._pools:
            return set()
        pooled = {int(self.positions[at]) for at in self._pools}
        return self._customers.strings(self._members.pools).union(
            each.customer
            for each in given_back
            if any(draw.grant_position in pooled for draw in each.draws)
        )

    def draw(self, at: np.ndarray, amounts: np.ndarray) -> None:
        """Take off what the commit in hand draws; `recorded` follows."""
        np.subtract.at(self._columns[2], at, amounts)

    def give_back(self, parts: Mapping[tuple[str, int], int]) -> None:
        """Add what the commit in hand gives back, by customer and position of the grant.

        What comes back to a grant that is not live expires at once.
        """
        amounts: Counter[int] = Counter()
        for (_, position), amount in parts.items():
            amounts[position] += amount
        if self._pools:
            pools = {int(self.positions[at]): each for at, each in self._pools.items()}
            for (customer, position), amount in parts.items():
                if position in pools:
                    [code] = self._customers.known([customer]).tolist()
                    self._members.give_back(code, pools[position], amount)
        given = np.array(sorted(amounts.items()), np.int64).reshape(-1, 2)
        order = np.argsort(self.positions)
        at = np.searchsorted(self.positions, given[:, 0], sorter=order)
        is_within = at < len(order)
        at, given = order[at[is_within]], given[is_within]
        is_known = self.positions[at] == given[:, 0]
        np.add.at(self._columns[2], at[is_known], given[is_known, 1])

    def recorded(self, position: int) -> None:
        """Go on from a commit of this run; `position` is its last."""
        self._facts_position = position
