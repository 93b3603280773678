"""Enqueueing: facts become events, and events deliveries, each exactly once.

Events are made on a snapshot, with no lock held. They are added with the rows of the
endpoints locked, unless another process was faster, in the database transaction that
moves the endpoints' cursors. Which endpoints receive an event depends on what they were
when it happened, and not on when this runs.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

import msgspec

from ledger.facts.credits import CreditGrantLapsed
from ledger.records.outbox import Outbox, OutgoingEvent
from metering.bodies import body_of, encoded
from metering.store.engine import NEVER_LOOKED, Engine
from metering.stream.error_reports import make_reports
from metering.webhooks.resources import EventType
from metering.webhooks.snapshots import TYPES_OF, Snapshots
from projections.credits.queries import CreditQueries
from projections.kernels.credits.grants import Grant
from projections.kernels.endpoints import Endpoint
from projections.schema import RecordedFact
from projections.webhooks.queries import (
    EndpointQueries,
    Past,
    expired_unseen,
    last_expiry_seen,
)

_FACTS_AT_A_TIME = 1_000
_EVENTS_AT_A_TIME = 1_000
_LAPSES_AT_A_TIME = 1_000


def enqueue_all(engine: Engine) -> int:
    """Add every delivery that is due to be made by now; return how many.

    Also of what only time brings about: credits that expired, and reports of what the
    stream refused.
    """
    record_lapses(engine)
    enqueued, reports = enqueue(engine), make_reports(engine)
    # Reports are sent behind what was recorded before them.
    return enqueued + reports + (enqueue(engine) if reports else 0)


def record_lapses(engine: Engine) -> None:
    """Record the expiries of grants that time has brought about, each once."""
    looked = engine.expiries_seen
    engine.log.catch_up()
    if looked.time != engine.log.time:
        looked.instant, looked.time = NEVER_LOOKED, engine.log.time
    with engine.credits() as (seen, now):
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
    with engine.writing() as writing:
        connection, now = writing.connection, writing.now
        found = expired_unseen(connection, start, after, now, _LAPSES_AT_A_TIME)
        writing.record(_lapsed(found))
    if len(found) < _LAPSES_AT_A_TIME:
        return None
    last = found[-1]
    assert last.expires_at is not None, "it has expired"
    return last.expires_at, last.position


def _lapsed(found: Sequence[Grant]) -> list[CreditGrantLapsed]:
    """Return those of the grants that had credit left when they expired.

    Invoices may have given it back since.
    """
    return [
        CreditGrantLapsed(grant_id=grant.grant_id)
        for grant in found
        if grant.left_at_its_end
    ]


def enqueue(engine: Engine) -> int:
    """Add a delivery of each new event to each endpoint that wants it; return how many."""
    head = engine.log.head()
    added = 0
    with engine.log.read() as connection:
        cursors = Outbox(connection).cursors()
        found = EndpointQueries(connection).all_endpoints()
        starts = {
            each.endpoint_id: max(cursors.get(each.endpoint_id, 0), each.position)
            for each in found
        }
        after = min(starts.values(), default=head.position)
        if after >= head.facts_position:
            is_behind = Outbox(connection).is_holding_back()
            return _add(engine, [], head.position) if is_behind else 0
        past = Past(connection)
        wanted = _Wanting(
            [
                past.endpoint(each, starts[each.endpoint_id], head.position)
                for each in found
                if starts[each.endpoint_id] < head.position
            ],
            starts,
        )
        snapshots = Snapshots(
            past,
            CreditQueries(connection),
            epoch=head.epoch,
            livemode=engine.settings.livemode,
        )
        facts = filter(wanted.may_want, past.facts(after, head.position))
        waiting: list[OutgoingEvent] = []
        while portion := list(islice(facts, _FACTS_AT_A_TIME)):
            snapshots.read_ahead(portion)
            for recorded in portion:
                waiting += _events(snapshots, wanted, recorded)
                if len(waiting) >= _EVENTS_AT_A_TIME:
                    added += _add(engine, waiting, recorded[0])
                    waiting = []
        added += _add(engine, waiting, head.position)
    return added


class _Wanting:
    """Which endpoints wanted which events, when they happened.

    Args:
        endpoints: the versions of each, in order, from its start on.
        starts: the positions up to which deliveries are enqueued, by endpoint.
    """

    def __init__(
        self, endpoints: Sequence[Sequence[Endpoint]], starts: dict[str, int]
    ) -> None:
        self._endpoints = endpoints
        self._starts = starts

    def may_want(self, recorded: RecordedFact) -> bool:
        """Whether any endpoint may want an event of a fact."""
        types: frozenset[EventType] = TYPES_OF.get(type(recorded[2]), frozenset())
        return any(self.of(each, recorded[0]) for each in types)

    def of(self, event_type: str, position: int) -> tuple[str, ...]:
        """Return the endpoints that want an event of a type at a position."""
        return tuple(
            then.endpoint_id
            for then in (_at(each, position) for each in self._endpoints)
            if then.is_enabled
            and then.wants(event_type)
            and self._starts[then.endpoint_id] < position
        )


def _at(versions: Sequence[Endpoint], position: int) -> Endpoint:
    """Return the version of an endpoint at a position."""
    if len(versions) == 1:
        return versions[0]
    index = bisect_right(versions, position, key=lambda each: each.changed)
    return versions[max(index - 1, 0)]


def _events(
    snapshots: Snapshots, wanted: _Wanting, recorded: RecordedFact
) -> list[OutgoingEvent]:
    made = []
    for place, event in snapshots.of(recorded):
        endpoint_ids = wanted.of(event.type, place.position)
        if endpoint_ids:
            sent = msgspec.structs.replace(event, pending_webhooks=len(endpoint_ids))
            made.append(
                OutgoingEvent(
                    position=place.position,
                    number=place.number,
                    event_id=event.id,
                    event_type=event.type,
                    body=encoded(body_of(sent)),
                    endpoint_ids=endpoint_ids,
                )
            )
    return made


def _add(engine: Engine, events: Sequence[OutgoingEvent], up_to: int) -> int:
    with engine.outbox() as (outbox, now):
        return outbox.enqueue(events, up_to, now)
