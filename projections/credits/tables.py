"""The tables of credits: a row a grant, a row an invoice that was settled.

What happens to a grant in time is in none of them: see `projections.kernels.credits.grants`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    or_,
    text,
)

from ledger.facts.credits import CreditsApplied, Draw, GrantCategory, InvoiceLine
from projections.kernels.credits.grants import Application, Grant
from projections.schema import POSITION, metadata

# Nothing that changes with each invoice: what is drawn would then move index entries.
MAY_EXPIRE = text(
    "expires_at IS NOT NULL AND voided_at IS NULL AND expired_position IS NULL"
)

credit_grant = Table(
    "credit_grant",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("grant_id", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("prices", LargeBinary, nullable=True),
    Column("category", String(16), nullable=False),
    Column("name", Text, nullable=True),
    Column("priority", Integer, nullable=False),
    Column("effective_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=True),
    Column("metadata", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("expired_position", BigInteger, nullable=True),
    Column("voided_at", BigInteger, nullable=True),
    Column("voided_position", BigInteger, nullable=True),
    Column("applied", BigInteger, nullable=False),
    CheckConstraint("applied BETWEEN 0 AND amount", name="credit_grant_not_overdrawn"),
    Index("credit_grant_customer", "customer", "position"),
    Index(
        "credit_grant_expiry",
        "expires_at",
        "position",
        sqlite_where=MAY_EXPIRE,
        postgresql_where=MAY_EXPIRE,
    ),
    # Room for what is drawn: a row that moves to another page moves in every index.
    postgresql_with={"fillfactor": 50},
)

credit_application = Table(
    "credit_application",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("invoice", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("period_end", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("lines", LargeBinary, nullable=False),
    Column("draws", LargeBinary, nullable=False),
    Column("reinstated_at", BigInteger, nullable=True),
    Column("reinstated_position", BigInteger, nullable=True),
    # Times ascend with positions. Few invoices are ever reinstated.
    Index("credit_application_customer", "customer", "recorded_at"),
    Index(
        "credit_application_reinstated",
        "customer",
        "reinstated_at",
        sqlite_where=text("reinstated_at IS NOT NULL"),
        postgresql_where=text("reinstated_at IS NOT NULL"),
    ),
)

IS_LIVE = credit_grant.c.voided_at.is_(None) & or_(
    credit_grant.c.expires_at.is_(None),
    credit_grant.c.expires_at > bindparam("instant"),
)
"""Whether a grant is neither voided nor, at the `instant` that is given, expired."""

HAS_CREDIT = credit_grant.c.applied < credit_grant.c.amount
"""Whether invoices left something of a grant."""

_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_PRICES = msgspec.msgpack.Decoder(tuple[str, ...])
_METADATA = msgspec.msgpack.Decoder(dict[str, str])
_LINES = msgspec.msgpack.Decoder(tuple[InvoiceLine, ...])
_DRAWS = msgspec.msgpack.Decoder(tuple[Draw, ...])


def grant_row(grant: Grant) -> tuple[Any, ...]:
    """Make the row of a grant, in the order of the columns."""
    return (
        grant.position,
        grant.grant_id,
        grant.customer,
        grant.amount,
        grant.currency,
        encoded_prices(grant.prices),
        grant.category.value,
        grant.name,
        grant.priority,
        grant.effective_at,
        grant.expires_at,
        _ENCODE(grant.metadata),
        grant.created,
        grant.updated,
        grant.expired_position,
        grant.voided_at,
        grant.voided_position,
        grant.applied,
    )


def grant_of(row: Row[Any]) -> Grant:
    """Read a grant from its row."""
    return Grant(
        position=row.position,
        grant_id=row.grant_id,
        customer=row.customer,
        amount=row.amount,
        currency=row.currency,
        prices=decoded_prices(row.prices),
        category=GrantCategory(row.category),
        name=row.name,
        priority=row.priority,
        effective_at=row.effective_at,
        expires_at=row.expires_at,
        metadata=_METADATA.decode(row.metadata),
        created=row.created,
        updated=row.updated,
        expired_position=row.expired_position,
        voided_at=row.voided_at,
        voided_position=row.voided_position,
        applied=row.applied,
    )


def application_row(
    fact: CreditsApplied, position: int, recorded_at: int
) -> tuple[Any, ...]:
    """Make the row of an application that a fact records, in the order of the columns."""
    return (
        position,
        fact.invoice,
        fact.customer,
        fact.currency,
        fact.period_end,
        recorded_at,
        _ENCODE(fact.lines),
        _ENCODE(fact.draws),
        None,
        None,
    )


def application_of(row: Row[Any]) -> Application:
    """Read an application from its row."""
    return Application(
        position=row.position,
        invoice=row.invoice,
        customer=row.customer,
        currency=row.currency,
        period_end=row.period_end,
        recorded_at=row.recorded_at,
        lines=_LINES.decode(row.lines),
        draws=decoded_draws(row.draws),
        reinstated_at=row.reinstated_at,
        reinstated_position=row.reinstated_position,
    )


def encoded_prices(prices: Sequence[str] | None) -> bytes | None:
    """Encode the scope of a grant; None is every metered price."""
    return None if prices is None else _ENCODE(prices)


def decoded_prices(prices: bytes | None) -> tuple[str, ...] | None:
    """Decode the scope of a grant."""
    return None if prices is None else _PRICES.decode(prices)


def decoded_draws(draws: bytes) -> tuple[Draw, ...]:
    """Decode the draws of an application."""
    return _DRAWS.decode(draws)


def encoded_metadata(pairs: dict[str, str]) -> bytes:
    """Encode the metadata of a grant."""
    return _ENCODE(pairs)
