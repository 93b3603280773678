"""Outgoing events: what facts are sent as, and to which endpoints.

Both follow from the log: from the facts, and from what an endpoint was when each was
recorded. So what was enqueued can be made again, and compared.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from ledger.ancestry.ancestors import Lineage
from ledger.entries import Head
from ledger.errors import StoreDamagedError
from ledger.records.outbox import OutgoingEvent
from metering.bodies import body_of, encoded
from metering.webhooks.event_rules import TYPES_OF
from metering.webhooks.requests import EventType
from metering.webhooks.snapshots import Snapshots
from projections.credits.queries import CreditQueries
from projections.kernels.endpoints import Endpoint
from projections.schema import RecordedFact
from projections.webhooks.past import Past

_FACTS_AT_A_TIME = 1_000
_EVENTS_AT_A_TIME = 1_000
PORTIONS_READ_TOGETHER = 8
"""How many portions of events to read on one snapshot, before any of them is added."""


class Outgoing:
    """Makes the events that facts are sent as.

    Args:
        past: resources as they were.
        head: of the log, in the same snapshot.
        lineage: of the log.
        livemode: what resources say of themselves.
    """

    def __init__(
        self, past: Past, head: Head, lineage: Lineage, *, livemode: bool
    ) -> None:
        self._past = past
        self._head = head
        self._lineage = lineage
        self._livemode = livemode

    def events(
        self, endpoints: Sequence[Endpoint], starts: Mapping[str, int]
    ) -> Iterator[tuple[int, list[OutgoingEvent]]]:
        """Yield the events that any endpoint wants, some at a time and in log order.

        Args:
            endpoints: as they are.
            starts: the positions after which each is sent events.

        Returns:
            Portions, each with the position up to which nothing else is sent. The last
            one goes up to the head.
        """
        past, end = self._past, self._head.position
        wanted = _Wanting(
            [
                past.endpoint(each, starts[each.endpoint_id], end)
                for each in endpoints
                if starts[each.endpoint_id] < end
            ],
            starts,
        )
        snapshots = Snapshots(
            past,
            CreditQueries(past.connection),
            lineage=self._lineage,
            livemode=self._livemode,
        )
        after = min(starts.values(), default=end)
        facts = filter(wanted.may_want, past.facts(after, end))
        waiting: list[OutgoingEvent] = []
        while portion := list(islice(facts, _FACTS_AT_A_TIME)):
            snapshots.read_ahead(portion)
            for recorded in portion:
                waiting += _events(snapshots, wanted, recorded)
                if len(waiting) >= _EVENTS_AT_A_TIME:
                    yield recorded[0], waiting
                    waiting = []
        yield end, waiting


class _Wanting:
    """Which endpoints wanted which events, when they happened.

    Args:
        endpoints: the versions of each, in order, from its start on.
        starts: the positions up to which deliveries are enqueued, by endpoint.
    """

    def __init__(
        self, endpoints: Sequence[Sequence[Endpoint]], starts: Mapping[str, int]
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
            and self._start_of(then.endpoint_id) < position
        )

    def _start_of(self, endpoint_id: str) -> int:
        if endpoint_id not in self._starts:
            reason = f"the row of {endpoint_id} is missing"
            raise StoreDamagedError("table webhook_endpoint", reason)
        return self._starts[endpoint_id]


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
