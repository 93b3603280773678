"""Changes of entitlements that facts and time have brought about, each recorded once.

What is recorded follows from the facts alone: which changes, when each happened, and in
which order. Under the write lock it is compared with what was recorded before, so of
processes that look at once one records it, and one that is killed has lost nothing.
"""

from collections.abc import Iterable, Sequence

from ledger.commits import read_head
from ledger.entries import recording_instant
from metering.store.engine import Engine
from metering.store.entitlement_watch import EntitlementWatch
from projections.entitlements.queries import EntitlementQueries
from projections.test_clocks.clocked import ClockedCustomers

_CUSTOMERS_AT_A_TIME = 1_000


def record_entitlement_updates(engine: Engine) -> None:
    """Record what customers got and lost by now, and nobody noticed.

    A test clock that is being moved on records that of its customers itself.
    """
    watch = engine.entitlement_watch
    with watch.lock:
        with engine.log.read() as connection:
            head = read_head(connection)
            seen = EntitlementQueries(connection)
            clocked = engine.clocked(seen, head)
            if head.facts_position != watch.position:
                _follow(watch, seen, head.facts_position, clocked)
        now = recording_instant(head, engine.now())
        for customers in _together(watch.due_by(now, clocked), clocked):
            for start in range(0, len(customers), _CUSTOMERS_AT_A_TIME):
                _record(engine, customers[start : start + _CUSTOMERS_AT_A_TIME])


def _follow(
    watch: EntitlementWatch,
    seen: EntitlementQueries,
    position: int,
    clocked: ClockedCustomers,
) -> None:
    """Find whom the facts up to a position concern that are new to this process."""
    newest = seen.newest()
    if newest.correction != watch.correction:
        watch.position, watch.correction = 0, newest.correction
    if newest.attachment is not None:
        after = watch.position
        watch.look_at(seen.affected_after(after, newest) if after else seen.concerned())
        if newest.clock != watch.clock:
            watch.look_at(clocked.times)
    watch.position, watch.clock = position, newest.clock


def _together(
    customers: Sequence[str], clocked: ClockedCustomers
) -> Iterable[Sequence[str]]:
    """Return those customers together who live by one time, but by none that moves."""
    by_clock: dict[str | None, list[str]] = {}
    for customer in customers:
        time = clocked.times.get(customer)
        if time is None or not (time.is_advancing or time.is_deleted):
            by_clock.setdefault(clocked.clock_of(customer), []).append(customer)
    return by_clock.values()


def _record(engine: Engine, customers: Sequence[str]) -> None:
    """Record what some customers got and lost by now, where they did."""
    with engine.log.read() as connection:
        seen = EntitlementQueries(connection)
        head = read_head(connection)
        now = engine.present(seen, customers[0], head=head)
        looks = seen.looks(customers, now, engine.clocked(seen, head))
    changed = [each.customer for each in looks if each.updates]
    if changed:
        with engine.writing_of(*changed) as writing:
            seen = EntitlementQueries(writing.connection)
            clocked = engine.clocked(writing, writing.head)
            found = seen.looks(changed, writing.now, clocked)
            writing.record([update for each in found for update in each.updates])
        looks = [*(each for each in looks if not each.updates), *found]
    for each in looks:
        engine.entitlement_watch.looked(each.customer, each.next_change)
