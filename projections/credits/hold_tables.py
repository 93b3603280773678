"""The tables of holds: a row a hold, and a row each time one was settled.

What time does to a hold is in neither: see `projections.kernels.credits.holds`.
"""

from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from ledger.database.rows import FLAG, RowFormat, enum_codec, packed_codec
from ledger.facts.credits.holds import HeldPart, HeldUsage
from ledger.records.partial_indexes import partial_index
from projections.kernels.credits.holds import Hold, HoldStatus, Settlement
from projections.schema import POSITION, metadata

# Written out in statements as well: a database must see that an index is of use.
IS_UNENDED = text("ended_at IS NULL")
"""Whether no fact ended a hold; time may have."""
HAS_ENDED = text("ended_at IS NOT NULL")
WAS_RELEASED = text("ended = 'released'")
IS_LATE = text("is_late = 1")
"""Whether a fact ended a hold and it returned something to a grant that was over."""

credit_hold = Table(
    "credit_hold",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("hold_id", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("price", Text, nullable=True),
    Column("is_partial", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("parts", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("drawn", BigInteger, nullable=False),
    Column("overdrawn", BigInteger, nullable=False),
    Column("uncovered", BigInteger, nullable=False),
    Column("settlement_count", Integer, nullable=False),
    Column("ended", String(16), nullable=True),
    Column("ended_at", BigInteger, nullable=True),
    Column("ended_position", BigInteger, nullable=True),
    Column("is_late", Integer, nullable=False),
    Column("usage", LargeBinary, nullable=True),
    Index("credit_hold_customer", "customer", "position"),
    partial_index(
        "credit_hold_open", "customer", "expires_at", "position", where=IS_UNENDED
    ),
    partial_index("credit_hold_expiry", "expires_at", "position", where=IS_UNENDED),
    partial_index("credit_hold_ended", "customer", "ended_at", where=HAS_ENDED),
    partial_index("credit_hold_released", "ended_position", where=WAS_RELEASED),
    partial_index(
        "credit_hold_late", "customer", "ended_at", "ended_position", where=IS_LATE
    ),
)

credit_hold_settlement = Table(
    "credit_hold_settlement",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("hold_position", BigInteger, nullable=False),
    Column("settlement_id", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("is_final", Integer, nullable=False),
    Column("drawn", BigInteger, nullable=False),
    Column("overdrawn", BigInteger, nullable=False),
    Column("uncovered", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("quantity", LargeBinary, nullable=True),
    Index("credit_hold_settlement_id", "hold_position", "settlement_id", unique=True),
)

PARTS = packed_codec(tuple[HeldPart, ...])
HOLDS = RowFormat(
    credit_hold,
    Hold,
    {
        "is_partial": FLAG,
        "metadata": packed_codec(dict[str, str]),
        "parts": PARTS,
        "ended": enum_codec(HoldStatus),
        "usage": packed_codec(HeldUsage),
    },
)
SETTLEMENTS = RowFormat(
    credit_hold_settlement,
    Settlement,
    {"is_final": FLAG, "quantity": packed_codec(Decimal)},
)
