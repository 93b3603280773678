"""Events: what happened, newest first or by id. Nothing of them is stored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from metering.credit_parameters import check_page
from metering.engine import Engine
from metering.errors import ResourceMissingError
from metering.parameters import one_of, only
from metering.times import Time, instant
from metering.webhooks.resources import Event, EventType
from metering.webhooks.snapshots import EVENT_TYPES, TYPES_OF, Place, Snapshots
from projections.credits import Credits
from projections.outbox import Outbox
from projections.tables.frame import RecordedFact
from projections.webhooks import Past

_POSITIONS_AT_A_TIME = 1_000
_TIMES_MORE = 8


class Events:
    """The events of a store: what the facts of its log are told as."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def retrieve(self, event_id: str) -> Event:
        """Get an event by its id.

        Raises:
            ResourceMissingError: there is no such event.
        """
        epoch = self._engine.log.head().epoch
        with self._engine.log.read() as connection:
            past = Past(connection)
            found = self._at(past, Place.of_id(event_id, epoch))
            if found is None:
                raise ResourceMissingError("event", str(event_id))
            return _with_pending(found, Outbox(connection))

    def list(
        self,
        type: EventType | None = None,  # noqa: A002  # Stripe's name
        created: Time | Mapping[str, Time] | None = None,
        *,
        limit: int = 10,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> list[Event]:
        """List events, newest first.

        Args:
            type: of one type; None is every type.
            created: recorded at a time, or within bounds: ``{"gte": …, "lt": …}``, of
                gt, gte, lt and lte.
            limit: 1 to 100.
            starting_after: id of the event before the first one to list.
            ending_before: id of the event behind the last one to list.

        Raises:
            ResourceMissingError: a cursor is the id of no event.
            InvalidRequestError: an argument is malformed, or both cursors are given.
        """
        most = check_page(limit, starting_after, ending_before)
        types = EVENT_TYPES if type is None else (one_of(type, "type", EVENT_TYPES),)
        wanted = _Wanted(types=frozenset(types), bounds=_bounds(created))
        head = self._engine.log.head()
        with self._engine.log.read() as connection:
            past = Past(connection)
            if ending_before is not None:
                place = self._cursor(past, ending_before, head.epoch, "ending_before")
                later = self._later(past, place, head.position, wanted)
                found = [event for event, _ in zip(later, range(most), strict=False)]
                found.reverse()
            else:
                before = None
                if starting_after is not None:
                    before = self._cursor(
                        past, starting_after, head.epoch, "starting_after"
                    )
                earlier = self._earlier(past, before, head.position, wanted)
                found = [event for event, _ in zip(earlier, range(most), strict=False)]
            outbox = Outbox(connection)
            return [_with_pending(event, outbox) for event in found]

    def _at(self, past: Past, place: Place | None) -> Event | None:
        recorded = None if place is None else past.fact(place.position)
        if place is None or recorded is None:
            return None
        made = dict(self._snapshots(past).of(recorded))
        return made.get(place)

    def _cursor(self, past: Past, event_id: str, epoch: str, param: str) -> Place:
        place = Place.of_id(event_id, epoch)
        if place is None or self._at(past, place) is None:
            raise ResourceMissingError("event", str(event_id), param=param)
        return place

    def _later(
        self, past: Past, place: Place, end: int, wanted: "_Wanted"
    ) -> Iterator[Event]:
        """Go through the events after a place, the oldest first."""
        snapshots = self._snapshots(past)
        for recorded in past.facts(place.position - 1, end):
            if wanted.may_be(recorded):
                for at, event in snapshots.of(recorded):
                    is_later = (at.position, at.number) > (place.position, place.number)
                    if is_later and event.type in wanted.types:
                        yield event

    def _earlier(
        self, past: Past, place: Place | None, end: int, wanted: "_Wanted"
    ) -> Iterator[Event]:
        """Go through the events before a place, the newest first.

        The log is read backwards in ever longer pieces, as facts may be rare in it.
        """
        snapshots = self._snapshots(past)
        up_to = end if place is None else place.position
        piece = _POSITIONS_AT_A_TIME
        while up_to > 0:
            after = max(0, up_to - piece)
            facts = list(past.facts(after, up_to))
            for recorded in reversed(facts):
                if not wanted.may_be(recorded):
                    continue
                for at, event in reversed(snapshots.of(recorded)):
                    is_earlier = place is None or (at.position, at.number) < (
                        place.position,
                        place.number,
                    )
                    if is_earlier and event.type in wanted.types:
                        yield event
            if facts and wanted.is_before(facts[0]):
                return
            up_to, piece = after, piece * _TIMES_MORE

    def _snapshots(self, past: Past) -> Snapshots:
        return Snapshots(
            past,
            Credits(past.connection),
            epoch=self._engine.log.head().epoch,
            livemode=self._engine.settings.livemode,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which events: of some types, recorded within bounds (both inclusive)."""

    types: frozenset[str]
    bounds: tuple[int, int]

    def may_be(self, recorded: RecordedFact) -> bool:
        """Tell whether a fact may have events that are wanted."""
        _, recorded_at, fact = recorded
        earliest, latest = self.bounds
        has_types = not self.types.isdisjoint(TYPES_OF.get(type(fact), ()))
        return has_types and earliest <= recorded_at <= latest

    def is_before(self, recorded: RecordedFact) -> bool:
        """Tell whether nothing before a fact can be wanted."""
        return recorded[1] < self.bounds[0]


def _bounds(created: Time | Mapping[str, Any] | None) -> tuple[int, int]:
    earliest, latest = -(2**62), 2**62
    if created is None:
        return earliest, latest
    if not isinstance(created, Mapping):
        # A time is given to the second, and what happened within it is meant.
        start = instant(created, "created")
        is_whole = start % 1_000_000 == 0
        return start, start + 999_999 if is_whole else start
    given = only(created, "created", {"gt", "gte", "lt", "lte"})
    at = {key: instant(time, f"created[{key}]") for key, time in given.items()}
    lower = [at["gte"]] if "gte" in at else []
    lower += [at["gt"] + 1] if "gt" in at else []
    upper = [at["lte"]] if "lte" in at else []
    upper += [at["lt"] - 1] if "lt" in at else []
    return max([earliest, *lower]), min([latest, *upper])


def _with_pending(event: Event, outbox: Outbox) -> Event:
    pending = outbox.pending_count(event.id)
    return msgspec.structs.replace(event, pending_webhooks=pending)
