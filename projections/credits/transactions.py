"""Pages of credit transactions, read from the rows that they follow from.

Every kind of transaction has an index that keeps its order. Each kind is read from the
page's place on, some rows at a time, and what was read is merged. So a page costs the
same however long the history is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice, takewhile
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from ledger.database.keysets import Keyset
from ledger.database.rows import RowsByKey
from projections.credits.applications import read_applications
from projections.credits.hold_tables import (
    HOLDS,
    IS_LATE,
    IS_UNENDED,
    credit_hold,
)
from projections.credits.queries import CreditQueries
from projections.credits.tables import (
    IS_ENDED,
    IS_REINSTATED,
    IS_VOIDED,
    MAY_EXPIRE,
    SELECT_GRANTS,
    credit_application,
    credit_customer_application,
    credit_grant,
    credit_movement,
)
from projections.kernels.credits.grants import Application, Grant
from projections.kernels.credits.holds import returns
from projections.kernels.credits.timeline import (
    CreditTransaction,
    TransactionOrder,
    applied_transactions,
    end_order,
    ended_transaction,
    grant_transactions,
    granted_transaction,
    late_transactions,
    reinstated_transactions,
)
from projections.pools.tables import credit_pool_use

_application, _grant, _movement, _drawing = (
    credit_application.c,
    credit_grant.c,
    credit_movement.c,
    credit_customer_application.c,
)
_OF_CUSTOMER = select(credit_application).where(
    _application.customer == bindparam("customer")
)
_GRANTS_OF = SELECT_GRANTS.where(_grant.customer == bindparam("customer"))

_APPLIED = Keyset(
    select(credit_customer_application).where(
        _drawing.customer == bindparam("customer")
    ),
    (_drawing.recorded_at, _drawing.position),
)
_REINSTATED = Keyset(
    _OF_CUSTOMER.where(IS_REINSTATED),
    (_application.reinstated_at, _application.reinstated_position),
)
_GRANTED = Keyset(_GRANTS_OF, (_grant.created, _grant.position))
_VOIDED = Keyset(
    _GRANTS_OF.where(IS_VOIDED), (_grant.voided_at, _grant.voided_position)
)
_ENDED = Keyset(
    _GRANTS_OF.where(IS_ENDED), (_grant.expires_at, _grant.expired_position)
)
_EXPIRED = Keyset(_GRANTS_OF.where(MAY_EXPIRE), (_grant.expires_at, _grant.position))
_MOVED = Keyset(
    select(
        credit_application,
        _movement.instant,
        _movement.position.label("moved_at"),
    )
    .join_from(
        credit_movement,
        credit_application,
        _application.position
        == func.coalesce(_movement.application_position, _movement.position),
    )
    .where(_movement.grant_position == bindparam("grant_position")),
    (_movement.instant, _movement.position),
)

_OF_HOLDS = select(credit_hold).where(credit_hold.c.customer == bindparam("customer"))
_OF_POOL = select(credit_hold).where(
    credit_hold.c.customer.in_(
        select(credit_pool_use.c.customer).where(
            credit_pool_use.c.pool_id == bindparam("pool_id")
        )
    )
)
_ENDS = (credit_hold.c.ended_at, credit_hold.c.ended_position)
_EXPIRES = (credit_hold.c.expires_at, credit_hold.c.position)
_RETURNED, _RETURNED_TO_POOL = (
    Keyset(each.where(IS_LATE), _ENDS) for each in (_OF_HOLDS, _OF_POOL)
)
_LAPSED, _LAPSED_OF_POOL = (
    Keyset(each.where(IS_UNENDED), _EXPIRES) for each in (_OF_HOLDS, _OF_POOL)
)

_Ordered = Iterator[tuple[TransactionOrder, CreditTransaction | None]]
"""Transactions in order; None stands where a row has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage:
    """Which transactions to read of many.

    Attributes:
        limit: how many at most.
        now: only those that have happened by then.
        before: only those that happened before one, and the last of them.
        after: only those that happened after one, and the first of them.
    """

    limit: int
    now: int
    before: CreditTransaction | None = None
    after: CreditTransaction | None = None

    @property
    def newest_first(self) -> bool:
        """The direction in which the transactions are read."""
        return self.after is None

    @property
    def place(self) -> tuple[int, ...]:
        """Beyond which instant and position recorded facts are read, exclusive."""
        step = 1 if self.newest_first else -1
        if self._cursor is None:
            return (self.now + 1,)
        instant, position, *_ = self._cursor.order
        if position == 0:
            # Time comes before what is recorded at its instant, grants before holds.
            return (instant if self.newest_first else instant - 1,)
        # The cursor's fact may have further transactions.
        return instant, position + step

    @property
    def expiry_place(self) -> tuple[int, ...]:
        """Beyond which instant and grant expiries by time are read, exclusive."""
        if self._cursor is None:
            return (self.now + 1,)
        instant, position, *_, grant_position = self._cursor.order
        if position == 0 and self._cursor.hold is None:
            return instant, grant_position
        return (instant + 1 if self.newest_first else instant,)

    @property
    def hold_expiry_place(self) -> tuple[int, ...]:
        """Beyond which instant and hold the expiries of holds are read, exclusive."""
        if self._cursor is None:
            return (self.now + 1,)
        instant, position, *_ = self._cursor.order
        if position == 0:
            # The cursor's hold may have further transactions.
            step = 1 if self.newest_first else -1
            hold = self._cursor.hold
            return self.place if hold is None else (instant, hold.position + step)
        return (instant + 1 if self.newest_first else instant,)

    @property
    def _cursor(self) -> CreditTransaction | None:
        return self.before or self.after

    def has(self, order: TransactionOrder) -> bool:
        """Whether a transaction is beyond the cursor."""
        if self._cursor is None:
            return True
        start = self._cursor.order
        return order < start if self.newest_first else order > start


