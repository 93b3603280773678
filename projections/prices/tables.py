"""The tables of products and prices, and how facts fold into them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    insert,
    text,
)

from ledger.database.rows import (
    FLAG,
    RowFormat,
    change_row,
    damaged_value,
    enum_codec,
    packed_codec,
    row_of,
)
from ledger.facts.prices import (
    CurrencyAmounts,
    Package,
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductDeleted,
    ProductType,
    ProductUpdated,
    RecurringTerms,
    TiersMode,
)
from ledger.records.partial_indexes import partial_index
from projections.kernels.prices import (
    PriceDefinition,
    ProductDefinition,
    price_created,
    price_updated,
    product_created,
    product_deleted,
    product_updated,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

product = Table(
    "product",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("product_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("active", Integer, nullable=False),
    Column("description", Text, nullable=True),
    Column("default_price", Text, nullable=True),
    Column("images", LargeBinary, nullable=False),
    Column("marketing_features", LargeBinary, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("shippable", Integer, nullable=True),
    Column("statement_descriptor", Text, nullable=True),
    Column("tax_code", Text, nullable=True),
    Column("type", String(16), nullable=False),
    Column("unit_label", Text, nullable=True),
    Column("url", Text, nullable=True),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", Integer, nullable=False),
)

HAS_LOOKUP_KEY = text("lookup_key IS NOT NULL")

# Columns after `created` repeat what is packed: lists are read by them.
price = Table(
    "price",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("price_id", Text, nullable=False, unique=True),
    Column("product_id", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amounts", LargeBinary, nullable=False),
    Column("tiers_mode", String(16), nullable=True),
    Column("package", LargeBinary, nullable=True),
    Column("recurring", LargeBinary, nullable=True),
    Column("active", Integer, nullable=False),
    Column("nickname", Text, nullable=True),
    Column("lookup_key", Text, nullable=True),
    Column("metadata", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("recurring_interval", String(16), nullable=True),
    Column("usage_type", String(16), nullable=True),
    Column("meter_id", Text, nullable=True),
    Index("price_product", "product_id", "position"),
    partial_index("price_lookup_key", "lookup_key", unique=True, where=HAS_LOOKUP_KEY),
)

_STRINGS = packed_codec(tuple[str, ...])
_METADATA = packed_codec(dict[str, str])

PRODUCTS = RowFormat(
    product,
    ProductDefinition,
    {
        "active": FLAG,
        "deleted": FLAG,
        "shippable": FLAG,
        "images": _STRINGS,
        "marketing_features": _STRINGS,
        "metadata": _METADATA,
        "type": enum_codec(ProductType),
    },
)
PRICES = RowFormat(
    price,
    PriceDefinition,
    {
        "active": FLAG,
        "amounts": packed_codec(dict[str, CurrencyAmounts]),
        "metadata": _METADATA,
        "package": packed_codec(Package),
        "recurring": packed_codec(RecurringTerms),
        "tiers_mode": enum_codec(TiersMode),
    },
)


def read_price(row: Row[Any]) -> PriceDefinition:
    """Return the price of a row.

    Raises:
        StoreDamagedError: the row holds what no fold writes.
    """
    found = PRICES.read(row)
    if found.currency not in found.amounts:
        reason = f"it has no amount in {found.currency!r}"
        raise damaged_value(price.c.amounts, reason, {"position": found.position})
    return found


def fold_products(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about products."""
    for position, recorded_at, fact in facts:
        match fact:
            case ProductCreated():
                row = PRODUCTS.named(product_created(fact, position, recorded_at))
                connection.execute(insert(product), row)
            case ProductUpdated() | ProductDeleted():
                place = product.c.product_id, fact.product_id
                known = PRODUCTS.read(row_of(connection, *place))
                changed = (
                    product_deleted(known, fact)
                    if isinstance(fact, ProductDeleted)
                    else product_updated(known, fact, recorded_at)
                )
                change_row(connection, *place, PRODUCTS.named(changed))
            case _:
                pass


def fold_prices(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about prices."""
    for position, recorded_at, fact in facts:
        match fact:
            case PriceCreated():
                row = _named(price_created(fact, position, recorded_at))
                connection.execute(insert(price), row)
            case PriceUpdated():
                place = price.c.price_id, fact.price_id
                known = read_price(row_of(connection, *place))
                change_row(connection, *place, _named(price_updated(known, fact)))
            case _:
                pass


PRODUCT_FOLD = TableFold(tables=(product,), fold=fold_products)
PRICE_FOLD = TableFold(tables=(price,), fold=fold_prices)


def _named(definition: PriceDefinition) -> dict[str, Any]:
    """Return the row of a price, with what lists are read by."""
    terms = definition.recurring
    row = PRICES.named(definition)
    if terms is not None:
        row |= {
            "recurring_interval": terms.interval.value,
            "usage_type": terms.usage_type.value,
            "meter_id": terms.meter_id,
        }
    return row
