"""Queries of test clocks, as one database transaction sees them."""

from collections.abc import Set as AbstractSet

from sqlalchemy import Connection, bindparam, func, select

from projections.kernels.credits.falls import Occurrence
from projections.kernels.test_clocks import (
    KEPT,
    ClockDefinition,
    ClockStatus,
    ClockTimes,
    FrozenTime,
)
from projections.rows import Page
from projections.test_clocks.tables import (
    CLOCKS,
    clock_time,
    clocked_customer,
    test_clock,
)

_BEFORE_ALL = -(2**62)
_CLOCKS = select(test_clock)
_CLOCK = _CLOCKS.where(test_clock.c.test_clock_id == bindparam("test_clock_id"))
_ANY = select(test_clock.c.position).limit(1)
_LIVING = select(test_clock.c.test_clock_id).where(test_clock.c.is_deleted == 0)
_ADVANCING = _LIVING.where(test_clock.c.status == ClockStatus.ADVANCING.value).order_by(
    test_clock.c.position
)
_CLOCKED = select(clocked_customer).order_by(clocked_customer.c.position)
_WITH_CUSTOMERS = _CLOCKS.where(
    test_clock.c.test_clock_id.in_(select(clocked_customer.c.test_clock_id))
)
_COUNT = select(func.count()).where(
    clocked_customer.c.test_clock_id == bindparam("test_clock_id")
)
_TIMES = (
    select(clock_time.c.position, clock_time.c.instant)
    .where(clock_time.c.test_clock_id == bindparam("test_clock_id"))
    .order_by(clock_time.c.position)
)


def read_clocked(connection: Connection) -> dict[str, FrozenTime]:
    """Return what the clocks of customers show and showed, by customer."""
    clocks = [CLOCKS.read(row) for row in connection.execute(_WITH_CUSTOMERS)]
    seen = ClockQueries(connection)
    shown = {
        each.test_clock_id: (each, seen.times(each.test_clock_id)) for each in clocks
    }
    found: dict[str, FrozenTime] = {}
    for row in connection.execute(_CLOCKED):
        if row.test_clock_id not in shown:
            continue
        clock, times = shown[row.test_clock_id]
        found[row.customer] = FrozenTime(
            test_clock_id=clock.test_clock_id,
            instant=clock.frozen_time,
            is_advancing=clock.status is ClockStatus.ADVANCING,
            is_deleted=clock.is_deleted,
            attached=row.position,
            times=times,
        )
    return found


def by_clock(times: ClockTimes, position: int) -> Occurrence:
    """Return when a fact happened by a test clock; before it was there, before all."""
    shown = times.at(position)
    return Occurrence(_BEFORE_ALL if shown is None else shown, position)


def times_of(
    connection: Connection, customers: AbstractSet[str]
) -> dict[str, ClockTimes]:
    """Return what the clocks of some customers showed; of others, nothing."""
    clocked = read_clocked(connection)
    return {each: clocked[each].times for each in sorted(customers & clocked.keys())}


class ClockQueries:
    """Queries of test clocks in one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def clock(self, test_clock_id: str) -> ClockDefinition | None:
        """Return a clock by its id, deleted or not."""
        given = {"test_clock_id": test_clock_id}
        row = self.connection.execute(_CLOCK, given).first()
        return None if row is None else CLOCKS.read(row)

    def page(self, page: Page) -> list[ClockDefinition]:
        """Return a page of the clocks that are not deleted, newest first."""
        wanted = _CLOCKS.where(test_clock.c.is_deleted == 0)
        return [*map(CLOCKS.read, page.read(self.connection, test_clock, wanted))]

    def advancing(self) -> list[str]:
        """Return the ids of the clocks that are being moved on, oldest first."""
        return list(self.connection.execute(_ADVANCING).scalars())

    def is_any(self) -> bool:
        """Whether there ever was a clock."""
        return self.connection.execute(_ANY).first() is not None

    def over_by(self, instant: int) -> list[str]:
        """Return the ids of the clocks whose days are over by an instant."""
        is_over = test_clock.c.created <= instant - KEPT
        wanted = _LIVING.where(is_over).order_by(test_clock.c.position)
        return list(self.connection.execute(wanted).scalars())

    def customer_count(self, test_clock_id: str) -> int:
        """Count the customers of a clock."""
        given = {"test_clock_id": test_clock_id}
        return int(self.connection.execute(_COUNT, given).scalar_one())

    def times(self, test_clock_id: str) -> ClockTimes:
        """Return what a clock showed, position by position."""
        given = {"test_clock_id": test_clock_id}
        rows = self.connection.execute(_TIMES, given).all()
        return ClockTimes(
            tuple(row.position for row in rows), tuple(row.instant for row in rows)
        )
