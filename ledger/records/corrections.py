"""What a wrong time left beside the log, brought back when the log's time is corrected.

Since what lies there goes by the real time, only releases before that left any of it, or
a machine whose clock was wrong. No instant there is later than the real time but an end
that was given: of a lease, a wait, a session. So whatever is later is wrong, and becomes
the real time: earlier, a request could be forgotten that is sent again yet. Ends move
with their beginnings. Secrets are bound to their instants and stay. What was forgotten
too early stays forgotten.
"""

from sqlalchemy import Column, Connection, exists, or_, select, update

from ledger.records.audits.passes import audit_pass
from ledger.records.deliveries import DeliveryState
from ledger.records.keys import api_key
from ledger.records.outbox import LONGEST_LEASE
from ledger.records.outbox_tables import (
    webhook_attempt,
    webhook_delivery,
    webhook_event,
    webhook_outbox,
)
from ledger.records.requests import idempotent_request
from ledger.records.sessions import meter_event_session

_BEGINNINGS: tuple[Column[int], ...] = (
    audit_pass.c.started_at,
    audit_pass.c.ended_at,
    api_key.c.created,
    api_key.c.revoked_at,
    idempotent_request.c.created,
    meter_event_session.c.created,
    webhook_event.c.created,
    webhook_delivery.c.enqueued_at,
    webhook_delivery.c.delivered_at,
    webhook_attempt.c.attempted_at,
)

_delivery, _attempt = webhook_delivery.c, webhook_attempt.c


def bring_back(connection: Connection, real: int) -> None:
    """Bring back every instant beside the log that is beyond the real time.

    Args:
        connection: holds the write lock.
        real: the real time, microseconds since 1970 UTC.
    """
    _bring_deliveries_back(connection, real)
    is_wrong = meter_event_session.c.created > real
    life = meter_event_session.c.expires_at - meter_event_session.c.created
    connection.execute(
        update(meter_event_session).where(is_wrong).values(expires_at=real + life)
    )
    for column in _BEGINNINGS:
        changed = update(column.table).where(column > real).values({column: real})
        connection.execute(changed)


def _bring_deliveries_back(connection: Connection, real: int) -> None:
    """Let deliveries that wait because of a wrong time be due, and end its leases."""
    was_wrong = exists(
        select(_attempt.attempt).where(
            _attempt.endpoint_id == _delivery.endpoint_id,
            _attempt.event_id == _delivery.event_id,
            _attempt.attempt == _delivery.attempts,
            _attempt.attempted_at > real,
        )
    )
    connection.execute(
        update(webhook_delivery)
        .where(
            _delivery.state != DeliveryState.DELIVERED.value,
            _delivery.next_attempt_at > real,
            or_(_delivery.attempts == 0, was_wrong),
        )
        # Those as well that were given up because days seemed to have passed.
        .values(state=DeliveryState.PENDING.value, next_attempt_at=real)
    )
    is_beyond = webhook_outbox.c.claimed_until > real + LONGEST_LEASE
    connection.execute(
        update(webhook_outbox).where(is_beyond).values(claimed_until=real)
    )
