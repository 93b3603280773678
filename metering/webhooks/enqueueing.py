"""Enqueueing: facts become events, and events deliveries, each exactly once.

Events are made on a snapshot, with no lock held. They are added with the rows of the
endpoints locked, unless another process was faster, in the database transaction that
moves the endpoints' cursors. Which endpoints receive an event depends on what they were
when it happened, and not on when this runs.
"""

from collections.abc import Sequence
from itertools import islice

from ledger.entries import Head
from ledger.facts.credits.holds import CreditHoldLapsed
from ledger.records.outbox import Outbox, OutgoingEvent
from metering.entitlements.noticing import record_entitlement_updates
from metering.store.engine import Engine
from metering.store.expiries import NEVER_LOOKED
from metering.store.scheduled_credits import everybody
from metering.stream.error_reports import make_reports
from metering.test_clocks.advancing import finish_all
from metering.test_clocks.time_facts import ended, lapsed
from metering.webhooks.outgoing import PORTIONS_READ_TOGETHER, Outgoing
from projections.subscriptions.queries import SubscriptionQueries
from projections.webhooks.hold_lapses import expired_holds_unseen
from projections.webhooks.past import Past
from projections.webhooks.queries import (
    EndpointQueries,
    expired_unseen,
    last_expiry_seen,
)

_LAPSES_AT_A_TIME = 1_000


def enqueue_all(engine: Engine) -> int:
    """Add every delivery that is due to be made by now; return how many.

    Also of what only time brings about: credits that were granted or expired, trials and subscriptions
    that ended, features that customers got or lost, and reports of what the stream refused.
    Test clocks that are advancing go on.
    """
    finish_all(engine)
    engine.record_due()
    record_lapses(engine)
    record_hold_lapses(engine)
    record_subscription_ends(engine)
    record_entitlement_updates(engine)
    enqueued, reports = enqueue(engine), make_reports(engine)
    # Reports are sent behind what was recorded before them.
    return enqueued + reports + (enqueue(engine) if reports else 0)


def record_lapses(engine: Engine) -> None:
    """Record the expiries of grants that time has brought about, each once."""
    looked = engine.expiries_seen
    with engine.credits() as (seen, now):
        if (time := seen.log_time()) != looked.time:
            looked.instant, looked.time = NEVER_LOOKED, time
        start = max(looked.instant, last_expiry_seen(seen.connection))
        # No grant is recorded later that expires before what is recorded already; but
        # it may before the time by the clock of this process.
        settled = min(seen.present(start), now)
        if not expired_unseen(seen.connection, start, 0, now, 1):
            looked.instant = settled
            return
    place: tuple[int, int] | None = (start, 0)
    while place is not None:
        place = _record_some(engine, *place)
    looked.instant = settled


def _record_some(engine: Engine, start: int, after: int) -> tuple[int, int] | None:
    """Record some expiries; return the expiry and position to go on from."""
    with engine.writing_credits(everybody) as (writing, _):
        connection, now = writing.connection, writing.now
        found = expired_unseen(connection, start, after, now, _LAPSES_AT_A_TIME)
        writing.record(lapsed(found))
    if len(found) < _LAPSES_AT_A_TIME:
        return None
    last = found[-1]
    assert last.expires_at is not None, "it has expired"
    return last.expires_at, last.position


def record_hold_lapses(engine: Engine) -> None:
    """Record the expiries of holds that time has brought about, each once."""
    with engine.credits() as (seen, now):
        are_due = bool(expired_holds_unseen(seen.connection, now, 1))
    while are_due:
        with engine.writing() as writing:
            found = expired_holds_unseen(
                writing.connection, writing.now, _LAPSES_AT_A_TIME
            )
            writing.record([CreditHoldLapsed(hold_id=each) for each in found])
        are_due = len(found) == _LAPSES_AT_A_TIME


def record_subscription_ends(engine: Engine) -> None:
    """Record the ends of trials and subscriptions that time has brought about, each once."""
    with engine.log.read() as connection:
        seen = SubscriptionQueries(connection)
        are_due = bool(seen.due(seen.present(engine.now()), 1))
    while are_due:
        with engine.writing() as writing:
            seen = SubscriptionQueries(writing.connection)
            found = seen.due(writing.now, _LAPSES_AT_A_TIME)
            writing.record([ended(each) for each in found])
        # After its trial, a subscription may have ended too.
        are_due = bool(found)


def enqueue(engine: Engine) -> int:
    """Add a delivery of each new event to each endpoint that wants it; return how many.

    Nothing is added in a branch: its endpoints are those of others.
    """
    if engine.log.lineage.is_rehearsal:
        return 0
    head = engine.log.head()
    added = reached = 0
    while reached < head.position:
        portions = _next_portions(engine, head, reached)
        if not portions:
            break
        for up_to, events in portions:
            added += _add(engine, events, up_to)
            reached = up_to
    return added


def _next_portions(
    engine: Engine, head: Head, reached: int
) -> list[tuple[int, list[OutgoingEvent]]]:
    """Return what is to be enqueued next, some at a time, each with up to where.

    What it was read on is given back: a pool may have one connection, which adds it.
    """
    with engine.log.read() as connection:
        cursors = Outbox(connection).cursors()
        found = EndpointQueries(connection).all_endpoints()
        starts = {
            each.endpoint_id: max(
                cursors.get(each.endpoint_id, 0), each.position, reached
            )
            for each in found
        }
        after = min(starts.values(), default=head.position)
        if after >= head.facts_position:
            is_behind = Outbox(connection).is_holding_back()
            return [(head.position, [])] if is_behind else []
        lineage, livemode = engine.log.lineage, engine.settings.livemode
        outgoing = Outgoing(Past(connection), head, lineage, livemode=livemode)
        return [*islice(outgoing.events(found, starts), PORTIONS_READ_TOGETHER)]


def _add(engine: Engine, events: Sequence[OutgoingEvent], up_to: int) -> int:
    with engine.outbox() as (outbox, now):
        return outbox.enqueue(events, up_to, now)
