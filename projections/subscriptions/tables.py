"""The tables of subscriptions, and how facts fold into them."""

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
    delete,
)

from ledger.database.bulk import insert_rows
from ledger.database.rows import (
    FLAG,
    RowFormat,
    change_row,
    damaged_value,
    enum_codec,
    packed_codec,
    row_of,
)
from ledger.facts.subscriptions import (
    BillingMode,
    Cancellation,
    CollectionMethod,
    Phase,
    PhaseKind,
    SubscriptionChange,
    SubscriptionCreated,
)
from projections.kernels.subscriptions.changes import (
    subscription_changed,
    subscription_created,
)
from projections.kernels.subscriptions.definitions import (
    ItemDefinition,
    SubscriptionDefinition,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

# Columns after `end_noticed` repeat what the others say: lists are read by them.
subscription = Table(
    "subscription",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("subscription_id", Text, nullable=False, unique=True),
    Column("customer", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("billing_mode", String(16), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("phases", LargeBinary, nullable=False),
    Column("trial_start", BigInteger, nullable=True),
    Column("trial_end", BigInteger, nullable=True),
    Column("cancel_at", BigInteger, nullable=True),
    Column("cancel_at_period_end", Integer, nullable=False),
    Column("canceled_at", BigInteger, nullable=True),
    Column("cancellation", LargeBinary, nullable=False),
    Column("ended", BigInteger, nullable=True),
    Column("collection_method", String(32), nullable=False),
    Column("days_until_due", Integer, nullable=True),
    Column("description", Text, nullable=True),
    Column("metadata", LargeBinary, nullable=False),
    Column("items", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("trial_end_noticed", BigInteger, nullable=True),
    Column("end_noticed", BigInteger, nullable=True),
    Column("ends_at", BigInteger, nullable=True),
    Column("is_paused", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=True),
    Column("changed", BigInteger, nullable=False),
    Index("subscription_due", "due_at"),
    Index("subscription_changed", "changed"),
    Index("subscription_customer", "customer", "position"),
)

# Items are kept with their subscription. This finds it, by the item and by its price.
subscription_item = Table(
    "subscription_item",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("subscription_id", Text, nullable=False),
    Column("price_id", Text, nullable=True),
    Index("subscription_item_subscription", "subscription_id"),
    Index("subscription_item_price", "price_id"),
)

SUBSCRIPTIONS = RowFormat(
    subscription,
    SubscriptionDefinition,
    {
        "billing_mode": enum_codec(BillingMode),
        "phases": packed_codec(tuple[Phase, ...]),
        "cancel_at_period_end": FLAG,
        "cancellation": packed_codec(Cancellation),
        "collection_method": enum_codec(CollectionMethod),
        "metadata": packed_codec(dict[str, str]),
        "items": packed_codec(tuple[ItemDefinition, ...]),
    },
)


def read_subscription(row: Row[Any]) -> SubscriptionDefinition:
    """Return the subscription of a row.

    Raises:
        StoreDamagedError: the row holds what no fold writes.
    """
    found = SUBSCRIPTIONS.read(row)
    if not found.phases or not all(each.prices for each in found.items):
        column = subscription.c["items" if found.phases else "phases"]
        raise damaged_value(column, "it lacks a part", {"position": found.position})
    return found


def fold_subscriptions(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about subscriptions."""
    made: list[SubscriptionDefinition] = []
    for position, recorded_at, fact in facts:
        if isinstance(fact, SubscriptionCreated):
            made.append(subscription_created(fact, position, recorded_at))
        elif isinstance(fact, SubscriptionChange):
            _insert(connection, made)
            made = []
            _change(connection, fact, position, recorded_at)
    _insert(connection, made)


SUBSCRIPTION_FOLD = TableFold(
    tables=(subscription, subscription_item), fold=fold_subscriptions
)


def _insert(connection: Connection, made: Sequence[SubscriptionDefinition]) -> None:
    """Insert new subscriptions together: a rebuild has a hundred thousand in a row."""
    rows = [SUBSCRIPTIONS.row(each, **_listed_by(each, each.position)) for each in made]
    insert_rows(connection, subscription, rows)
    items = [row for each in made for row in _item_rows(each)]
    insert_rows(connection, subscription_item, items)


def _change(
    connection: Connection, fact: SubscriptionChange, position: int, recorded_at: int
) -> None:
    subscription_id = fact.subscription_id
    place = subscription.c.subscription_id, subscription_id
    known = read_subscription(row_of(connection, *place))
    changed = subscription_changed(known, fact, position, recorded_at)
    values = SUBSCRIPTIONS.named(changed) | _listed_by(changed, position)
    change_row(connection, *place, values)
    if changed.items != known.items:
        of_it = subscription_item.c.subscription_id == subscription_id
        connection.execute(delete(subscription_item).where(of_it))
        insert_rows(connection, subscription_item, _item_rows(changed))


def _listed_by(definition: SubscriptionDefinition, changed: int) -> dict[str, Any]:
    """Return what lists are read by, after the last fact about it so far."""
    is_paused = definition.phases[-1].kind is PhaseKind.PAUSED
    due = filter(None, (definition.trial_end_due, definition.end_due))
    return {
        "ends_at": definition.ends_at,
        "is_paused": int(is_paused),
        "due_at": min(due, default=None),
        "changed": changed,
    }


def _item_rows(
    definition: SubscriptionDefinition,
) -> list[tuple[str, str, str | None]]:
    """Return where the items of a subscription are; those that ended have no price."""
    return [
        (
            each.item_id,
            definition.subscription_id,
            each.price.price_id if each.ended is None else None,
        )
        for each in definition.items
    ]
