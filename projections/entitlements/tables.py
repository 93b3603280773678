"""The tables of features, and how facts fold into them."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    insert,
    text,
)

from ledger.database.rows import (
    FLAG,
    RowFormat,
    change_row,
    packed_codec,
    row_of,
)
from ledger.facts.entitlements import (
    EntitlementsUpdated,
    FeatureAttached,
    FeatureCreated,
    FeatureDetached,
    FeatureUpdated,
)
from ledger.records.partial_indexes import partial_index
from projections.kernels.entitlements import (
    Attachment,
    FeatureDefinition,
    attached,
    detached,
    feature_created,
    feature_updated,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

# Written out in statements as well: a database must see that an index is of use.
IS_ATTACHED = text("detached_at IS NULL")
"""Whether a feature hangs on a product still."""

feature = Table(
    "feature",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("feature_id", Text, nullable=False, unique=True),
    Column("lookup_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("active", Integer, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Index("feature_lookup_key", "lookup_key"),
)

# `changed` is the position of the last fact about it.
product_feature = Table(
    "product_feature",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("product_feature_id", Text, nullable=False, unique=True),
    Column("product_id", Text, nullable=False),
    Column("feature_id", Text, nullable=False),
    Column("at_once", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("detached_at", BigInteger, nullable=True),
    Column("detached_position", BigInteger, nullable=True),
    Column("is_detached_at_once", Integer, nullable=True),
    Column("changed", BigInteger, nullable=False),
    Index("product_feature_product", "product_id", "position"),
    Index("product_feature_changed", "changed"),
    partial_index(
        "product_feature_attached",
        "product_id",
        "feature_id",
        where=IS_ATTACHED,
        unique=True,
    ),
)

# One row for each time that a customer's features changed, as it was noticed.
entitlement_update = Table(
    "entitlement_update",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("customer", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("former", LargeBinary, nullable=False),
    Index("entitlement_update_customer", "customer", "position"),
)

_IDS = packed_codec(tuple[str, ...])
FEATURES = RowFormat(
    feature,
    FeatureDefinition,
    {"active": FLAG, "metadata": packed_codec(dict[str, str])},
)
ATTACHMENTS = RowFormat(
    product_feature, Attachment, {"at_once": FLAG, "is_detached_at_once": FLAG}
)
UPDATES = RowFormat(
    entitlement_update, EntitlementsUpdated, {"features": _IDS, "former": _IDS}
)


def fold_entitlements(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about features."""
    for position, recorded_at, fact in facts:
        match fact:
            case FeatureCreated():
                row = FEATURES.named(feature_created(fact, position))
                connection.execute(insert(feature), row)
            case FeatureUpdated():
                place = feature.c.feature_id, fact.feature_id
                known = FEATURES.read(row_of(connection, *place))
                row = FEATURES.named(feature_updated(known, fact))
                change_row(connection, *place, row)
            case FeatureAttached():
                made = attached(fact, position, recorded_at)
                row = ATTACHMENTS.named(made) | {"changed": position}
                connection.execute(insert(product_feature), row)
            case FeatureDetached():
                at = product_feature.c.product_feature_id, fact.product_feature_id
                ended = detached(
                    ATTACHMENTS.read(row_of(connection, *at)),
                    fact,
                    position,
                    recorded_at,
                )
                row = ATTACHMENTS.named(ended) | {"changed": position}
                change_row(connection, *at, row)
            case EntitlementsUpdated():
                row = UPDATES.named(fact)
                row |= {"position": position, "recorded_at": recorded_at}
                connection.execute(insert(entitlement_update), row)
            case _:
                pass


ENTITLEMENT_FOLD = TableFold(
    tables=(feature, product_feature, entitlement_update), fold=fold_entitlements
)
