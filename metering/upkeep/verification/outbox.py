"""The outbox: what the log says is sent to an endpoint is enqueued, once, up to its cursor.

Of events that may have been forgotten nothing is said: they were recorded 30 days ago.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from ledger.commits import read_head
from ledger.errors import LogDamagedError, StoreDamagedError
from ledger.records.outbox import Outbox, OutgoingEvent
from metering.errors import shown
from metering.store.engine import Engine
from metering.upkeep.verification.tables import CURE
from metering.webhooks.restoring import events_kept
from projections.webhooks.queries import Past

_DELIVERIES_NAMED = 10


def problems_of_outbox(engine: Engine) -> list[str]:
    """Return how the cursors and the deliveries differ from what the log leads to."""
    try:
        with engine.log.read() as connection:
            past = Past(connection)
            return list(_problems(engine, past))
    except (StoreDamagedError, LogDamagedError) as error:
        # What it is made of is damaged, and named by itself.
        return [error.message]


def _problems(engine: Engine, past: Past) -> Iterator[str]:
    outbox = Outbox(past.connection)
    head = read_head(past.connection)
    endpoints, portions = events_kept(engine, past, head)
    cursors = outbox.cursors()
    known = {each.endpoint_id for each in endpoints}
    yield from _of_cursors(outbox, cursors, known, head.position)
    wrong = chain.from_iterable(
        _of_deliveries(outbox, cursors, events) for _, events in portions
    )
    yield from islice(wrong, _DELIVERIES_NAMED)
    if more := sum(1 for _ in wrong):
        yield f"{more} more deliveries are not what the log says; {CURE}"


def _of_deliveries(
    outbox: Outbox, cursors: Mapping[str, int], events: Sequence[OutgoingEvent]
) -> Iterator[str]:
    there = outbox.keys_at([each.position for each in events])
    for each in events:
        for to in each.endpoint_ids:
            if each.position <= cursors.get(to, 0):
                found = there.get((to, each.position, each.number))
                if found is None:
                    yield (
                        f"In the table webhook_delivery, the delivery of"
                        f" {each.event_id} to {to} is missing; {CURE}"
                    )
                elif found != each.event_id:
                    yield _of_another_event(to, each, found)


def _of_cursors(
    outbox: Outbox, cursors: Mapping[str, int], endpoint_ids: set[str], end: int
) -> Iterator[str]:
    reached = outbox.reached()
    for endpoint_id in sorted(endpoint_ids - cursors.keys()):
        yield f"{_place(endpoint_id)} is missing; {CURE}"
    for endpoint_id, cursor in sorted(cursors.items()):
        least = reached.get(endpoint_id, 0)
        if endpoint_id not in endpoint_ids:
            yield f"{_place(endpoint_id)} follows from nothing in the log; {CURE}"
        elif not least <= cursor <= end:
            yield (
                f"{_place(endpoint_id)}, column position: {cursor} is stored; its"
                f" deliveries go up to {least}, and the log to {end}; {CURE}"
            )


def _of_another_event(endpoint_id: str, event: OutgoingEvent, found: str) -> str:
    key = (
        f"endpoint_id = {shown(endpoint_id)}, position = {event.position},"
        f" number = {event.number}"
    )
    return (
        f"In the table webhook_delivery, row {key}, column event_id: {shown(found)} is"
        f" stored, the log says {shown(event.event_id)}; restore it from a backup"
    )


def _place(endpoint_id: str) -> str:
    return f"In the table webhook_outbox, row endpoint_id = {shown(endpoint_id)}"
