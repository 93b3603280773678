"""Events: what happened, newest first or by id. They are made of facts, and not stored.

Source: https://docs.stripe.com/api/events/list
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from ledger.facts.union import Fact
from ledger.records.deliveries import Deliveries
from metering.arguments.pages import LIMIT, ListObject, check_cursors, listed
from metering.arguments.refusals import exclusive, invalid
from metering.arguments.schema import checked
from metering.arguments.times import CreatedBounds, Time, bounds_of, created_within
from metering.errors import ResourceMissingError
from metering.store.engine import Engine
from metering.webhooks.event_rules import EVENT_TYPES, TYPES_OF, by_resource
from metering.webhooks.requests import EventList, EventType
from metering.webhooks.resources import Event
from metering.webhooks.snapshots import EventPlace, Snapshots
from projections.credits.queries import CreditQueries
from projections.schema import RecordedFact
from projections.webhooks.past import Past

_FACTS_AT_A_TIME = 1_000
_TIMES_MORE = 8
_LAST = 2**62


class Events:
    """The events of a store, which describe the facts of its log."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def retrieve(self, event_id: str) -> Event:
        """Return an event by its id.

        Raises:
            ResourceMissingError: there is no such event.
        """
        with self._engine.log.read() as connection:
            _, found = self._found(self._reading(Past(connection)), event_id)
            return _with_pending([found], Deliveries(connection))[0]

    def list(  # noqa: PLR0913  # Stripe's filters have names
        self,
        type: EventType | str | None = None,  # noqa: A002  # Stripe's name
        created: Time | CreatedBounds | None = None,
        *,
        types: Sequence[str] | None = None,
        delivery_success: bool | None = None,
        limit: int = LIMIT,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> ListObject[Event]:
        """Return events, newest first.

        Args:
            type: one type, or a pattern with one ``*`` that stands for any letters;
                None is every type.
            created: recorded at a time, or within bounds: ``{"gte": …, "lt": …}``, of
                gt, gte, lt and lte.
            types: up to 20 types, in place of `type`; a string that is no type matches
                no event.
            delivery_success: whether the event was delivered to every endpoint that it
                was enqueued for; None is both.
            limit: 1 to 100.
            starting_after: id of the event before the first one to list.
            ending_before: id of the event behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no event.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        return self._page(
            checked(
                EventList,
                type=type,
                created=created,
                types=types,
                delivery_success=delivery_success,
                limit=limit,
                starting_after=starting_after,
                ending_before=ending_before,
            )
        )

    def _page(self, asked: EventList) -> ListObject[Event]:
        check_cursors(asked)
        assert asked.limit is not None, "events are read by pages"
        wanted = _Wanted(
            types=_types(asked),
            bounds=_bounds(asked.created),
            is_delivered=asked.delivery_success,
        )
        newest_first = asked.ending_before is None
        with self._engine.log.read() as connection:
            reading = self._reading(Past(connection))
            place = None
            for name in ("starting_after", "ending_before"):
                if (cursor := getattr(asked, name)) is not None:
                    place, _ = self._found(reading, cursor, name)
            # With the fact of the cursor, which may have other events.
            at_a_time = asked.limit + 2
            events = reading.events(wanted, place, at_a_time, newest_first=newest_first)
            found = list(islice(events, asked.limit + 1))
            if not newest_first:
                found.reverse()
            found = _with_pending(found, Deliveries(connection))
        return listed(asked, found, self._page)

    def _found(
        self, reading: "_Reading", event_id: object, param: str = "id"
    ) -> tuple[EventPlace, Event]:
        """Return an event with its place, or refuse the parameter that holds its id."""
        place = EventPlace.of_id(event_id, self._engine.log.lineage)
        for at, event in [] if place is None else reading.events_at(place.position):
            if at == place:
                return at, event
        raise ResourceMissingError("event", event_id, param=param)

    def _reading(self, past: Past) -> "_Reading":
        snapshots = Snapshots(
            past,
            CreditQueries(past.connection),
            lineage=self._engine.log.lineage,
            livemode=self._engine.settings.livemode,
        )
        return _Reading(past, Deliveries(past.connection), snapshots)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which events: of some types, recorded within bounds (both inclusive).

    Attributes:
        is_delivered: whether all deliveries have been taken; None is both.
    """

    types: frozenset[str]
    bounds: tuple[int, int]
    is_delivered: bool | None

    @property
    def facts(self) -> frozenset[type[Fact]]:
        """Classes of the facts that have such events."""
        return frozenset(
            fact for fact, types in TYPES_OF.items() if not self.types.isdisjoint(types)
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads events in one database transaction."""

    past: Past
    deliveries: Deliveries
    snapshots: Snapshots

    def events_at(self, position: int) -> list[tuple[EventPlace, Event]]:
        """Return the events of the fact at a position."""
        found = self.past.event_facts(
            frozenset(TYPES_OF), position + 1, 1, newest_first=True
        )
        return [
            made
            for recorded in found
            if recorded[0] == position
            for made in self.snapshots.of(recorded)
        ]

    def events(
        self,
        wanted: _Wanted,
        place: EventPlace | None,
        at_a_time: int,
        *,
        newest_first: bool,
    ) -> Iterator[Event]:
        """Yield the events before a place, or those after it where the oldest is first.

        Args:
            wanted: which events.
            place: exclusive; None is no bound.
            at_a_time: how many facts are read first, and ever more are later.
            newest_first: the direction.
        """
        for facts in self._facts(wanted, place, at_a_time, newest_first=newest_first):
            numbers: Mapping[int, set[int]] = {}
            if wanted.is_delivered is not None:
                positions = [position for position, _, _ in facts]
                numbers = self.deliveries.undelivered(positions)
            self.snapshots.read_ahead(facts)
            for recorded in facts:
                made = self.snapshots.of(recorded)
                for at, event in reversed(made) if newest_first else made:
                    is_delivered = at.number not in numbers.get(at.position, ())
                    is_beyond = place is None or (
                        at < place if newest_first else at > place
                    )
                    if (
                        is_beyond
                        and event.type in wanted.types
                        and wanted.is_delivered in {None, is_delivered}
                    ):
                        yield event

    def _facts(
        self,
        wanted: _Wanted,
        place: EventPlace | None,
        at_a_time: int,
        *,
        newest_first: bool,
    ) -> Iterator[Sequence[RecordedFact]]:
        """Yield the facts that may have wanted events, some at a time."""
        earliest, latest = wanted.bounds
        start = self._start(wanted.bounds, place, newest_first=newest_first)
        while wanted.types:
            if wanted.is_delivered is False:
                positions = self.deliveries.undelivered_next_to(
                    wanted.types, start, at_a_time, newest_first=newest_first
                )
                facts = self.past.event_facts_at(wanted.facts, positions)
                facts = facts[::-1] if newest_first else facts
            else:
                facts = self.past.event_facts(
                    wanted.facts, start, at_a_time, newest_first=newest_first
                )
            if not facts:
                return
            yield [each for each in facts if earliest <= each[1] <= latest]
            start, recorded_at, _ = facts[-1]
            is_beyond = recorded_at < earliest if newest_first else recorded_at > latest
            # What customers of test clocks do lies in no order of time.
            if is_beyond and not self.past.clocked:
                return
            at_a_time = min(at_a_time * _TIMES_MORE, _FACTS_AT_A_TIME)

    def _start(
        self, bounds: tuple[int, int], place: EventPlace | None, *, newest_first: bool
    ) -> int:
        """Return the position beyond which facts are read, exclusive."""
        earliest, latest = bounds
        if newest_first:
            # The fact of the place may have other events.
            start = _LAST if place is None else place.position + 1
            if latest < _LAST - 1 and not self.past.clocked:
                start = min(start, self.past.facts_recorded_by(latest) + 1)
            return start
        assert place is not None, "something is listed after it"
        start = place.position - 1
        if earliest > -_LAST and not self.past.clocked:
            start = max(start, self.past.facts_recorded_by(earliest - 1))
        return start


def _types(asked: EventList) -> frozenset[str]:
    if asked.types is not None:
        if asked.type is not None:
            raise exclusive("types", "type", "types")
        return frozenset(EVENT_TYPES).intersection(asked.types)
    if asked.type is None:
        return frozenset(EVENT_TYPES)
    if asked.type.count("*") == 1:
        start, _, end = asked.type.partition("*")
        return frozenset(
            each
            for each in EVENT_TYPES
            if each.startswith(start) and each[len(start) :].endswith(end)
        )
    if asked.type not in EVENT_TYPES:
        raise invalid("type", asked.type, f"one of {by_resource(EVENT_TYPES)}")
    return frozenset({asked.type})


def _bounds(created: Time | CreatedBounds | None) -> tuple[int, int]:
    start, end = created_within(created) or bounds_of(None)
    return start, end - 1


def _with_pending(events: Sequence[Event], deliveries: Deliveries) -> list[Event]:
    """Return events with the number of endpoints that each is still to be sent to."""
    pending = deliveries.pending_counts([each.id for each in events])
    return [
        msgspec.structs.replace(each, pending_webhooks=pending.get(each.id, 0))
        for each in events
    ]
