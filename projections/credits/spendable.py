"""The grants of many customers as columns, read once and drawn down during a run.

They stay true as long as no other process records a fact, since what the run records is drawn
here too. So a run over many invoices reads the grants of a customer once and not once a
commit.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from ledger.commits import read_head
from ledger.database.bulk import is_among, read_columns
from ledger.database.rows import decoded
from ledger.facts.credits.grants import GrantCategory
from projections.credits.hold_queries import HoldQueries
from projections.credits.tables import (
    GRANTS_AND_USE,
    HAS_CREDIT,
    IS_LIVE,
    PRICES,
    credit_grant,
    credit_grant_use,
)
from projections.kernels.credits.burn_down import NEVER
from projections.kernels.credits.burn_down_many import EVERY_PRICE, UsableGrants

_GRANTS_AT_MOST = 1_000_000
_PAID = GrantCategory.PAID.value
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
        self._customers.of_all(unknown)
        statement = self._wanted.where(
            is_among(connection, credit_grant.c.customer, unknown)
        )
        *columns, held = read_columns(connection, statement, {"instant": instant})
        if any(held):
            self._has_holds = True
            amounts = HoldQueries(connection).held_of(unknown, instant)
            positions, left = columns[0], columns[4]
            columns[4] = [
                one - amounts[at] for at, one in zip(positions, left, strict=True)
            ]
        self._add(columns)

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

    def draw(self, at: np.ndarray, amounts: np.ndarray) -> None:
        """Take off what the commit in hand draws; `recorded` follows."""
        np.subtract.at(self._columns[2], at, amounts)

    def give_back(self, amounts: Mapping[int, int]) -> None:
        """Add what the commit in hand gives back, by the position of the grant.

        What comes back to a grant that is not live expires at once.
        """
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
