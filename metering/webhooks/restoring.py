"""Restoring the outbox: what is to be sent follows from the log, and is made again.

A cursor that was moved ahead left events out, and one that was moved back would add them
twice. Neither is believed: every event of the time for which events are kept is made
again, and what has no delivery gets one. What has one keeps it, with its attempts. So no
event is left out, and none is sent twice but one whose delivery was deleted.
"""

from collections.abc import Iterator, Sequence

from ledger.commits import read_head
from ledger.records.outbox import OutgoingEvent
from metering.store.engine import Engine
from metering.webhooks.outgoing import Outgoing
from metering.webhooks.retry_schedule import KEPT
from projections.kernels.endpoints import Endpoint
from projections.webhooks.queries import EndpointQueries, Past


def restore_outbox(engine: Engine) -> int:
    """Add the deliveries that are missing, and set every cursor; return how many."""
    added = 0
    with engine.log.read() as connection:
        end = read_head(connection).position
        endpoints, portions = events_kept(engine, Past(connection))
        with engine.outbox() as (outbox, _):
            outbox.give_cursors([each.endpoint_id for each in endpoints])
        for events in portions:
            with engine.outbox() as (outbox, now):
                added += outbox.add_missing(events, now)
    with engine.outbox() as (outbox, _):
        outbox.set_cursors(end)
    return added


def events_kept(
    engine: Engine, past: Past
) -> tuple[Sequence[Endpoint], Iterator[list[OutgoingEvent]]]:
    """Return the endpoints, and what they are sent of the facts of the last 30 days.

    Events that were recorded before may have been forgotten.
    """
    head = read_head(past.connection)
    endpoints = EndpointQueries(past.connection).all_endpoints()
    now = engine.log.judge.real_time(past.connection, engine.now())
    forgotten = past.facts_recorded_by(now - KEPT)
    starts = {each.endpoint_id: max(forgotten, each.position) for each in endpoints}
    outgoing = Outgoing(past, head, engine.settings.livemode)
    return endpoints, (events for _, events in outgoing.events(endpoints, starts))
