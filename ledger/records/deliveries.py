"""Deliveries: events on their way to endpoints, and the attempts to deliver them.

What writes here is called in a database transaction that has locked the endpoint's row
of the outbox; see `ledger.records.outbox`.
"""

import enum
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import Connection, case, func, insert, select, update

from ledger.database.bulk import is_among
from ledger.database.keysets import MergedPositions, PositionColumn
from ledger.database.rows import RowFormat, enum_codec, newest_first
from ledger.records.outbox_tables import (
    IS_FIRST,
    IS_PENDING,
    IS_UNDELIVERED,
    webhook_attempt,
    webhook_delivery,
    webhook_event,
    webhook_outbox,
)

LONGEST_WAIT = 24 * 3600 * 1_000_000
"""No attempt is put off by more, in microseconds, unless a clock was wrong."""

_delivery = webhook_delivery.c
_HAS_SUCCEEDED = webhook_attempt.c.status_code.between(200, 299)


class DeliveryState(enum.Enum):
    """What became of a delivery; one that has failed is not tried again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to an endpoint. Times are microseconds since 1970 UTC."""

    endpoint_id: str
    position: int
    number: int
    event_id: str
    event_type: str
    state: DeliveryState
    attempts: int
    enqueued_at: int
    next_attempt_at: int
    delivered_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One attempt to deliver, and how it went.

    Attributes:
        status_code: that of the answer, None where there was none.
        error: a word for what went wrong, None where the answer says it.
    """

    endpoint_id: str
    event_id: str
    attempt: int
    attempted_at: int
    duration_ms: int
    status_code: int | None
    error: str | None


DELIVERIES = RowFormat(webhook_delivery, Delivery, {"state": enum_codec(DeliveryState)})
ATTEMPTS = RowFormat(webhook_attempt, DeliveryAttempt)


@cache
def _undelivered(event_types: tuple[str, ...]) -> MergedPositions:
    return MergedPositions(
        [
            PositionColumn(
                _delivery.position, (_delivery.event_type == each, IS_UNDELIVERED)
            )
            for each in event_types
        ]
    )


class Deliveries:
    """Deliveries, as one database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def next_due(self, endpoint_id: str, now: int) -> Delivery | None:
        """Return what to send next: first attempts in the order of the log, then others.

        What is held back is not sent yet; see `ledger.records.outbox`.
        """
        cursor = (
            select(webhook_outbox.c.position)
            .where(webhook_outbox.c.endpoint_id == endpoint_id)
            .scalar_subquery()
        )
        its = select(webhook_delivery).where(
            _delivery.endpoint_id == endpoint_id, _delivery.position <= cursor
        )
        first = its.where(IS_FIRST)
        again = its.where(IS_PENDING, _delivery.next_attempt_at <= now)
        misdated = its.where(IS_PENDING, _delivery.next_attempt_at > now + LONGEST_WAIT)
        for wanted, *order in (
            (first, _delivery.position, _delivery.number),
            (again, _delivery.next_attempt_at, _delivery.position, _delivery.number),
            (misdated, _delivery.position, _delivery.number),
        ):
            row = self._connection.execute(wanted.order_by(*order).limit(1)).first()
            if row is not None:
                return DELIVERIES.read(row)
        return None

    def body(self, event_id: str) -> bytes:
        """Return the bytes that are sent of an event."""
        wanted = select(webhook_event.c.body).where(
            webhook_event.c.event_id == event_id
        )
        return bytes(self._connection.execute(wanted).scalar_one())

    def record(self, attempt: DeliveryAttempt, delivery: Delivery) -> None:
        """Write how an attempt went and where the delivery is now, unless it is known."""
        known = self._connection.execute(
            update(webhook_delivery)
            .where(
                _delivery.endpoint_id == delivery.endpoint_id,
                _delivery.position == delivery.position,
                _delivery.number == delivery.number,
                _delivery.attempts == delivery.attempts - 1,
            )
            .values(
                state=delivery.state.value,
                attempts=delivery.attempts,
                next_attempt_at=delivery.next_attempt_at,
                delivered_at=delivery.delivered_at,
            )
        )
        if known.rowcount == 1:
            self._connection.execute(insert(webhook_attempt), ATTEMPTS.named(attempt))

    def take_up_attempts(self, event_ids: Sequence[str]) -> None:
        """Count the attempts of deliveries that know of none, and whether one succeeded."""
        attempt = webhook_attempt.c
        rows = self._connection.execute(
            select(
                attempt.endpoint_id,
                attempt.event_id,
                func.max(attempt.attempt).label("attempts"),
                func.max(
                    case((_HAS_SUCCEEDED, attempt.attempted_at), else_=None)
                ).label("delivered_at"),
            )
            .where(
                attempt.endpoint_id.in_(select(webhook_outbox.c.endpoint_id)),
                is_among(self._connection, attempt.event_id, event_ids),
            )
            .group_by(attempt.endpoint_id, attempt.event_id)
        ).all()
        for row in rows:
            is_it = (
                _delivery.endpoint_id == row.endpoint_id,
                _delivery.event_id == row.event_id,
                IS_FIRST,
            )
            known: dict[str, object] = {"attempts": row.attempts}
            if row.delivered_at is not None:
                known["state"] = DeliveryState.DELIVERED.value
                known["delivered_at"] = row.delivered_at
            self._connection.execute(
                update(webhook_delivery).where(*is_it).values(known)
            )

    def backlog(self) -> tuple[int, int | None]:
        """Return how much is to be delivered, and when the oldest of it was enqueued."""
        wanted = select(func.count(), func.min(_delivery.enqueued_at)).where(IS_PENDING)
        count, since = self._connection.execute(
            wanted.select_from(webhook_delivery)
        ).one()
        return count, since

    def pending_counts(self, event_ids: Sequence[str]) -> dict[str, int]:
        """Return to how many endpoints events are still to be delivered, if to any."""
        rows = self._connection.execute(
            select(_delivery.event_id, func.count().label("pending"))
            .where(
                is_among(self._connection, _delivery.event_id, event_ids), IS_PENDING
            )
            .group_by(_delivery.event_id)
        )
        return {row.event_id: row.pending for row in rows}

    def undelivered(self, positions: Sequence[int]) -> dict[int, set[int]]:
        """Return the events at some positions that not every endpoint has taken.

        Returns:
            Their numbers by position; pending ones and failed ones.
        """
        rows = self._connection.execute(
            select(_delivery.position, _delivery.number).where(
                # By endpoint, as the key of deliveries is.
                _delivery.endpoint_id.in_(select(webhook_outbox.c.endpoint_id)),
                is_among(self._connection, _delivery.position, positions),
                IS_UNDELIVERED,
            )
        )
        found: dict[int, set[int]] = defaultdict(set)
        for row in rows:
            found[row.position].add(row.number)
        return dict(found)

    def undelivered_next_to(
        self,
        event_types: Collection[str],
        place: int,
        at_most: int,
        *,
        newest_first: bool,
    ) -> list[int]:
        """Return positions of events of some types that not every endpoint has taken.

        Args:
            event_types: of the events; at least one.
            place: a position, exclusive: of events before it, or after it.
            at_most: how many deliveries are looked at.
            newest_first: the direction.
        """
        merged = _undelivered(tuple(sorted(event_types)))
        rows = merged.rows(self._connection, place, at_most, newest_first=newest_first)
        return list(dict.fromkeys(position for _, position in rows))

    def place_of(self, endpoint_id: str, event_id: str) -> tuple[int, int] | None:
        """Return the place of an event among the deliveries to an endpoint."""
        row = self._connection.execute(
            select(_delivery.position, _delivery.number).where(
                _delivery.endpoint_id == endpoint_id, _delivery.event_id == event_id
            )
        ).first()
        return None if row is None else (row.position, row.number)

    def latest(
        self,
        endpoint_id: str,
        limit: int,
        *,
        before: tuple[int, int] | None = None,
        after: tuple[int, int] | None = None,
    ) -> list[tuple[Delivery, list[DeliveryAttempt]]]:
        """Return deliveries to an endpoint, newest first, with their attempts.

        Args:
            endpoint_id: of the endpoint.
            limit: how many at most.
            before: only those at earlier places, by `place_of`.
            after: only those at later places, and the earliest of them.
        """
        rows = newest_first(
            self._connection,
            select(webhook_delivery).where(_delivery.endpoint_id == endpoint_id),
            (_delivery.position, _delivery.number),
            limit,
            before=before,
            after=after,
        )
        found = [DELIVERIES.read(row) for row in rows]
        attempts = self._attempts(endpoint_id, [each.event_id for each in found])
        return [(each, attempts.get(each.event_id, [])) for each in found]

    def _attempts(
        self, endpoint_id: str, event_ids: Sequence[str]
    ) -> dict[str, list[DeliveryAttempt]]:
        attempt = webhook_attempt.c
        rows = self._connection.execute(
            select(webhook_attempt)
            .where(attempt.endpoint_id == endpoint_id, attempt.event_id.in_(event_ids))
            .order_by(attempt.event_id, attempt.attempt)
        )
        found: dict[str, list[DeliveryAttempt]] = {}
        for row in rows:
            found.setdefault(row.event_id, []).append(ATTEMPTS.read(row))
        return found
