"""Advancing: a test clock goes from one due instant to the next, up to its target.

Each step is one commit: the clock shows an instant, and something of what fell due then is
recorded at it. What is left follows from the log, so a process that is killed leaves steps
that were made and steps that were not, and whoever goes on makes the same. Several may.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ledger.errors import LogDamagedError, StoreDamagedError
from ledger.facts.credits.holds import CreditHoldLapsed
from ledger.facts.test_clocks import TestClockFailed, TestClockReady
from ledger.facts.union import Fact
from metering.errors import ResourceMissingError
from metering.store.engine import Engine, on_nobodys_behalf
from metering.store.scheduled_credits import GRANTS_AT_A_TIME
from metering.test_clocks.deleting import delete_clock
from metering.test_clocks.time_facts import ended, lapsed
from projections.alerts.credit_crossings import clocked_falls
from projections.alerts.queries import AlertQueries
from projections.credits.schedule_queries import ScheduleQueries
from projections.entitlements.queries import EntitlementQueries
from projections.kernels.test_clocks import ClockDefinition, ClockStatus
from projections.subscriptions.queries import SubscriptionQueries
from projections.test_clocks.clocked import ClockedCustomers
from projections.test_clocks.queries import ClockQueries
from projections.webhooks.hold_lapses import expired_holds_of, next_hold_expiry_of
from projections.webhooks.queries import expired_of, next_expiry_of


def finish_advancing(engine: Engine, test_clock_id: str) -> None:
    """Move a test clock on to its target, unless it is there.

    Raises:
        StoreError: what was recorded before stays; go on later.
        LogDamagedError, StoreDamagedError: the clock failed, and is never moved again.
    """
    with on_nobodys_behalf():
        try:
            while _step(engine, test_clock_id):
                pass
        except (LogDamagedError, StoreDamagedError) as error:
            _fail(engine, test_clock_id, str(error))
            raise


def finish_all(engine: Engine) -> None:
    """Move every test clock on that is advancing, and delete those whose days are over."""
    with engine.log.read() as connection:
        seen = ClockQueries(connection)
        if not seen.is_any():
            return
        advancing, over = seen.advancing(), seen.over_by(engine.present(seen))
    for each in advancing:
        finish_advancing(engine, each)
    for each in over:
        # Another process may have been faster.
        with on_nobodys_behalf(), suppress(ResourceMissingError):
            delete_clock(engine, each)


def _step(engine: Engine, test_clock_id: str) -> bool:
    """Make the next step of a clock, and return whether there may be another."""
    with engine.writing() as writing:
        seen = ClockQueries(writing.connection)
        clock = seen.clock(test_clock_id)
        if clock is None or clock.is_deleted or clock.target is None:
            return False
        clocked = engine.clocked(seen, writing.head)
        customers = clocked.of_clock(test_clock_id)
        facts = _due(engine, seen, clock, customers, clocked)
        if not facts and clock.frozen_time < clock.target:
            next_due = _next_due(seen, clock, customers, clocked)
            clock = replace(clock, frozen_time=next_due)
            facts = _due_by_time(seen, clock, customers, clocked)
        elif not facts:
            writing.record([TestClockReady(test_clock_id=test_clock_id)])
            return False
        writing.record([clock.time, *facts])
    return True


def _next_due(
    seen: ClockQueries,
    clock: ClockDefinition,
    customers: Sequence[str],
    clocked: ClockedCustomers,
) -> int:
    """Return the next instant at which something falls due, or that of the target."""
    assert clock.target is not None, "it is advancing"
    if not customers:
        return clock.target
    connection, shown = seen.connection, clock.frozen_time
    entitled = EntitlementQueries(connection).looks(customers, shown, clocked)
    coming = [
        *(each.next_change for each in entitled),
        ScheduleQueries(connection).next_due_of(customers),
        next_expiry_of(connection, customers, shown),
        next_hold_expiry_of(connection, customers, shown),
        SubscriptionQueries(connection).next_due_of(customers),
    ]
    instants = [each for each in coming if each is not None and each > shown]
    return min([clock.target, *instants])


def _due(
    engine: Engine,
    seen: ClockQueries,
    clock: ClockDefinition,
    customers: Sequence[str],
    clocked: ClockedCustomers,
) -> Sequence[Fact]:
    """Return what is due at the instant that a clock shows, or is triggered by then."""
    if not customers:
        return ()
    due = _due_by_time(seen, clock, customers, clocked)
    if due or not engine.evaluator.has_credit_alerts:
        return due
    alerts = AlertQueries(seen.connection)
    return clocked_falls(alerts, customers, clock.test_clock_id, clock.frozen_time)


def _due_by_time(
    seen: ClockQueries,
    clock: ClockDefinition,
    customers: Sequence[str],
    clocked: ClockedCustomers,
) -> Sequence[Fact]:
    """Return what time brought about of one kind that nobody recorded."""
    if not customers:
        return ()
    connection, instant = seen.connection, clock.frozen_time
    due = ScheduleQueries(connection).due(customers, instant, GRANTS_AT_A_TIME)
    if granted := [*due]:
        return granted
    if expired := lapsed(expired_of(connection, customers, instant)):
        return expired
    if holds := expired_holds_of(connection, customers, instant):
        return [CreditHoldLapsed(hold_id=each) for each in holds]
    subscriptions = SubscriptionQueries(connection).due_of(customers, instant)
    if subscriptions:
        return [ended(each) for each in subscriptions]
    looks = EntitlementQueries(connection).looks(customers, instant, clocked)
    return [update for each in looks for update in each.updates]


def _fail(engine: Engine, test_clock_id: str, reason: str) -> None:
    with engine.writing() as writing:
        clock = ClockQueries(writing.connection).clock(test_clock_id)
        if clock is not None and clock.status is ClockStatus.ADVANCING:
            writing.record(
                [TestClockFailed(test_clock_id=test_clock_id, reason=reason[:500])]
            )
