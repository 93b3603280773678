"""Events: what happened, newest first or by id. They are made of facts, and not stored.

Source: https://docs.stripe.com/api/events/list
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from ledger.records.deliveries import Deliveries
from metering.arguments.pages import LIMIT, ListObject, check_cursors, listed
from metering.arguments.refusals import exclusive, invalid
from metering.arguments.schema import checked
from metering.arguments.times import CreatedBounds, Time, bounds_of, instant
from metering.errors import ResourceMissingError
from metering.store.engine import Engine
from metering.webhooks.requests import EventList
from metering.webhooks.resources import Event, EventType
from metering.webhooks.snapshots import EVENT_TYPES, TYPES_OF, EventPlace, Snapshots
from projections.credits.queries import CreditQueries
from projections.schema import RecordedFact
from projections.webhooks.queries import Past

_POSITIONS_AT_A_TIME = 1_000
_TIMES_MORE = 8


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
            _, found = self._found(Past(connection), event_id)
            return _with_pending(found, Deliveries(connection))

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
        head, after, before = self._engine.log.head(), None, None
        with self._engine.log.read() as connection:
            past = Past(connection)
            if asked.ending_before is not None:
                after, _ = self._found(past, asked.ending_before, "ending_before")
                events = self._made(
                    past, after, head.position, wanted, newest_first=False
                )
            else:
                if asked.starting_after is not None:
                    before, _ = self._found(
                        past, asked.starting_after, "starting_after"
                    )
                events = self._made(
                    past, before, head.position, wanted, newest_first=True
                )
            found = list(islice(events, asked.limit + 1))
            if after is not None:
                found.reverse()
            deliveries = Deliveries(connection)
            found = [_with_pending(event, deliveries) for event in found]
        return listed(asked, found, self._page)

    def _found(
        self, past: Past, event_id: object, param: str = "id"
    ) -> tuple[EventPlace, Event]:
        """Return an event with its place, or refuse the parameter that holds its id."""
        place = EventPlace.of_id(event_id, self._engine.log.head().epoch)
        recorded = None if place is None else past.fact(place.position)
        made = [] if recorded is None else self._snapshots(past).of(recorded)
        for at, event in made:
            if at == place:
                return at, event
        raise ResourceMissingError("event", event_id, param=param)

    def _made(
        self,
        past: Past,
        place: EventPlace | None,
        end: int,
        wanted: "_Wanted",
        *,
        newest_first: bool,
    ) -> Iterator[Event]:
        """Yield the events before a place, or those after it where the oldest is first.

        The log is read in ever longer pieces, as facts may be rare in it.
        """
        made = _Made(self._snapshots(past), Deliveries(past.connection), wanted)
        start, piece = 0, _POSITIONS_AT_A_TIME
        if place is not None:
            start, end = (
                (0, place.position) if newest_first else (place.position - 1, end)
            )
        while start < end:
            after = max(start, end - piece) if newest_first else start
            up_to = end if newest_first else min(start + piece, end)
            facts = list(past.facts(after, up_to))
            for at, event in made.of(facts, after, up_to, newest_first=newest_first):
                if place is None or (at < place if newest_first else at > place):
                    yield event
            if newest_first:
                if facts and wanted.is_before(facts[0]):
                    return
                end = after
            else:
                start = up_to
            piece *= _TIMES_MORE

    def _snapshots(self, past: Past) -> Snapshots:
        return Snapshots(
            past,
            CreditQueries(past.connection),
            epoch=self._engine.log.head().epoch,
            livemode=self._engine.settings.livemode,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which events: of some types, recorded within bounds (both inclusive).

    Attributes:
        is_delivered: whether all deliveries have been taken; None is both.
    """

    types: frozenset[str]
    bounds: tuple[int, int]
    is_delivered: bool | None

    def may_be(self, recorded: RecordedFact) -> bool:
        """Whether a fact may have events that are wanted."""
        _, recorded_at, fact = recorded
        earliest, latest = self.bounds
        has_types = not self.types.isdisjoint(TYPES_OF.get(type(fact), ()))
        return has_types and earliest <= recorded_at <= latest

    def is_before(self, recorded: RecordedFact) -> bool:
        """Whether nothing before a fact can be wanted."""
        return recorded[1] < self.bounds[0]


@dataclass(frozen=True, slots=True)
class _Made:
    """Makes the wanted events of facts."""

    snapshots: Snapshots
    deliveries: Deliveries
    wanted: _Wanted

    def of(
        self,
        facts: Sequence[RecordedFact],
        after: int,
        up_to: int,
        *,
        newest_first: bool = False,
    ) -> Iterator[tuple[EventPlace, Event]]:
        """Yield the events of the facts between two positions, in order."""
        is_delivered = self.wanted.is_delivered
        undelivered: Mapping[int, set[int]] = {}
        if is_delivered is not None:
            undelivered = self.deliveries.undelivered(after, up_to)
        for recorded in reversed(facts) if newest_first else facts:
            numbers = undelivered.get(recorded[0], set())
            # Most are delivered, and it costs something to make them.
            is_none = is_delivered is False and not numbers
            if is_none or not self.wanted.may_be(recorded):
                continue
            made = self.snapshots.of(recorded)
            for at, event in reversed(made) if newest_first else made:
                is_so = is_delivered in {None, at.number not in numbers}
                if is_so and event.type in self.wanted.types:
                    yield at, event


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
        raise invalid("type", asked.type, f"one of {', '.join(EVENT_TYPES)}")
    return frozenset({asked.type})


def _bounds(created: Time | CreatedBounds | None) -> tuple[int, int]:
    if created is not None and not isinstance(created, Mapping):
        # A time is given to the second, and what happened within it is meant.
        start = instant(created, "created")
        is_whole = start % 1_000_000 == 0
        return start, start + 999_999 if is_whole else start
    start, end = bounds_of(created)
    return start, end - 1


def _with_pending(event: Event, deliveries: Deliveries) -> Event:
    pending = deliveries.pending_count(event.id)
    return msgspec.structs.replace(event, pending_webhooks=pending)
