"""Queries of credit schedules, and of what falls due by them."""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, bindparam, func, select

from ledger.database.bulk import is_among
from ledger.database.connections import DriverStatement
from ledger.facts.credits.grants import CreditGrantCreated
from projections.credits.queries import CreditQueries
from projections.credits.schedule_tables import (
    GRANTS_MORE,
    SCHEDULES,
    credit_schedule,
)
from projections.kernels.credits.grants import Grant, granted
from projections.kernels.credits.schedules import Schedule, due_grants
from projections.rows import Page
from projections.test_clocks.clocked import is_not_gone, lives_by_the_log

_schedule = credit_schedule.c
_SCHEDULES = select(credit_schedule)
_SCHEDULE = _SCHEDULES.where(_schedule.schedule_id == bindparam("schedule_id"))
_NEXT_DUE = DriverStatement(
    select(func.min(_schedule.due_at)).where(
        GRANTS_MORE, lives_by_the_log(_schedule.customer)
    )
)
_DUE = (
    _SCHEDULES.where(GRANTS_MORE, _schedule.due_at <= bindparam("instant"))
    .order_by(_schedule.due_at, _schedule.position)
    .limit(bindparam("at_most"))
)
_ANY_DUE_OF = (
    select(_schedule.position)
    .where(GRANTS_MORE, _schedule.due_at <= bindparam("instant"))
    .limit(1)
)
_COUNT_OF = (
    select(func.count())
    .select_from(credit_schedule)
    .where(_schedule.customer == bindparam("customer"), _schedule.canceled_at.is_(None))
)


class ScheduleQueries:
    """Queries of schedules in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def _credit(self) -> CreditQueries:
        return CreditQueries(self.connection)

    def schedule(self, schedule_id: str) -> Schedule | None:
        """Return a schedule by its id."""
        given = {"schedule_id": schedule_id}
        row = self.connection.execute(_SCHEDULE, given).first()
        return None if row is None else SCHEDULES.read(row)

    def page(self, customer: str | None, page: Page) -> list[Schedule]:
        """Return a page of schedules, of one customer or all."""
        wanted = _SCHEDULES.where(is_not_gone(_schedule.customer))
        if customer is not None:
            wanted = wanted.where(_schedule.customer == customer)
        rows = page.read(self.connection, credit_schedule, wanted)
        return [SCHEDULES.read(row) for row in rows]

    def count_of(self, customer: str) -> int:
        """Return how many schedules of a customer are not cancelled."""
        given = {"customer": customer}
        return int(self.connection.execute(_COUNT_OF, given).scalar_one())

    def next_due(self) -> int | None:
        """Return when the next grant of any schedule falls due, or fell.

        Customers of test clocks are left out, here and where everybody's are meant.
        """
        found: int | None = _NEXT_DUE.run(self.connection, {}).fetchone()[0]
        return found

    def next_due_of(self, customers: Collection[str]) -> int | None:
        """Return when the next grant of some customers falls due, or fell."""
        is_wanted = is_among(self.connection, _schedule.customer, sorted(customers))
        wanted = select(func.min(_schedule.due_at)).where(GRANTS_MORE, is_wanted)
        found: int | None = self.connection.execute(wanted).scalar()
        return found

    def are_due(self, customers: Collection[str], instant: int) -> bool:
        """Whether a grant of some customers has fallen due by an instant."""
        is_wanted = is_among(self.connection, _schedule.customer, sorted(customers))
        wanted = _ANY_DUE_OF.where(is_wanted)
        found = self.connection.execute(wanted, {"instant": instant})
        return found.first() is not None

    def due(
        self, customers: Collection[str] | None, instant: int, at_most: int
    ) -> Iterator[CreditGrantCreated]:
        """Yield the grants that have fallen due and that nobody recorded.

        Args:
            customers: whose; None is everybody's.
            instant: inclusive, not past.
            at_most: about how many. Those of a period are not parted.
        """
        given = {"instant": instant, "at_most": at_most}
        if customers is None:
            wanted = _DUE.where(lives_by_the_log(_schedule.customer))
        else:
            is_wanted = is_among(self.connection, _schedule.customer, sorted(customers))
            wanted = _DUE.where(is_wanted)
        rows = self.connection.execute(wanted, given).all()
        schedules = [SCHEDULES.read(row) for row in rows]
        positions = {each.granted_position or 0 for each in schedules} - {0}
        last = dict(self._credit.grants_at(sorted(positions)))
        found = 0
        for schedule in schedules:
            before = last.get(schedule.granted_position or 0)
            for facts in due_grants(schedule, before, self._held, instant):
                yield from facts
                found += len(facts)
                if found >= at_most:
                    return

    def ahead(self, customer: str, instant: int, at_most: int) -> list[Grant]:
        """Return the grants of a customer that are not recorded, and fall due by then.

        They have positions of their own, all below 0.
        """
        due = self.due([customer], instant, at_most)
        return [granted(fact, -at, fact.effective_at) for at, fact in enumerate(due, 1)]

    def _held(self, grant: Grant, instant: int) -> int:
        """Return what holds keep of a grant that ends at an instant no fact followed.

        A hold that ends then ends behind the grant.
        """
        if not grant.held:
            return 0
        amounts = self._credit.holds.open_of(grant.customer, instant - 1).amounts
        return amounts[grant.position]
