"""The table of spend limits, and how facts fold into it."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    text,
)

from ledger.database.rows import (
    RowFormat,
    change_row,
    enum_codec,
    packed_codec,
    row_of,
)
from ledger.facts.alerts import Recurrence, Spend, SubscribedPeriods
from ledger.facts.credits.limits import (
    SpendLimitCanceled,
    SpendLimitCreated,
    SpendLimitUpdated,
)
from ledger.records.partial_indexes import partial_index
from projections.kernels.limits import (
    LimitDefinition,
    limit_canceled,
    limit_created,
    limit_updated,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

# Written out in statements as well: a database must see that an index is of use.
LIMITS_NOW = text("canceled_at IS NULL")
"""Whether a limit still limits."""

spend_limit = Table(
    "spend_limit",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("limit_id", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("spend", LargeBinary, nullable=False),
    Column("recurrence", String(16), nullable=False),
    Column("timezone", Text, nullable=True),
    Column("subscribed", LargeBinary, nullable=True),
    Column("warn_at", LargeBinary, nullable=False),
    Column("alerts", LargeBinary, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("canceled_at", BigInteger, nullable=True),
    partial_index("spend_limit_customer", "customer", "position", where=LIMITS_NOW),
    partial_index("spend_limit_listed", "position", where=LIMITS_NOW),
)

SPEND_LIMITS = RowFormat(
    spend_limit,
    LimitDefinition,
    {
        "spend": packed_codec(Spend),
        "recurrence": enum_codec(Recurrence),
        "subscribed": packed_codec(SubscribedPeriods),
        "warn_at": packed_codec(tuple[int, ...]),
        "alerts": packed_codec(tuple[str, ...]),
        "metadata": packed_codec(dict[str, str]),
    },
)


def fold_limits(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about spend limits."""
    for position, recorded_at, fact in facts:
        match fact:
            case SpendLimitCreated():
                row = SPEND_LIMITS.named(limit_created(fact, position, recorded_at))
                connection.execute(insert(spend_limit), row)
            case SpendLimitUpdated():
                known = _limit(connection, fact.limit_id)
                _keep(connection, limit_updated(known, fact))
            case SpendLimitCanceled():
                known = _limit(connection, fact.limit_id)
                _keep(connection, limit_canceled(known, recorded_at))
            case _:
                pass


LIMIT_FOLD = TableFold(tables=(spend_limit,), fold=fold_limits)


def _limit(connection: Connection, limit_id: str) -> LimitDefinition:
    return SPEND_LIMITS.read(row_of(connection, spend_limit.c.limit_id, limit_id))


def _keep(connection: Connection, changed: LimitDefinition) -> None:
    row = SPEND_LIMITS.named(changed)
    change_row(connection, spend_limit.c.limit_id, changed.limit_id, row)
