"""The tables of the outbox: what is to be sent, what was, and which process sends.

How far deliveries to an endpoint are enqueued is written in the database transaction
that adds them, so that no event is left out, whenever a process dies.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    text,
)

from ledger.records.partial_indexes import partial_index
from ledger.records.tables import metadata

# One row an endpoint: up to which position its deliveries are enqueued, and the lease of
# the process that sends them.
webhook_outbox = Table(
    "webhook_outbox",
    metadata,
    Column("endpoint_id", String(255), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("claimed_by", String(64), nullable=True),
    Column("claimed_until", BigInteger, nullable=False),
)

# What is sent, once for all endpoints and attempts: whatever a later release would make
# of the event, the bytes stay.
webhook_event = Table(
    "webhook_event",
    metadata,
    Column("event_id", String(64), primary_key=True),
    Column("created", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("webhook_event_created", "created"),
)

# Written out in statements as well: a database must see that an index is of use.
IS_PENDING = text("state = 'pending'")
IS_FIRST = text("state = 'pending' AND attempts = 0")
IS_UNDELIVERED = text("state <> 'delivered'")

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("endpoint_id", String(255), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("event_id", String(64), nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("enqueued_at", BigInteger, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger, nullable=True),
    # Few are pending, however many were delivered.
    partial_index(
        "webhook_delivery_pending",
        "endpoint_id",
        "next_attempt_at",
        where=IS_PENDING,
    ),
    partial_index(
        "webhook_delivery_first",
        "endpoint_id",
        "position",
        "number",
        where=IS_FIRST,
    ),
    Index("webhook_delivery_event", "event_id"),
)
undelivered_index = partial_index(
    "webhook_delivery_undelivered",
    webhook_delivery.c.event_type,
    webhook_delivery.c.position,
    where=IS_UNDELIVERED,
)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("endpoint_id", String(255), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("attempted_at", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("status_code", Integer, nullable=True),
    Column("error", String(64), nullable=True),
)
