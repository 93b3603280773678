"""Changes of entitlements that facts and time have brought about, each recorded once.

What is recorded follows from the facts alone: which changes, when each happened, and in
which order. Under the write lock it is compared with what was recorded before, so of
processes that look at once one records it, and one that is killed has lost nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ledger.commits import read_head
from ledger.entries import recording_instant
from ledger.facts.entitlements import EntitlementsUpdated
from metering.store.engine import Engine
from metering.store.entitlement_watch import EntitlementWatch
from projections.entitlements.queries import EntitlementQueries
from projections.kernels.entitlements import updates_due

_CUSTOMERS_AT_A_TIME = 1_000


def record_entitlement_updates(engine: Engine) -> None:
    """Record what customers got and lost by now, and nobody noticed."""
    watch = engine.entitlement_watch
    with watch.lock:
        with engine.log.read() as connection:
            head = read_head(connection)
            if head.facts_position != watch.position:
                _follow(watch, EntitlementQueries(connection), head.facts_position)
            clocked = engine.clocked(EntitlementQueries(connection), head).times
        due = watch.due_by(recording_instant(head, engine.now()))
        customers = [each for each in due if each not in clocked]
        for start in range(0, len(customers), _CUSTOMERS_AT_A_TIME):
            _record(engine, customers[start : start + _CUSTOMERS_AT_A_TIME])
        # Each by its own clock, which may show any time.
        for each in clocked.keys() & watch.due.keys():
            if not (clocked[each].is_advancing or clocked[each].is_deleted):
                _record(engine, [each])


def _follow(watch: EntitlementWatch, seen: EntitlementQueries, position: int) -> None:
    """Find whom the facts up to a position concern that are new to this process."""
    newest = seen.newest()
    if newest.correction != watch.correction:
        watch.position, watch.correction = 0, newest.correction
    if newest.attachment is not None:
        after = watch.position
        watch.look_at(seen.affected_after(after, newest) if after else seen.concerned())
    watch.position = position


def _record(engine: Engine, customers: Sequence[str]) -> None:
    """Record what some customers got and lost by now, where they did.

    They live by one time.
    """
    with engine.log.read() as connection:
        seen = EntitlementQueries(connection)
        looks = _looked(seen, customers, engine.present(seen, *customers))
    changed = [each.customer for each in looks if each.updates]
    if changed:
        with engine.writing_of(*changed) as writing:
            seen = EntitlementQueries(writing.connection)
            found = _looked(seen, changed, writing.now)
            writing.record([update for each in found for update in each.updates])
        looks = [*(each for each in looks if not each.updates), *found]
    for each in looks:
        engine.entitlement_watch.looked(each.customer, each.next_change)


class _Look(NamedTuple):
    """What was found of a customer: what nobody noticed, and when it changes next."""

    customer: str
    updates: Sequence[EntitlementsUpdated]
    next_change: int | None


def _looked(
    seen: EntitlementQueries, customers: Sequence[str], now: int
) -> list[_Look]:
    looks = []
    last = seen.last_updates(customers)
    for customer, found in seen.of_customers(customers):
        timeline = found.timeline
        updates = [*updates_due(customer, timeline, last.get(customer), now)]
        next_change = next(iter(timeline.changes(now)), None)
        looks.append(_Look(customer, updates, next_change))
    return looks
