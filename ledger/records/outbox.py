"""Deliveries as one database transaction sees them, and what moves them on.

All that writes is called in a database transaction that holds the write lock, so that
one process at a time claims, enqueues and tells how an attempt went.

A claim is a lease by the clock of whoever looks. Clocks that differ by minutes end a
lease early, and two processes may then send the same event; or late, and it is sent
later. No more comes of it: how an attempt went is written by the first that tells, and
whoever finds the endpoint taken over stops.
"""

import enum
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from ledger.database.bulk import is_among
from ledger.records.outbox_tables import (
    IS_FIRST,
    IS_PENDING,
    webhook_attempt,
    webhook_delivery,
    webhook_event,
    webhook_outbox,
    webhook_secret,
)

_delivery, _outbox = webhook_delivery.c, webhook_outbox.c
_ATTEMPT_NAMES = [column.name for column in webhook_attempt.columns]


class DeliveryState(enum.Enum):
    """What became of a delivery; a failed one is not tried again."""

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
class Attempt:
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


class Outbox:
    """Deliveries, as a database transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    # Endpoints.

    def open(self, endpoint_id: str) -> None:
        """Begin to deliver to an endpoint."""
        row = {"endpoint_id": endpoint_id, "position": 0, "claimed_until": 0}
        self.connection.execute(insert(webhook_outbox), row)

    def remove(self, endpoint_id: str) -> None:
        """Forget all that was to be sent to an endpoint, and its secrets."""
        for table in (
            webhook_outbox,
            webhook_secret,
            webhook_delivery,
            webhook_attempt,
        ):
            is_its = table.c.endpoint_id == endpoint_id
            self.connection.execute(delete(table).where(is_its))

    def add_secret(self, endpoint_id: str, secret: str, created: int) -> None:
        """Give an endpoint a secret."""
        row = {"endpoint_id": endpoint_id, "secret": secret, "created": created}
        self.connection.execute(insert(webhook_secret), row)

    def end_secrets(self, endpoint_id: str, ends: int) -> None:
        """Let the secrets of an endpoint sign no longer than until an instant."""
        secret = webhook_secret.c
        goes_on = or_(secret.ends.is_(None), secret.ends > ends)
        self.connection.execute(
            update(webhook_secret)
            .where(secret.endpoint_id == endpoint_id, goes_on)
            .values(ends=ends)
        )

    def secrets(self, endpoint_id: str, now: int) -> list[str]:
        """Read the secrets that sign now, the newest first."""
        secret = webhook_secret.c
        rows = self.connection.execute(
            select(secret.secret)
            .where(
                secret.endpoint_id == endpoint_id,
                or_(secret.ends.is_(None), secret.ends > now),
            )
            .order_by(secret.ends.is_(None).desc(), secret.created.desc())
        )
        return [row.secret for row in rows]

    # Claiming.

    def due_endpoints(self, now: int) -> list[str]:
        """Return the endpoints that nobody delivers to although something is due."""
        # The least of an index, for each endpoint by itself: asked whether one exists,
        # PostgreSQL goes through all that is pending.
        earliest = (
            select(func.min(_delivery.next_attempt_at))
            .where(_delivery.endpoint_id == _outbox.endpoint_id, IS_PENDING)
            .correlate(webhook_outbox)
            .scalar_subquery()
        )
        rows = self.connection.execute(
            select(_outbox.endpoint_id)
            .where(
                or_(_outbox.claimed_by.is_(None), _outbox.claimed_until <= now),
                earliest <= now,
            )
            .order_by(_outbox.endpoint_id)
        )
        return list(rows.scalars())

    def claim(self, endpoint_id: str, claimant: str, now: int, until: int) -> bool:
        """Be the only one to deliver to an endpoint for a while, or learn of another."""
        changed = self.connection.execute(
            update(webhook_outbox)
            .where(
                _outbox.endpoint_id == endpoint_id,
                or_(_outbox.claimed_by.is_(None), _outbox.claimed_until <= now),
            )
            .values(claimed_by=claimant, claimed_until=until)
        )
        return changed.rowcount == 1

    def extend(self, endpoint_id: str, claimant: str, until: int) -> bool:
        """Go on delivering to an endpoint, unless somebody else has taken over."""
        changed = self.connection.execute(
            update(webhook_outbox)
            .where(_outbox.endpoint_id == endpoint_id, _outbox.claimed_by == claimant)
            .values(claimed_until=until)
        )
        return changed.rowcount == 1

    def release(self, endpoint_id: str, claimant: str) -> None:
        """Let others deliver to an endpoint."""
        self.connection.execute(
            update(webhook_outbox)
            .where(_outbox.endpoint_id == endpoint_id, _outbox.claimed_by == claimant)
            .values(claimed_by=None, claimed_until=0)
        )

    # Delivering.

    def next_due(self, endpoint_id: str, now: int) -> Delivery | None:
        """Find what to send next: first attempts in the order of the log, then others."""
        its = select(webhook_delivery).where(_delivery.endpoint_id == endpoint_id)
        first = its.where(IS_FIRST)
        again = its.where(_is_due(now))
        for wanted, *order in (
            (first, _delivery.position, _delivery.number),
            (again, _delivery.next_attempt_at, _delivery.position, _delivery.number),
        ):
            row = self.connection.execute(wanted.order_by(*order).limit(1)).first()
            if row is not None:
                return _delivery_of(row)
        return None

    def body(self, event_id: str) -> bytes:
        """Read what is sent of an event."""
        wanted = select(webhook_event.c.body).where(
            webhook_event.c.event_id == event_id
        )
        return bytes(self.connection.execute(wanted).scalar_one())

    def record(self, attempt: Attempt, delivery: Delivery) -> None:
        """Say how an attempt went, and where the delivery is now."""
        known = self.connection.execute(
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
            row = {name: getattr(attempt, name) for name in _ATTEMPT_NAMES}
            self.connection.execute(insert(webhook_attempt), row)

    # Forgetting.

    def forgettable(self, before: int, limit: int) -> list[str]:
        """Read the events enqueued before an instant that nobody waits for any more."""
        is_waited_for = (
            select(_delivery.event_id)
            .where(_delivery.event_id == webhook_event.c.event_id, IS_PENDING)
            .exists()
        )
        wanted = (
            select(webhook_event.c.event_id)
            .where(webhook_event.c.created < before, ~is_waited_for)
            .order_by(webhook_event.c.created)
            .limit(limit)
        )
        return list(self.connection.execute(wanted).scalars())

    def forget(self, event_ids: Sequence[str]) -> None:
        """Remove what is sent of events, and all deliveries and attempts of them."""
        # By endpoint first, as the key of attempts is; there are few endpoints.
        known = select(_outbox.endpoint_id)
        its_attempts = webhook_attempt.c.endpoint_id.in_(known)
        for table, *more in (
            (webhook_attempt, its_attempts),
            (webhook_delivery,),
            (webhook_event,),
        ):
            is_one = is_among(self.connection, table.c.event_id, event_ids)
            self.connection.execute(delete(table).where(is_one, *more))

    # Looking.

    def pending_count(self, event_id: str) -> int:
        """Count the endpoints that an event has not been delivered to."""
        wanted = select(func.count()).where(
            _delivery.event_id == event_id,
            _delivery.state == DeliveryState.PENDING.value,
        )
        return int(self.connection.execute(wanted).scalar_one())

    def backlog(self) -> tuple[int, int | None]:
        """Count what is to be delivered, and tell when the oldest of it was enqueued."""
        wanted = select(func.count(), func.min(_delivery.enqueued_at)).where(IS_PENDING)
        count, since = self.connection.execute(
            wanted.select_from(webhook_delivery)
        ).one()
        return count, since

    def undelivered(self, after: int, up_to: int) -> dict[int, set[int]]:
        """Find the events that not every endpoint has taken, between two positions.

        Returns:
            Their numbers, by position; both those that are tried again and those that
            are not.
        """
        # By endpoint, as the key of deliveries is.
        rows = self.connection.execute(
            select(_delivery.position, _delivery.number)
            .where(
                _delivery.endpoint_id.in_(select(_outbox.endpoint_id)),
                _delivery.position > after,
                _delivery.position <= up_to,
                _delivery.state != DeliveryState.DELIVERED.value,
            )
            .order_by(_delivery.position, _delivery.number)
        )
        found: dict[int, set[int]] = defaultdict(set)
        for row in rows:
            found[row.position].add(row.number)
        return dict(found)

    def deliveries(
        self, endpoint_id: str, limit: int
    ) -> list[tuple[Delivery, list[Attempt]]]:
        """Read the last deliveries to an endpoint, newest first, with their attempts."""
        rows = self.connection.execute(
            select(webhook_delivery)
            .where(_delivery.endpoint_id == endpoint_id)
            .order_by(_delivery.position.desc(), _delivery.number.desc())
            .limit(limit)
        )
        found = [_delivery_of(row) for row in rows]
        attempts = self._attempts(endpoint_id, [each.event_id for each in found])
        return [(each, attempts.get(each.event_id, [])) for each in found]

    def _attempts(
        self, endpoint_id: str, event_ids: Sequence[str]
    ) -> dict[str, list[Attempt]]:
        attempt = webhook_attempt.c
        rows = self.connection.execute(
            select(webhook_attempt)
            .where(attempt.endpoint_id == endpoint_id, attempt.event_id.in_(event_ids))
            .order_by(attempt.event_id, attempt.attempt)
        )
        found: dict[str, list[Attempt]] = {}
        for row in rows:
            found.setdefault(row.event_id, []).append(Attempt(**row._asdict()))
        return found


def _is_due(now: int) -> Any:
    return and_(IS_PENDING, _delivery.next_attempt_at <= now)


def _delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(**{**row._asdict(), "state": DeliveryState(row.state)})
