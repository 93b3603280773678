"""Grants that fell due by a schedule: recorded by whoever looks first.

A grant counts as granted at the instant at which it fell due, whenever it was recorded.
It is a fact of the log like any other, rather than projected by each reader: draws, holds
and transactions name grants by the position of such a fact, and would name another one
each time. So before anything is decided about the credits of a customer, and before they
are read, what has fallen due for that customer is recorded, in a database transaction of
its own; under the write lock of the decision it is seen that nothing more is due. What
lies ahead is projected, by the same kernel.

By a clock that was ahead, and was set right since, periods were granted that are yet to
come. They stay, and count from their instants; what rolled over then is not counted anew.

A process that is killed leaves some periods recorded and none twice: a grant and what
moves its schedule on are one commit, and its id follows from schedule and period.
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, get_args

import msgspec

from ledger.appending.writing import Writing
from ledger.commits import read_head
from ledger.entries import Head, recording_instant
from ledger.facts.credits.grants import CreditGrantCreated
from ledger.facts.credits.schedules import ScheduleFact
from ledger.facts.credits.settlements import SettledInvoices
from ledger.facts.union import FACTS
from ledger.log import Log
from metering.store.customer_time import go_by_its_clock
from projections.test_clocks.clocked import ClockedCatalog, ClockedCustomers

if TYPE_CHECKING:
    from projections.credits.queries import CreditQueries
    from projections.credits.schedule_queries import ScheduleQueries

GRANTS_AT_A_TIME = 1_000
"""Of one commit: others wait for the write lock no longer than it takes to fold them."""

_NO_POSITION = -1
_OF_SCHEDULES = {CreditGrantCreated, *get_args(ScheduleFact)}


def everybody(seen: "CreditQueries") -> None:
    """Name no customer: what is due for any matters; see `Engine.writing_credits`."""
    del seen


class _NextDue(msgspec.Struct, frozen=True):
    """When the next grant of a store falls due, as of the fact at a position."""

    facts_position: int
    due_at: int | None


class ScheduledCredits:
    """What falls due in a store. Thread-safe.

    Args:
        log: of the store.
        clocks: who lives by test clocks.
        now: returns the time, microseconds since 1970 UTC.
    """

    def __init__(
        self, log: Log, clocks: ClockedCatalog, now: Callable[[], int]
    ) -> None:
        self._log = log
        self._clocks = clocks
        self._now = now
        # Replaced as a whole, and true of its position for ever.
        self._next = _NextDue(_NO_POSITION, None)

    def due_at(self, seen: "ScheduleQueries", facts_position: int) -> int | None:
        """Return when the next grant falls due or fell; it looks once a fact at most."""
        known = self._next
        if known.facts_position != facts_position:
            due_at = seen.next_due()
            known = self._next = _NextDue(facts_position, due_at)
        return known.due_at

    def follow(self, facts_position: int, writing: Writing) -> None:
        """Go on from what this process committed, so that nobody looks again.

        Args:
            facts_position: of the last fact before it.
            writing: that is committed.
        """
        known, commit = self._next, writing.commit
        if commit is None or known.facts_position != facts_position:
            return
        content, due_at = commit.content, known.due_at
        if not isinstance(content, FACTS):
            return
        is_of_invoices = isinstance(content, SettledInvoices)
        if is_of_invoices or _OF_SCHEDULES.isdisjoint(map(type, content)):
            self._next = _NextDue(writing.head.facts_position, due_at)

    def is_all_recorded(self, head: Head, instant: int) -> bool:
        """Whether what is recorded up to a head is all that counts at an instant.

        False where that is not known, and where anyone lives by a test clock.
        """
        known = self._next
        return (
            known.facts_position == head.facts_position
            and head.recorded_at <= instant
            and (known.due_at is None or known.due_at > instant)
            and self._clocks.has_none_at(head.facts_position)
        )

    def are_due(
        self,
        seen: "ScheduleQueries",
        facts_position: int,
        customers: Collection[str] | None,
        instant: int,
    ) -> bool:
        """Whether grants have fallen due by an instant, of some customers or of any."""
        due_at = self.due_at(seen, facts_position)
        if due_at is None or due_at > instant:
            return False
        if not customers:
            return customers is None
        return seen.are_due(customers, instant)

    def are_due_of(
        self,
        seen: "ScheduleQueries",
        facts_position: int,
        clocked: ClockedCustomers,
        customers: Collection[str] | None,
        instant: int,
    ) -> bool:
        """Whether grants of customers have fallen due, each by its own time.

        Args:
            seen: the schedules.
            facts_position: of the last fact.
            clocked: who lives by a test clock, and is no part of everybody.
            customers: whose; None is everybody's.
            instant: of the others.
        """
        if clocked and customers is not None:
            by_log, by_clock = clocked.by_time(customers)
            return any(
                not clocked.times[those[0]].is_advancing
                and seen.are_due(those, clocked.times[those[0]].instant)
                for those in by_clock.values()
            ) or self.are_due(seen, facts_position, by_log, instant)
        return self.are_due(seen, facts_position, customers, instant)

    def record_due(self, customers: Collection[str] | None = None) -> int:
        """Record what has fallen due by now, and return how many grants.

        Args:
            customers: whose; None is everybody's.

        Raises:
            StoreError: what was recorded before stays.
        """
        # Most processes have nothing to do with credits, and load nothing of them.
        from projections.credits.schedule_queries import ScheduleQueries

        with self._log.read() as connection:
            head = read_head(connection)
            now = recording_instant(head, self._now())
            clocked = self._clocks.read(connection, head.facts_position)
            if not self.are_due_of(
                ScheduleQueries(connection),
                head.facts_position,
                clocked,
                customers,
                now,
            ):
                return 0
        if not clocked or customers is None:
            return self._record(customers, None)
        by_log, by_clock = clocked.by_time(customers)
        made = sum(self._record(those, those[0]) for those in by_clock.values())
        return made + (self._record(by_log, None) if by_log else 0)

    def _record(self, customers: Collection[str] | None, lives_by: str | None) -> int:
        """Record what has fallen due for customers that live by one time.

        Args:
            customers: whose; None is everybody's.
            lives_by: one of them, if they live by a test clock.
        """
        from projections.credits.schedule_queries import ScheduleQueries

        made = 0
        while True:
            with self._log.writing(self._now) as writing:
                if lives_by is not None:
                    at = writing.head.facts_position
                    clocked = self._clocks.read(writing.connection, at)
                    go_by_its_clock(writing, clocked, [lives_by])
                seen = ScheduleQueries(writing.connection)
                due = [*seen.due(customers, writing.now, GRANTS_AT_A_TIME)]
                writing.record(due)
            made += len(due)
            if len(due) < GRANTS_AT_A_TIME:
                return made
