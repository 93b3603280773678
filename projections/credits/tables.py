"""The tables of credits: a row a grant, and a row each time an invoice was settled.

What time does to a grant is in neither: see `projections.kernels.credits.grants`. Credit
transactions are not stored: each follows from one row, which an index finds in the order
in which they happened; see `projections.credits.transactions`.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
)

from ledger.database.rows import RowFormat, enum_codec, packed_codec
from ledger.facts.credits.grants import (
    CreditsApplied,
    Draw,
    GrantCategory,
    GrantOrigin,
    InvoiceLine,
)
from ledger.records.partial_indexes import on_postgresql, partial_index
from projections.kernels.credits.grants import Application, Grant
from projections.schema import POSITION, metadata

# Without what an invoice changes, or each draw would move index entries.
MAY_EXPIRE = text(
    "expires_at IS NOT NULL AND voided_at IS NULL AND expired_position IS NULL"
)

IS_VOIDED = text("voided_at IS NOT NULL")
IS_POOLED = text("pool IS NOT NULL")
IS_ENDED = text("expired_position IS NOT NULL AND voided_at IS NULL")
IS_REINSTATED = text("reinstated_at IS NOT NULL")
IS_HELD = text("reinstated_at IS NULL")
"""Whether an invoice still holds what it drew; one that is settled anew holds the last."""

# Written out in statements as well: a database must see that an index is of use.
HAS_DRAWN = text("draw_count > 0")
"""Whether an invoice drew anything."""
IS_INVOICED = text("hold_position IS NULL")
"""Whether an application is that of an invoice: it settled no hold."""

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
    Column("origin", LargeBinary, nullable=True),
    Column("expired_position", BigInteger, nullable=True),
    Column("voided_at", BigInteger, nullable=True),
    Column("voided_position", BigInteger, nullable=True),
    # Where it is not null, the customer is empty.
    Column("pool", Text, nullable=True),
    Index("credit_grant_customer", "customer", "position"),
    partial_index("credit_grant_pool", "pool", "position", where=IS_POOLED),
    Index("credit_grant_created", "customer", "created", "position"),
    partial_index(
        "credit_grant_voided",
        "customer",
        "voided_at",
        "voided_position",
        where=IS_VOIDED,
    ),
    partial_index(
        "credit_grant_ended",
        "customer",
        "expires_at",
        "expired_position",
        where=IS_ENDED,
    ),
    partial_index(
        "credit_grant_expiring",
        "customer",
        "expires_at",
        "position",
        where=MAY_EXPIRE,
    ),
    partial_index(
        "credit_grant_expiry",
        "expires_at",
        "position",
        where=MAY_EXPIRE,
    ),
)

# A row for each grant. A table by itself, since a billing run changes a row in five: so
# small, some hundred lie on a page, and few pages are written anew.
credit_grant_use = Table(
    "credit_grant_use",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    Column("applied", BigInteger, nullable=False),
    # What came back after its end, of invoices and of holds.
    Column("reinstated_late", BigInteger, nullable=False),
    # By holds that no fact ended, those that time ended among them.
    Column("held", BigInteger, nullable=False),
    CheckConstraint("applied BETWEEN 0 AND amount", name="credit_grant_not_overdrawn"),
    CheckConstraint("held >= 0", name="credit_grant_not_underheld"),
)
# Room for draws: a row that stays on its page leaves its index alone.
on_postgresql(credit_grant_use, {"with": {"fillfactor": 50}})

credit_application = Table(
    "credit_application",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("invoice", Text, nullable=False),
    # Of a billing run, all that is null here is in a block; customer and time are made
    # good when it gives back.
    Column("customer", Text, nullable=True),
    Column("currency", String(3), nullable=True),
    Column("period_end", BigInteger, nullable=True),
    Column("recorded_at", BigInteger, nullable=True),
    Column("lines", LargeBinary, nullable=True),
    Column("draws", LargeBinary, nullable=True),
    Column("reinstated_at", BigInteger, nullable=True),
    Column("reinstated_position", BigInteger, nullable=True),
    Column("draw_count", Integer, nullable=False),
    # Where its block begins; null where it was settled alone.
    Column("block_position", BigInteger, nullable=True),
    # Null where no hold was settled.
    Column("hold_position", BigInteger, nullable=True),
    # An invoice holds one settlement at a time, and few ever gave one back.
    partial_index(
        "credit_application_held",
        "invoice",
        unique=True,
        where=IS_HELD,
    ),
    partial_index(
        "credit_application_given_back",
        "invoice",
        "position",
        where=IS_REINSTATED,
    ),
    # Once credits are used up, most invoices draw nothing.
    partial_index(
        "credit_application_drawn",
        "position",
        where=HAS_DRAWN,
    ),
    partial_index(
        "credit_application_undone",
        "reinstated_position",
        where=IS_REINSTATED,
    ),
    partial_index(
        "credit_application_reinstated",
        "customer",
        "reinstated_at",
        "reinstated_position",
        where=IS_REINSTATED,
    ),
)

# The blocks of billing runs as they were committed, of some hundred invoices each: a row
# for each would cost more to write than all that it says.
credit_invoice_block = Table(
    "credit_invoice_block",
    metadata,
    Column("first_position", POSITION, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("encoded", LargeBinary, nullable=False),
)

# One row for each invoice that drew, in the order in which its customer's did. A table and
# no index, since it is written in that order: by an index, each invoice of a billing run
# would change another page.
credit_customer_application = Table(
    "credit_customer_application",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("recorded_at", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# One row for each fact about an invoice and each grant that it moved credits of.
credit_movement = Table(
    "credit_movement",
    metadata,
    Column("grant_position", BigInteger, primary_key=True, autoincrement=False),
    Column("instant", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    # Null where the fact at the position is the application.
    Column("application_position", BigInteger, nullable=True),
    sqlite_with_rowid=False,
)

IS_LIVE = credit_grant.c.voided_at.is_(None) & or_(
    credit_grant.c.expires_at.is_(None),
    credit_grant.c.expires_at > bindparam("instant"),
)
"""Whether a grant is neither voided nor expired at the bound `instant`."""

# Written out in statements: to bind it takes longer than what it is bound for.
NOTHING = literal_column("0", BigInteger)
HAS_CREDIT = credit_grant_use.c.applied < credit_grant_use.c.amount
"""Whether invoices have left something of a grant."""

PRICES = packed_codec(tuple[str, ...])
METADATA = packed_codec(dict[str, str])
DRAWS = packed_codec(tuple[Draw, ...])

GRANTS_AND_USE = credit_grant.join(
    credit_grant_use, credit_grant_use.c.position == credit_grant.c.position
)
_USE = (
    credit_grant_use.c.applied,
    credit_grant_use.c.reinstated_late,
    credit_grant_use.c.held,
)
SELECT_GRANTS: Select[Any] = select(*credit_grant.c, *_USE).select_from(GRANTS_AND_USE)
"""Grants as `GRANTS` reads them."""
COUNT_UNUSED = (
    select(func.count())
    .select_from(GRANTS_AND_USE)
    .where(
        IS_LIVE,
        or_(HAS_CREDIT, credit_grant.c.effective_at > bindparam("instant")),
    )
)
"""How many grants an invoice may still draw from, at the bound `instant` or later."""
GRANTS = RowFormat(
    credit_grant,
    Grant,
    {
        "prices": PRICES,
        "category": enum_codec(GrantCategory),
        "metadata": METADATA,
        "origin": packed_codec(GrantOrigin),
    },
    joined=_USE,
)
APPLICATIONS = RowFormat(
    credit_application,
    Application,
    {"lines": packed_codec(tuple[InvoiceLine, ...]), "draws": DRAWS},
)
_ENCODE = DRAWS.encode


def application_row(
    fact: CreditsApplied, position: int, recorded_at: int, hold_position: int | None
) -> tuple[Any, ...]:
    """Return the row of an application, written out: a billing run makes very many."""
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
        len(fact.draws),
        None,
        hold_position,
    )
