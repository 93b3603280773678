"""The outbox: what the log says is sent to an endpoint is enqueued, once, up to its cursor.

Of events that may have been forgotten nothing is said: they were recorded 30 days ago.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from ledger.commits import read_head
from ledger.errors import LogDamagedError, StoreDamagedError
from ledger.records.damage import CURE as RESTORE
from ledger.records.outbox import Outbox, OutgoingEvent
from ledger.records.outbox_tables import webhook_delivery, webhook_outbox
from ledger.records.problems import RowPlace
from metering.store.engine import Engine
from metering.upkeep.verification.tables import CURE, differing
from metering.webhooks.restoring import events_kept
from projections.webhooks.past import Past

_DELIVERIES_NAMED = 10


def problems_of_outbox(engine: Engine) -> list[str]:
    """Return how the cursors and the deliveries differ from what the log leads to.

    Nothing is sent from a branch, so that nothing that is there matters.
    """
    if engine.log.lineage.is_rehearsal:
        return []
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
                    yield _delivery(to, each).missing(CURE)
                elif found != each.event_id:
                    differs = differing(found, each.event_id)
                    place = _delivery(to, each)
                    yield place.problem(differs, RESTORE, "event_id")


def _of_cursors(
    outbox: Outbox, cursors: Mapping[str, int], endpoint_ids: set[str], end: int
) -> Iterator[str]:
    reached = outbox.reached()
    for endpoint_id in sorted(endpoint_ids - cursors.keys()):
        yield _cursor(endpoint_id).missing(CURE)
    for endpoint_id, cursor in sorted(cursors.items()):
        least = reached.get(endpoint_id, 0)
        if endpoint_id not in endpoint_ids:
            yield _cursor(endpoint_id).unfounded(CURE)
        elif not least <= cursor <= end:
            reason = f"its deliveries go up to {least}, and the log to {end}"
            differs = f"{cursor} is stored; {reason}"
            yield _cursor(endpoint_id).problem(differs, CURE, "position")


def _delivery(endpoint_id: str, event: OutgoingEvent) -> RowPlace:
    key = {"endpoint_id": endpoint_id, "position": event.position}
    return RowPlace(webhook_delivery.name, {**key, "number": event.number})


def _cursor(endpoint_id: str) -> RowPlace:
    return RowPlace(webhook_outbox.name, {"endpoint_id": endpoint_id})
