"""The outbox: what recorded events become, in the order of the log, for each endpoint.

A database transaction that writes here locks the rows of `webhook_outbox` that it is
about first, in the order of their endpoints, and only then deliveries. Where it also
records facts, it holds the log's write lock before; without facts it needs no such lock,
and on PostgreSQL takes none. So nothing waits in a circle, appends do not wait for
deliveries, and deliveries to one endpoint do not wait for those to another.

Nothing is sent before what was recorded before it is enqueued: a delivery beyond the
endpoint's cursor is held back until the cursor has reached it.

A process sends to an endpoint while it holds the endpoint's lease. A process that dies
lets it expire. Expiry is judged by the real time, that of the server where there is one.
Where clocks differ by minutes, two processes may send the same event, or one is sent
late. Nothing worse follows: the first process to record an attempt wins, and one that
finds its lease taken over stops. A lease or an attempt that lies further ahead than any
is made was written by a clock that was wrong, and is over or due.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from ledger.commits import read_head
from ledger.database.bulk import insert_rows, is_among
from ledger.database.rows import without_null
from ledger.records.deliveries import (
    DELIVERIES,
    LONGEST_WAIT,
    Deliveries,
    Delivery,
    DeliveryState,
)
from ledger.records.outbox_tables import (
    IS_FIRST,
    IS_PENDING,
    webhook_attempt,
    webhook_delivery,
    webhook_event,
    webhook_outbox,
)

_delivery, _outbox, _event = webhook_delivery.c, webhook_outbox.c, webhook_event.c
_CURSORS = select(_outbox.endpoint_id, _outbox.position)
LONGEST_LEASE = 3_600_000_000
"""More than any process leases an endpoint for, in microseconds."""
# A fact has fewer events by far.
_APART = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEvent:
    """An event, and the endpoints that it is sent to.

    Attributes:
        position: that of the fact; 0 where the event is of no fact.
        number: among the events of that fact.
        body: what is sent.
    """

    position: int = 0
    number: int = 0
    event_id: str
    event_type: str
    body: bytes
    endpoint_ids: tuple[str, ...]


class Outbox:
    """The outbox, as one database transaction sees it.

    Attributes:
        connection: of the database transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    # Endpoints.

    def open(self, endpoint_id: str) -> None:
        """Begin to deliver to an endpoint."""
        row = {"endpoint_id": endpoint_id, "position": 0, "claimed_until": 0}
        self.connection.execute(insert(webhook_outbox), row)

    def remove(self, endpoint_id: str) -> None:
        """Delete an endpoint's deliveries, those still to be sent among them."""
        for table in (webhook_outbox, webhook_delivery, webhook_attempt):
            is_its = table.c.endpoint_id == endpoint_id
            self.connection.execute(delete(table).where(is_its))

    # Leases.

    def due_endpoints(self, now: int, holder: str) -> dict[str, bool]:
        """Return the endpoints to which something is due.

        Returns:
            By id, in its order, whether nobody else delivers to it.
        """
        # The least of an index, for each endpoint by itself: asked whether one exists,
        # PostgreSQL goes through all that is pending.
        earliest, latest = (
            select(extreme(_delivery.next_attempt_at))
            .where(
                _delivery.endpoint_id == _outbox.endpoint_id,
                IS_PENDING,
                _delivery.position <= _outbox.position,
            )
            .correlate(webhook_outbox)
            .scalar_subquery()
            for extreme in (func.min, func.max)
        )
        is_due = or_(earliest <= now, latest > now + LONGEST_WAIT)
        rows = self.connection.execute(
            select(_outbox.endpoint_id, _is_free(now, holder).label("is_free"))
            .where(is_due)
            .order_by(_outbox.endpoint_id)
        )
        return {row.endpoint_id: bool(row.is_free) for row in rows}

    def lease(self, endpoint_id: str, holder: str, now: int, until: int) -> bool:
        """Take the lease of an endpoint, and return whether it was to be had.

        Args:
            endpoint_id: of the endpoint.
            holder: the process; it may take its own lease again.
            now: the instant.
            until: when the lease expires.
        """
        free = (
            select(_outbox.endpoint_id)
            .where(_outbox.endpoint_id == endpoint_id, _is_free(now, holder))
            # A process that holds the row's lock is about to take or renew the lease.
            .with_for_update(skip_locked=True)
        )
        if self.connection.execute(free).first() is None:
            return False
        is_it = _outbox.endpoint_id == endpoint_id
        self.connection.execute(
            update(webhook_outbox)
            .where(is_it)
            .values(claimed_by=holder, claimed_until=until)
        )
        return True

    def renew(self, endpoint_id: str, holder: str, until: int) -> bool:
        """Extend a lease, and return whether it was still the holder's."""
        changed = self.connection.execute(
            update(webhook_outbox)
            .where(_outbox.endpoint_id == endpoint_id, _outbox.claimed_by == holder)
            .values(claimed_until=until)
        )
        return changed.rowcount == 1

    def release(self, endpoint_id: str, holder: str) -> None:
        """Give a lease back."""
        self.connection.execute(
            update(webhook_outbox)
            .where(_outbox.endpoint_id == endpoint_id, _outbox.claimed_by == holder)
            .values(claimed_by=None, claimed_until=0)
        )

    # Enqueueing.

    def cursors(self) -> dict[str, int]:
        """Return up to which position deliveries are enqueued, by endpoint."""
        return self._cursors(_CURSORS)

    def enqueue(self, events: Sequence[OutgoingEvent], up_to: int, now: int) -> int:
        """Add the deliveries that another process has not added, and return how many.

        Args:
            events: all that are sent to anybody after the least cursor, up to `up_to`.
            up_to: position to which every cursor moves; none goes back.
            now: the instant.
        """
        cursors = self._lock_cursors()
        # The endpoint may be deleted, or another worker have been faster.
        wanted = self._absent(
            events, lambda to, event: cursors.get(to, event.position) < event.position
        )
        self.connection.execute(
            update(webhook_outbox)
            .where(_outbox.position < up_to)
            .values(position=up_to)
        )
        return self._add(wanted, now)

    def add_missing(self, events: Sequence[OutgoingEvent], now: int) -> int:
        """Add the deliveries that are not there, and return how many.

        Also what is sent, where only that is missing. A delivery whose attempts are there
        goes on from them.
        """
        known = self._lock_cursors()
        self._add_events(events, now)
        wanted = self._absent(events, lambda to, _: to in known)
        self._add_deliveries(wanted, now)
        if wanted:
            Deliveries(self.connection).take_up_attempts([e.event_id for e in events])
        return len(wanted)

    def keys_at(self, positions: Sequence[int]) -> dict[tuple[str, int, int], str]:
        """Return the deliveries at some positions: their keys, with the events' ids."""
        wanted = select(
            _delivery.endpoint_id,
            _delivery.position,
            _delivery.number,
            _delivery.event_id,
        ).where(
            _delivery.endpoint_id.in_(select(_outbox.endpoint_id)),
            is_among(self.connection, _delivery.position, sorted(set(positions))),
        )
        rows = self.connection.execute(wanted)
        return {tuple(row[:3]): row.event_id for row in rows}

    def reached(self) -> dict[str, int]:
        """Return the last positions of facts of which deliveries are, by endpoint."""
        wanted = (
            select(_delivery.endpoint_id, func.max(_delivery.position).label("last"))
            .where(_delivery.number < _APART)
            .group_by(_delivery.endpoint_id)
        )
        return {row.endpoint_id: row.last for row in self.connection.execute(wanted)}

    def give_cursors(self, endpoint_ids: Sequence[str]) -> None:
        """Give endpoints a cursor that have none, and take it from those that are gone."""
        known = self._lock_cursors()
        for each in sorted(set(endpoint_ids) - known.keys()):
            self.open(each)
        for each in sorted(known.keys() - set(endpoint_ids)):
            self.remove(each)

    def set_cursors(self, up_to: int) -> None:
        """Move every cursor to a position, unless it has gone on from there since."""
        self._lock_cursors()
        end = read_head(self.connection).position
        is_wrong = or_(_outbox.position < up_to, _outbox.position > end)
        self.connection.execute(
            update(webhook_outbox).where(is_wrong).values(position=up_to)
        )

    def enqueue_apart(self, events: Iterable[OutgoingEvent], now: int) -> int:
        """Add deliveries of events of no fact; return how many.

        They are sent behind what is recorded so far, and before what will be: not before
        `enqueue` has come so far. Called under the log's write lock.
        """
        position = read_head(self.connection).position
        number = self._first_free_number(position)
        placed = [
            replace(each, position=position, number=at)
            for at, each in enumerate(events, number)
        ]
        return self._add(
            [(to, each) for each in placed for to in each.endpoint_ids], now
        )

    def is_holding_back(self) -> bool:
        """Whether a delivery waits until `enqueue` has come so far."""
        is_beyond = (
            select(_delivery.event_id)
            .where(
                _delivery.endpoint_id == _outbox.endpoint_id,
                IS_FIRST,
                _delivery.position > _outbox.position,
            )
            .correlate(webhook_outbox)
            .exists()
        )
        wanted = select(_outbox.endpoint_id).where(is_beyond).limit(1)
        return self.connection.execute(wanted).first() is not None

    # Forgetting.

    def forgettable(self, before: int, limit: int) -> list[str]:
        """Return events enqueued before an instant that nobody waits for any more."""
        is_waited_for = (
            select(_delivery.event_id)
            .where(_delivery.event_id == _event.event_id, IS_PENDING)
            .exists()
        )
        wanted = (
            select(_event.event_id)
            .where(_event.created < before, ~is_waited_for)
            .order_by(_event.created)
            .limit(limit)
        )
        return list(self.connection.execute(wanted).scalars())

    def forget(self, before: int, limit: int) -> int:
        """Delete forgettable events with their deliveries; return how many."""
        self._lock_cursors()
        event_ids = self.forgettable(before, limit)
        # By endpoint first, as the key of attempts is; there are few endpoints.
        its_attempts = webhook_attempt.c.endpoint_id.in_(select(_outbox.endpoint_id))
        for table, *more in (
            (webhook_attempt, its_attempts),
            (webhook_delivery,),
            (webhook_event,),
        ):
            is_one = is_among(self.connection, table.c.event_id, event_ids)
            self.connection.execute(delete(table).where(is_one, *more))
        return len(event_ids)

    def _lock_cursors(self) -> dict[str, int]:
        """Lock the rows of all endpoints, in one order, and return their cursors."""
        return self._cursors(_CURSORS.order_by(_outbox.endpoint_id).with_for_update())

    def _cursors(self, wanted: Select[Any]) -> dict[str, int]:
        columns = _outbox.endpoint_id, _outbox.position
        rows = self.connection.execute(wanted)
        return dict(map(tuple, (without_null(row, *columns) for row in rows)))

    def _first_free_number(self, position: int) -> int:
        """Return a number for an event of no fact, beyond those of any fact's."""
        # By endpoint, as the key of deliveries is.
        wanted = select(func.max(_delivery.number)).where(
            _delivery.endpoint_id.in_(select(_outbox.endpoint_id)),
            _delivery.position == position,
            _delivery.number >= _APART,
        )
        last = self.connection.execute(wanted).scalar()
        return _APART if last is None else int(last) + 1

    def _absent(
        self,
        events: Sequence[OutgoingEvent],
        is_wanted: Callable[[str, OutgoingEvent], bool],
    ) -> list[tuple[str, OutgoingEvent]]:
        """Return the wanted deliveries that are not there.

        They are where a cursor has moved back.
        """
        there = self.keys_at([each.position for each in events])
        return [
            (to, event)
            for event in events
            for to in event.endpoint_ids
            if is_wanted(to, event) and (to, event.position, event.number) not in there
        ]

    def _add(self, wanted: Sequence[tuple[str, OutgoingEvent]], now: int) -> int:
        self._add_events([event for _, event in wanted], now)
        self._add_deliveries(wanted, now)
        return len(wanted)

    def _add_deliveries(
        self, wanted: Sequence[tuple[str, OutgoingEvent]], now: int
    ) -> None:
        rows = [_delivery_row(*each, now) for each in wanted]
        insert_rows(self.connection, webhook_delivery, rows)

    def _add_events(self, events: Iterable[OutgoingEvent], now: int) -> None:
        """Add the events that are not there."""
        bodies = {event.event_id: event.body for event in events}
        known = set(self._known_events(list(bodies)))
        added = [
            (event_id, now, body)
            for event_id, body in bodies.items()
            if event_id not in known
        ]
        insert_rows(self.connection, webhook_event, added)

    def _known_events(self, event_ids: Sequence[str]) -> Iterable[str]:
        wanted = select(_event.event_id)
        for start in range(0, len(event_ids), 500):
            portion = event_ids[start : start + 500]
            is_among = _event.event_id.in_(portion)
            yield from self.connection.execute(wanted.where(is_among)).scalars()


def _delivery_row(endpoint_id: str, event: OutgoingEvent, now: int) -> tuple[Any, ...]:
    delivery = Delivery(
        endpoint_id=endpoint_id,
        position=event.position,
        number=event.number,
        event_id=event.event_id,
        event_type=event.event_type,
        state=DeliveryState.PENDING,
        attempts=0,
        enqueued_at=now,
        next_attempt_at=now,
        delivered_at=None,
    )
    return DELIVERIES.row(delivery)


def _is_free(now: int, holder: str) -> Any:
    return or_(
        _outbox.claimed_by.is_(None),
        _outbox.claimed_by == holder,
        _outbox.claimed_until <= now,
        _outbox.claimed_until > now + LONGEST_LEASE,
    )
