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
    insert,
    select,
    update,
)

from ledger.database.rows import (
    FLAG,
    RowFormat,
    damaged_value,
    enum_codec,
    missing_row,
    packed_codec,
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
    Index("subscription_due", "due_at"),
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
    for position, recorded_at, fact in facts:
        if isinstance(fact, SubscriptionCreated):
            made = subscription_created(fact, position, recorded_at)
            connection.execute(insert(subscription), _named(made))
            _keep_items(connection, made)
        elif isinstance(fact, SubscriptionChange):
            is_it = subscription.c.subscription_id == fact.subscription_id
            row = connection.execute(select(subscription).where(is_it)).first()
            if row is None:
                raise missing_row(subscription, fact.subscription_id)
            known = read_subscription(row)
            changed = subscription_changed(known, fact, recorded_at)
            statement = update(subscription).where(is_it)
            connection.execute(statement.values(_named(changed)))
            if changed.items != known.items:
                _keep_items(connection, changed)


SUBSCRIPTION_FOLD = TableFold(
    tables=(subscription, subscription_item), fold=fold_subscriptions
)


def _named(definition: SubscriptionDefinition) -> dict[str, Any]:
    """Return the row of a subscription, with what lists are read by."""
    is_paused = definition.phases[-1].kind is PhaseKind.PAUSED
    return SUBSCRIPTIONS.named(definition) | {
        "ends_at": definition.ends_at,
        "is_paused": int(is_paused),
        "due_at": min(
            filter(None, (definition.trial_end_due, definition.end_due)), default=None
        ),
    }


def _keep_items(connection: Connection, definition: SubscriptionDefinition) -> None:
    """Write where the items of a subscription are; those that ended have no price."""
    subscription_id = definition.subscription_id
    of_it = subscription_item.c.subscription_id == subscription_id
    connection.execute(delete(subscription_item).where(of_it))
    rows = [
        {
            "item_id": each.item_id,
            "subscription_id": subscription_id,
            "price_id": each.price.price_id if each.ended is None else None,
        }
        for each in definition.items
    ]
    connection.execute(insert(subscription_item), rows)
