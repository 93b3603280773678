"""Who lives by a test clock, and what that shows: the time of a customer.

Kept in memory until a fact changes it. In most stores nobody does, and then asking costs
no statement: what this process records itself changes nothing here but by facts of clocks.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    column,
    func,
    select,
    table,
)

from ledger.database.connections import DriverStatement
from ledger.errors import StoreDamagedError
from projections.kernels.test_clocks import FrozenTime

_NO_POSITION = -1
# Named without its definition, which is loaded where there is a clock.
_LAST_CHANGE = DriverStatement(
    select(func.coalesce(func.max(column("changed")), 0)).select_from(
        table("test_clock", column("changed"))
    )
)


_CUSTOMER = column("customer", String)
_CLOCK = column("test_clock_id", String)
_CLOCKED = table("clocked_customer", _CUSTOMER, _CLOCK)
_TEST_CLOCK = table("test_clock", column("test_clock_id"), column("is_deleted"))


def lives_by_the_log(customer: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that the customer of a row has no test clock."""
    is_it: ColumnElement[bool] = customer == _CUSTOMER
    its = select(_CUSTOMER).select_from(_CLOCKED).where(is_it)
    return ~its.correlate_except(_CLOCKED).exists()


def lives_by(test_clock_id: str, customer: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that the customer of a row lives by a test clock."""
    its = select(_CUSTOMER).select_from(_CLOCKED)
    return customer.in_(its.where(_CLOCK.in_([test_clock_id])))


def is_not_gone(customer: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that the customer of a row is of no deleted test clock."""
    is_it: ColumnElement[bool] = customer == _CUSTOMER
    both = _CLOCKED.join(_TEST_CLOCK, _TEST_CLOCK.c.test_clock_id == _CLOCK)
    gone = select(_CUSTOMER).select_from(both).where(_TEST_CLOCK.c.is_deleted == 1)
    return ~gone.where(is_it).correlate_except(both).exists()


class Seeing(Protocol):
    """Queries in one database transaction."""

    @property
    def connection(self) -> Connection:
        """Sees what they see."""


class ClockedCustomers(msgspec.Struct, frozen=True):
    """The customers that live by test clocks, as of a position.

    Attributes:
        times: by customer.
    """

    times: Mapping[str, FrozenTime] = MappingProxyType({})

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.times)

    def now_of(self, customer: str, now: int) -> int:
        """Return the time of a customer: that of its clock, or the one given."""
        time = self.times.get(customer)
        return now if time is None else time.instant

    def clock_of(self, customer: str) -> str | None:
        """Return the id of the clock of a customer, None where it has none."""
        time = self.times.get(customer)
        return None if time is None else time.test_clock_id

    def of_clock(self, test_clock_id: str) -> list[str]:
        """Return the customers of a clock, sorted."""
        return sorted(
            customer
            for customer, time in self.times.items()
            if time.test_clock_id == test_clock_id
        )

    def by_time(
        self, customers: Iterable[str]
    ) -> tuple[list[str], dict[str, list[str]]]:
        """Return the customers that live by the log, and those of each clock together.

        Those of deleted clocks are left out.
        """
        by_log = list[str]()
        by_clock: dict[str, list[str]] = {}
        for customer in customers:
            time = self.times.get(customer)
            if time is None:
                by_log.append(customer)
            elif not time.is_deleted:
                by_clock.setdefault(time.test_clock_id, []).append(customer)
        return by_log, by_clock

    def gone(self) -> list[str]:
        """Return the customers whose clock is deleted, sorted."""
        return sorted(each for each, time in self.times.items() if time.is_deleted)


NOBODY = ClockedCustomers()


class _Known(msgspec.Struct, frozen=True):
    """Who lives by a clock as of the fact at a position."""

    facts_position: int
    changed: int
    clocked: ClockedCustomers


class ClockedCatalog:
    """The customers that live by test clocks, as they were last read. Thread-safe."""

    def __init__(self) -> None:
        # Replaced as a whole, and true of its position for ever.
        self._known = _Known(_NO_POSITION, 0, NOBODY)

    def forget(self) -> None:
        """Forget them, so that they are read again."""
        self._known = _Known(_NO_POSITION, -1, NOBODY)

    def read(self, connection: Connection, facts_position: int) -> ClockedCustomers:
        """Return them as a database transaction sees them.

        Args:
            connection: sees the tables.
            facts_position: of the last fact that it sees.
        """
        known = self._known
        if known.facts_position == facts_position:
            return known.clocked
        [changed] = _LAST_CHANGE.run(connection, {}).fetchone()
        if not isinstance(changed, int):
            reason = f"{changed!r} is no position"
            raise StoreDamagedError("table test_clock, column changed", reason)
        clocked = known.clocked
        if changed != known.changed:
            from projections.test_clocks.queries import read_clocked

            clocked = ClockedCustomers(read_clocked(connection))
        self._known = _Known(facts_position, changed, clocked)
        return clocked

    def has_none_at(self, facts_position: int) -> bool:
        """Whether it is known that nobody lives by one, as of the fact at a position."""
        known = self._known
        return known.facts_position == facts_position and not known.clocked

    def follow(self, before: int, after: int) -> None:
        """Go on over facts of this process that changed nothing here.

        Args:
            before: position of the last fact before them.
            after: of the last of them.
        """
        known = self._known
        if known.facts_position == before:
            self._known = msgspec.structs.replace(known, facts_position=after)