class TransactionReader:
    """Reads one page, newest first, in one database transaction."""

    def __init__(self, seen: CreditQueries, page: TransactionPage) -> None:
        self._seen = seen
        self._page = page
        self._grants: RowsByKey[int, Grant] = RowsByKey(credit_grant, ())

    def of_customer(self, customer: str) -> list[CreditTransaction]:
        """Return the page of a customer's transactions."""
        given = {"customer": customer}
        place, expiry = self._page.place, self._page.expiry_place
        return self._merged(
            self._read(_APPLIED, place, given, self._applied),
            self._read(_REINSTATED, place, given, self._reinstated),
            self._read(_GRANTED, place, given, self._granted),
            self._read(_VOIDED, place, given, self._ended),
            self._read(_ENDED, place, given, self._ended),
            self._read(_EXPIRED, expiry, given, self._ended),
            *self._of_holds(customer),
        )

    def of_grant(self, grant: Grant) -> list[CreditTransaction]:
        """Return the page of a grant's transactions."""
        self._grants[grant.position] = grant
        own = grant_transactions(grant, grant.left_at_its_end)
        happened = sorted(
            (each for each in own if each.instant <= self._page.now),
            key=lambda each: each.order,
            reverse=self._page.newest_first,
        )
        given = {"grant_position": grant.position}
        moved = self._read(_MOVED, self._page.place, given, self._moved)
        late = list[_Ordered]()
        if grant.end is not None and grant.pool is not None:
            late = self._of_pool(grant.pool)
        elif grant.end is not None:
            late = self._of_holds(grant.customer)
        of_it = (
            (each for each in source if each[1] and each[1].grant is grant)
            for source in (moved, *late)
        )
        return self._merged(((each.order, each) for each in happened), *of_it)

    def _of_holds(self, customer: str) -> list[_Ordered]:
        """Return what holds returned too late, by facts and by time."""
        given, page = {"customer": customer}, self._page
        return [
            self._read(_RETURNED, page.place, given, self._returned),
            self._read(_LAPSED, page.hold_expiry_place, given, self._returned),
        ]

    def _of_pool(self, pool_id: str) -> list[_Ordered]:
        """Return what holds of all that ever had something of a pool returned too late."""
        given, page = {"pool_id": pool_id}, self._page
        return [
            self._read(_RETURNED_TO_POOL, page.place, given, self._returned),
            self._read(_LAPSED_OF_POOL, page.hold_expiry_place, given, self._returned),
        ]

    def _merged(self, *sources: _Ordered) -> list[CreditTransaction]:
        page = self._page
        found = merge(*sources, key=lambda each: each[0], reverse=page.newest_first)
        happened = takewhile(lambda each: each[0][0] <= page.now, found)
        within = (made for order, made in happened if made and page.has(order))
        read = list(islice(within, page.limit))
        return read if page.newest_first else read[::-1]

    def _read(
        self,
        keyset: Keyset,
        place: tuple[int, ...],
        given: Mapping[str, object],
        made: Callable[[Sequence[Row[Any]]], _Ordered],
    ) -> _Ordered:
        for rows in keyset.rows(
            self._seen.connection,
            place,
            given,
            newest_first=self._page.newest_first,
            at_a_time=self._page.limit,
        ):
            yield from made(rows)

    def _applied(self, rows: Sequence[Row[Any]]) -> _Ordered:
        found = self._seen.applications_at([row.position for row in rows])
        applications = [found[row.position] for row in rows]
        self._read_grants(applications)
        for application in applications:
            yield from self._in_order(applied_transactions(application, self._grants))

    def _reinstated(self, rows: Sequence[Row[Any]]) -> _Ordered:
        for application in self._with_grants(rows):
            made = reinstated_transactions(application, self._grants)
            yield from self._in_order(made)

    def _moved(self, rows: Sequence[Row[Any]]) -> _Ordered:
        for row, application in zip(rows, self._with_grants(rows), strict=True):
            is_applied = row.moved_at == application.position
            made = applied_transactions if is_applied else reinstated_transactions
            yield from self._in_order(made(application, self._grants))

    def _granted(self, rows: Sequence[Row[Any]]) -> _Ordered:
        for grant in self._seen.grants_in(rows):
            made = granted_transaction(grant)
            yield made.order, made

    def _ended(self, rows: Sequence[Row[Any]]) -> _Ordered:
        for grant in self._seen.grants_in(rows):
            yield end_order(grant), ended_transaction(grant, grant.left_at_its_end)

    def _returned(self, rows: Sequence[Row[Any]]) -> _Ordered:
        holds = [HOLDS.read(row) for row in rows]
        self._know(part.grant_position for hold in holds for part in hold.parts)
        for hold in holds:
            late = late_transactions(returns(hold), self._grants)
            yield from self._in_order(sorted(late, key=lambda each: each.order))

    def _with_grants(self, rows: Sequence[Row[Any]]) -> list[Application]:
        """Return the applications of rows, and read the grants that they drew from."""
        found = read_applications(self._seen.connection, rows)
        self._read_grants(found)
        return found

    def _read_grants(self, applications: Sequence[Application]) -> None:
        """Read the grants that applications drew from, as far as they are not known."""
        self._know(draw.grant_position for each in applications for draw in each.draws)

    def _know(self, positions: Iterable[int]) -> None:
        missing = sorted({*positions} - self._grants.keys())
        if missing:
            self._grants |= self._seen.grants_at(missing)

    def _in_order(self, made: Iterable[CreditTransaction]) -> _Ordered:
        ordered = list(made)
        for each in reversed(ordered) if self._page.newest_first else ordered:
            yield each.order, each
