"""Enqueueing as one database transaction sees it: what is to be sent, and to whom.

All that writes is called in a database transaction that holds the write lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from ledger.commits import read_head
from ledger.database.bulk import insert_rows
from ledger.records.outbox import DeliveryState
from ledger.records.outbox_tables import webhook_delivery, webhook_event, webhook_outbox

_delivery, _outbox = webhook_delivery.c, webhook_outbox.c
# A fact has fewer events by far.
_APART = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """An event that is sent to some endpoints.

    Attributes:
        position: that of the fact it tells of.
        number: among the events of that fact.
        body: what is sent.
    """

    position: int
    number: int
    event_id: str
    event_type: str
    body: bytes
    endpoint_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event that tells of no fact, and is sent to some endpoints.

    Attributes:
        body: what is sent.
    """

    event_id: str
    event_type: str
    body: bytes
    endpoint_ids: tuple[str, ...]


class Enqueueing:
    """Deliveries to come, as a database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def cursors(self) -> dict[str, int]:
        """Read up to where deliveries to each endpoint are enqueued."""
        rows = self.connection.execute(select(_outbox.endpoint_id, _outbox.position))
        return {row.endpoint_id: row.position for row in rows}

    def enqueue(self, events: Iterable[Enqueued], now: int) -> int:
        """Add deliveries that are not there yet, and count them."""
        cursors = self.cursors()
        return self._add(
            [
                (endpoint_id, event)
                for event in events
                for endpoint_id in event.endpoint_ids
                # It may be deleted, or another worker faster.
                if cursors.get(endpoint_id, event.position) < event.position
            ],
            now,
        )

    def enqueue_apart(self, events: Iterable[Told], now: int) -> int:
        """Add deliveries of events that have no place in the log, and count them.

        They are sent behind what is recorded so far, and before what will be.
        """
        position = read_head(self.connection).position
        number = self._first_free_number(position)
        placed = [
            Enqueued(
                position=position,
                number=number + index,
                event_id=each.event_id,
                event_type=each.event_type,
                body=each.body,
                endpoint_ids=each.endpoint_ids,
            )
            for index, each in enumerate(events)
        ]
        return self._add(
            [
                (endpoint_id, each)
                for each in placed
                for endpoint_id in each.endpoint_ids
            ],
            now,
        )

    def move_cursors(self, position: int) -> None:
        """Say up to where deliveries are enqueued, which never goes back."""
        self.connection.execute(
            update(webhook_outbox)
            .where(_outbox.position < position)
            .values(position=position)
        )

    def _first_free_number(self, position: int) -> int:
        """Find a number for an event that is told apart, beyond those of a fact's."""
        # By endpoint, as the key of deliveries is.
        wanted = select(func.max(_delivery.number)).where(
            _delivery.endpoint_id.in_(select(_outbox.endpoint_id)),
            _delivery.position == position,
            _delivery.number >= _APART,
        )
        last = self.connection.execute(wanted).scalar()
        return _APART if last is None else int(last) + 1

    def _add(self, wanted: Sequence[tuple[str, Enqueued]], now: int) -> int:
        if wanted:
            bodies = {event.event_id: event.body for _, event in wanted}
            known = set(self._known_events(list(bodies)))
            added = [
                (event_id, now, body)
                for event_id, body in bodies.items()
                if event_id not in known
            ]
            rows = [_delivery_row(*each, now) for each in wanted]
            insert_rows(self.connection, webhook_event, added)
            insert_rows(self.connection, webhook_delivery, rows)
        return len(wanted)

    def _known_events(self, event_ids: Sequence[str]) -> Iterable[str]:
        wanted = select(webhook_event.c.event_id)
        for start in range(0, len(event_ids), 500):
            portion = event_ids[start : start + 500]
            is_among = webhook_event.c.event_id.in_(portion)
            yield from self.connection.execute(wanted.where(is_among)).scalars()


def _delivery_row(endpoint_id: str, event: Enqueued, now: int) -> tuple[Any, ...]:
    return (
        endpoint_id,
        event.position,
        event.number,
        event.event_id,
        event.event_type,
        DeliveryState.PENDING.value,
        0,
        now,
        now,
        None,
    )
