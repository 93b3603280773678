"""Restoring the outbox: what is to be sent follows from the log, and is made again.

A cursor that was moved ahead left events out, and one that was moved back would add them
twice. Neither is believed: every event of the time for which events are kept is made
again, and what has no delivery gets one. What has one keeps it, with its attempts. So no
event is left out, and none is sent twice but one whose delivery was deleted.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from ledger.entries import Head
from ledger.records.outbox import Outbox, OutgoingEvent
from metering.store.engine import Engine
from metering.webhooks.delivery.retry_schedule import KEPT
from metering.webhooks.outgoing import PORTIONS_READ_TOGETHER, Outgoing
from projections.kernels.endpoints import Endpoint
from projections.webhooks.past import Past
from projections.webhooks.queries import EndpointQueries


def restore_outbox(engine: Engine) -> int:
    """Add the deliveries that are missing, and set every cursor; return how many."""
    with engine.writing() as writing:
        # No endpoint is made meanwhile, which would lose its cursor.
        endpoints = EndpointQueries(writing.connection).all_endpoints()
        outbox, head = Outbox(writing.connection), writing.head
        outbox.give_cursors([each.endpoint_id for each in endpoints])
    added = reached = 0
    while reached < head.position:
        # It is given back: a pool may have one connection, which adds the events.
        with engine.log.read() as connection:
            _, portions = events_kept(engine, Past(connection), head, reached)
            some = [*islice(portions, PORTIONS_READ_TOGETHER)]
        for up_to, events in some:
            with engine.outbox() as (outbox, now):
                added += outbox.add_missing(events, now)
            reached = up_to
    with engine.outbox() as (outbox, _):
        outbox.set_cursors(head.position)
    return added


def events_kept(
    engine: Engine, past: Past, head: Head, after: int = 0
) -> tuple[Sequence[Endpoint], Iterator[tuple[int, list[OutgoingEvent]]]]:
    """Return the endpoints, and what they are sent of the facts of the last 30 days.

    Events that were recorded before may have been forgotten.

    Args:
        engine: of the store.
        past: sees it.
        head: up to which facts are read.
        after: a position after which they are.

    Returns:
        The endpoints, and the events in portions; see `Outgoing.events`.
    """
    endpoints = EndpointQueries(past.connection).all_endpoints()
    now = engine.log.judge.real_time(past.connection, engine.now())
    start = max(after, past.facts_recorded_by(now - KEPT))
    starts = {each.endpoint_id: max(start, each.position) for each in endpoints}
    lineage, livemode = engine.log.lineage, engine.settings.livemode
    outgoing = Outgoing(past, head, lineage, livemode=livemode)
    return endpoints, outgoing.events(endpoints, starts)
