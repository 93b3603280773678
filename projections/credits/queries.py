"""Queries of credits, as one database transaction sees them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, func, select, true

from ledger.commits import HEAD_COLUMNS, head_of, log_time, read_head
from ledger.database.bulk import is_among
from ledger.database.connections import DriverStatement
from ledger.database.rows import RowsByKey, decoded
from ledger.entries import Head, recording_instant
from ledger.facts.instants import LogTime
from ledger.schema import log_head
from projections.credits.applications import read_applications
from projections.credits.drawable import drawable_grants
from projections.credits.hold_queries import HoldQueries
from projections.credits.tables import (
    COUNT_UNUSED,
    GRANTS,
    GRANTS_AND_USE,
    IS_HELD,
    IS_LIVE,
    IS_REINSTATED,
    NOTHING,
    PRICES,
    SELECT_GRANTS,
    credit_application,
    credit_customer_application,
    credit_grant,
    credit_grant_use,
)
from projections.kernels.credits.balances import Balance
from projections.kernels.credits.grants import Application, Grant
from projections.rows import Page
from projections.test_clocks.clocked import NOBODY, ClockedCustomers, is_not_gone

_GRANTS = SELECT_GRANTS
_GRANT = _GRANTS.where(credit_grant.c.grant_id == bindparam("grant_id"))
_GRANT_AT = _GRANTS.where(credit_grant.c.position == bindparam("position"))
_GRANTS_AT = _GRANTS.where(
    credit_grant.c.position.in_(bindparam("positions", expanding=True))
)
_GRANTS_OF = _GRANTS.where(credit_grant.c.customer == bindparam("customer")).order_by(
    credit_grant.c.position
)
_REMAINING = credit_grant_use.c.amount - credit_grant_use.c.applied
_LEFT = case((IS_LIVE, _REMAINING), else_=NOTHING)
_IS_EFFECTIVE = credit_grant.c.effective_at <= bindparam("instant")
_SUMS_OF = (
    select(
        credit_grant.c.currency,
        func.sum(_LEFT).label("ledger"),
        func.sum(case((_IS_EFFECTIVE, _LEFT), else_=NOTHING)).label("available"),
        func.sum(credit_grant_use.c.held).label("held"),
    )
    .select_from(GRANTS_AND_USE)
    .where(
        credit_grant.c.customer == bindparam("customer"),
        credit_grant.c.created <= bindparam("instant"),
    )
)
_SUMS_BY_CURRENCY = _SUMS_OF.group_by(credit_grant.c.currency)
_BALANCES_OF = DriverStatement(_SUMS_BY_CURRENCY.order_by(credit_grant.c.currency))
_sums = _SUMS_BY_CURRENCY.subquery()
_PRESENT = DriverStatement(
    select(*HEAD_COLUMNS, *_sums.c).select_from(log_head.outerjoin(_sums, true()))
)
_BALANCES_BY_SCOPE = DriverStatement(
    _SUMS_OF.add_columns(credit_grant.c.prices)
    .group_by(credit_grant.c.currency, credit_grant.c.prices)
    .order_by(credit_grant.c.currency, credit_grant.c.prices)
)
_COUNT_UNUSED = COUNT_UNUSED.where(credit_grant.c.customer == bindparam("customer"))

_APPLICATIONS = select(credit_application)
# Each has an index of its own.
_HELD, _GIVEN_BACK = (_APPLICATIONS.where(each) for each in (IS_HELD, IS_REINSTATED))
_ANY_GIVEN_BACK = select(credit_application.c.position).where(IS_REINSTATED).limit(1)
_IS_OF_INVOICE = credit_application.c.invoice == bindparam("invoice")
_HELD_BY = _HELD.where(_IS_OF_INVOICE)
_LAST_GIVEN_BACK_BY = (
    _GIVEN_BACK.where(_IS_OF_INVOICE)
    .order_by(credit_application.c.position.desc())
    .limit(1)
)
_APPLICATION_AT = _APPLICATIONS.where(
    credit_application.c.position == bindparam("position")
)
_place = credit_customer_application.c
_DRAWN = _APPLICATIONS.join(
    credit_customer_application, credit_application.c.position == _place.position
)
_DRAWN_BY = _DRAWN.where(_place.customer == bindparam("customer"))
_APPLICATIONS_OF = _DRAWN_BY.order_by(_place.recorded_at, _place.position)
# One search of an index each: an OR of both would go through all of a customer's.
_SINCE = (
    (_place.customer, _DRAWN.where(_place.recorded_at > bindparam("instant"))),
    (
        credit_application.c.customer,
        _APPLICATIONS.where(
            credit_application.c.reinstated_at > bindparam("instant"),
            credit_application.c.recorded_at <= bindparam("instant"),
        ),
    ),
)
_RECORDED_SINCE = _APPLICATIONS_OF.where(_place.recorded_at > bindparam("instant"))
_REINSTATED_SINCE = _APPLICATIONS.where(
    credit_application.c.customer == bindparam("customer"),
    credit_application.c.reinstated_at > bindparam("instant"),
    credit_application.c.recorded_at <= bindparam("instant"),
).order_by(credit_application.c.reinstated_at, credit_application.c.reinstated_position)


AT_ANY_TIME = -(2**62)
"""An instant before all others."""


def present_balances(
    connection: Connection, customer: str, instant: int
) -> tuple[Head, dict[str, Balance] | None]:
    """Read where the log ends, and the balances of a customer there, in one statement.

    Returns:
        The head, and what `CreditQueries.balances_of` returns; None where holds keep
        anything, which takes more statements.
    """
    rows = _PRESENT.run(connection, {"customer": customer, "instant": instant})
    found, heads, is_held = dict[str, Balance](), [], False
    for *head, currency, left, usable, held in rows.fetchall():
        heads = [head]
        is_held = is_held or bool(held)
        if currency is not None:
            found[currency] = Balance(int(left), int(usable))
    return head_of(heads), None if is_held else found


class CreditQueries:
    """Queries of grants and applications in one database transaction.

    Attributes:
        next_due: an instant before which no schedule grants anything that is not
            recorded, as far as the caller knows; None is never.
        clocked: who lives by a test clock, as far as the caller knows.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        next_due: int | None = AT_ANY_TIME,
        clocked: ClockedCustomers = NOBODY,
    ) -> None:
        self.connection = connection
        self.clocked = clocked
        self.next_due = next_due
        self.holds = HoldQueries(connection)

    def present(self, now: int) -> int:
        """Return the present instant: `now`, but never before the last recording."""
        return recording_instant(read_head(self.connection), now)

    def log_time(self) -> LogTime:
        """Return how the log's time was corrected."""
        return log_time(self.connection)

    def grant(self, grant_id: str) -> Grant | None:
        """Return a grant by its id."""
        return self._grant(_GRANT, {"grant_id": grant_id})

    def grant_at(self, position: int) -> Grant | None:
        """Return a grant by the position of its creation."""
        return self._grant(_GRANT_AT, {"position": position})

    def grants_drawn(self, application: Application) -> RowsByKey[int, Grant]:
        """Return the grants that an application drew from, by position."""
        positions = {draw.grant_position for draw in application.draws}
        found = self._grants(_GRANTS_AT, {"positions": sorted(positions)})
        return _by_position(found)

    def grants_named(self, grant_ids: Sequence[str]) -> RowsByKey[str, Grant]:
        """Return any number of grants by their ids."""
        is_wanted = is_among(self.connection, credit_grant.c.grant_id, grant_ids)
        found = self._grants(_GRANTS.where(is_wanted), {})
        return RowsByKey(credit_grant, ((grant.grant_id, grant) for grant in found))

    def grants_at(self, positions: Sequence[int]) -> RowsByKey[int, Grant]:
        """Return any number of grants by the positions of their creation."""
        is_wanted = is_among(self.connection, credit_grant.c.position, positions)
        return _by_position(self._grants(_GRANTS.where(is_wanted), {}))

    def grant_ids(self, positions: Sequence[int]) -> RowsByKey[int, str]:
        """Return the ids of any number of grants, by position."""
        wanted = select(credit_grant.c.position, credit_grant.c.grant_id).where(
            is_among(self.connection, credit_grant.c.position, positions)
        )
        rows = self.connection.execute(wanted)
        return RowsByKey(credit_grant, ((row.position, row.grant_id) for row in rows))

    def grants_of(self, customer: str) -> list[Grant]:
        """Return all grants of a customer, in the order of their creation."""
        return self._grants(_GRANTS_OF, {"customer": customer})

    def spendable_of(
        self, customer: str, instant: int, held: Mapping[int, int] | None = None
    ) -> list[Grant]:
        """Return the live grants that have credit left for a customer.

        Those of its pools are among them, with its share; see `drawable_grants`.
        """
        return drawable_grants(self.connection, customer, instant, held)

    def balances_of(self, customer: str, instant: int) -> dict[str, Balance]:
        """Return a customer's balances by currency, at an instant that is not past.

        They equal `projections.kernels.credits.balances.balances` of the grants. The
        database adds up, since a customer may have had thousands of grants.
        """
        sums: dict[str, Balance] = {}
        for _, currency, balance in self._sums(_BALANCES_OF, customer, instant):
            known = sums.get(currency)
            sums[currency] = balance if known is None else known.plus(balance)
        return sums

    def balances_by_scope(
        self, customer: str, instant: int
    ) -> list[tuple[tuple[str, ...] | None, str, Balance]]:
        """Return balances as `balances_of` does, but of each scope apart.

        Returns:
            The prices of a scope, None for every metered price; a currency; and a
            balance. Those of one scope and currency add up; sorted by currency.
        """
        found = self._sums(_BALANCES_BY_SCOPE, customer, instant)
        return [
            (decoded(credit_grant.c.prices, PRICES, prices), currency, balance)
            for prices, currency, balance in found
        ]

    def _sums(
        self, wanted: DriverStatement, customer: str, instant: int
    ) -> list[tuple[Any, str, Balance]]:
        """Return balances with their scope, as it is stored, and currency."""
        given = {"customer": customer, "instant": instant}
        rows = wanted.run(self.connection, given).fetchall()
        found, is_held = list[tuple[Any, str, Balance]](), False
        for currency, left, usable, held, *prices in rows:
            balance = Balance(int(left), int(usable))
            found.append((prices[0] if prices else None, currency, balance))
            is_held = is_held or bool(held)
        if not is_held:
            return found
        amounts = self.holds.held_of([customer], instant)
        for grant in self.grants_at(sorted(amounts)).values():
            if grant.pool is not None:
                continue
            scope = None if grant.prices is None else PRICES.encode(grant.prices)
            balance = Balance.taken_by_hold(grant, amounts[grant.position], instant)
            found.append((scope, grant.currency, balance))
        return sorted(found, key=lambda each: each[1])

    def unused_count(self, customer: str, instant: int) -> int:
        """Return how many grants of a customer an invoice may still draw from."""
        given = {"customer": customer, "instant": instant}
        return int(self.connection.execute(_COUNT_UNUSED, given).scalar_one())

    def page_of_grants(self, customer: str | None, page: Page) -> list[Grant]:
        """Return a page of grants, of one customer or all."""
        wanted = _GRANTS.where(is_not_gone(credit_grant.c.customer))
        if customer is not None:
            wanted = wanted.where(credit_grant.c.customer == customer)
        return self.grants_in(page.read(self.connection, credit_grant, wanted))

    def grants_in(self, rows: Iterable[Row[Any]]) -> list[Grant]:
        """Return the grants of rows of `SELECT_GRANTS`."""
        return self.holds.with_outliving([GRANTS.read(row) for row in rows])

    def application(self, invoice: str) -> Application | None:
        """Return the last application of credits to an invoice."""
        given = {"invoice": invoice}
        return self._application(_HELD_BY, given) or self._application(
            _LAST_GIVEN_BACK_BY, given
        )

    def application_at(self, position: int) -> Application | None:
        """Return an application by its position."""
        return self._application(_APPLICATION_AT, {"position": position})

    def applications_at(self, positions: Sequence[int]) -> RowsByKey[int, Application]:
        """Return applications by the positions of the facts that recorded them."""
        is_wanted = is_among(self.connection, credit_application.c.position, positions)
        found = self._applications(_APPLICATIONS.where(is_wanted), {})
        return RowsByKey(credit_application, ((each.position, each) for each in found))

    def reinstated_at(self, positions: Sequence[int]) -> RowsByKey[int, Application]:
        """Return applications by the positions of the facts that gave them back."""
        column = credit_application.c.reinstated_position
        is_wanted = is_among(self.connection, column, positions)
        found = self._applications(_GIVEN_BACK.where(is_wanted), {})
        return RowsByKey(
            credit_application,
            (
                (each.reinstated_position, each)
                for each in found
                if each.reinstated_position is not None
            ),
        )

    def applications_of(self, customer: str) -> list[Application]:
        """Return the applications that drew a customer's credits, in log order."""
        return self._applications(_APPLICATIONS_OF, {"customer": customer})

    def applications_since(self, customer: str, instant: int) -> list[Application]:
        """Return a customer's draws that were recorded or reinstated after an instant."""
        given = {"customer": customer, "instant": instant}
        return [
            *self._applications(_REINSTATED_SINCE, given),
            *self._applications(_RECORDED_SINCE, given),
        ]

    def applications_to(self, invoices: Sequence[str]) -> dict[str, Application]:
        """Return the last applications to some invoices; others are left out."""
        is_wanted = is_among(self.connection, credit_application.c.invoice, invoices)
        found = self._applications(_HELD.where(is_wanted), {})
        # Few invoices ever gave back: not to look for thousands where none did.
        if self.connection.execute(_ANY_GIVEN_BACK).first() is not None:
            in_order = credit_application.c.position
            given_back = _GIVEN_BACK.where(is_wanted).order_by(in_order)
            found = [*self._applications(given_back, {}), *found]
        return {each.invoice: each for each in found}

    def customers(self) -> list[str]:
        """Return the customers that have, or had, a grant."""
        wanted = select(credit_grant.c.customer).distinct()
        rows = self.connection.execute(wanted.order_by(credit_grant.c.customer))
        return list(rows.scalars())

    def customers_of(self, grants: Sequence[str], invoices: Sequence[str]) -> set[str]:
        """Return the customers of some grants, by id, and of invoices that gave back."""
        of_grants = select(credit_grant.c.customer)
        of_invoices = select(credit_application.c.customer).where(IS_REINSTATED)
        found: set[str] = set()
        for named, wanted, names in (
            (credit_grant.c.grant_id, of_grants, grants),
            (credit_application.c.invoice, of_invoices, invoices),
        ):
            if names:
                is_wanted = is_among(self.connection, named, names)
                rows = self.connection.execute(wanted.where(is_wanted))
                found.update(rows.scalars())
        return found

    def grants_of_many(self, customers: Sequence[str]) -> dict[str, list[Grant]]:
        """Return all grants of some customers, in the order of their creation."""
        is_wanted = is_among(self.connection, credit_grant.c.customer, customers)
        wanted = _GRANTS.where(is_wanted).order_by(credit_grant.c.position)
        found: dict[str, list[Grant]] = {}
        for grant in self._grants(wanted, {}):
            found.setdefault(grant.customer, []).append(grant)
        return found

    def applications_of_many_since(
        self, customers: Sequence[str], instant: int
    ) -> dict[str, list[Application]]:
        """Return `applications_since` of some customers, by customer."""
        found: dict[str, list[Application]] = {}
        for customer, since in _SINCE:
            is_wanted = is_among(self.connection, customer, customers)
            wanted = since.where(is_wanted).order_by(credit_application.c.position)
            for each in self._applications(wanted, {"instant": instant}):
                found.setdefault(each.customer, []).append(each)
        return found

    def _grant(self, wanted: Select[Any], given: dict[str, Any]) -> Grant | None:
        row = self.connection.execute(wanted, given).first()
        return None if row is None else self.grants_in([row])[0]

    def _grants(self, wanted: Select[Any], given: dict[str, Any]) -> list[Grant]:
        return self.grants_in(self.connection.execute(wanted, given))

    def _application(
        self, wanted: Select[Any], given: dict[str, Any]
    ) -> Application | None:
        row = self.connection.execute(wanted, given).first()
        return None if row is None else read_applications(self.connection, [row])[0]

    def _applications(
        self, wanted: Select[Any], given: dict[str, Any]
    ) -> list[Application]:
        rows = self.connection.execute(wanted, given).all()
        return read_applications(self.connection, rows)


def _by_position(grants: Iterable[Grant]) -> RowsByKey[int, Grant]:
    return RowsByKey(credit_grant, ((grant.position, grant) for grant in grants))
