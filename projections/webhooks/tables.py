"""The tables of webhook endpoints, and of changes of resources that have events.

A change is kept with its fact, so a resource can be shown as it was at any position.
"""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
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

from ledger.database.bulk import insert_rows
from ledger.database.rows import RowFormat, damaged_value, enum_codec, packed_codec
from ledger.facts.alerts import AlertActivated, AlertArchived, AlertDeactivated
from ledger.facts.audits import AuditFailed
from ledger.facts.credits.grants import (
    CreditGrantExpired,
    CreditGrantLapsed,
    CreditGrantUpdated,
    CreditGrantVoided,
)
from ledger.facts.credits.holds import CreditHoldLapsed
from ledger.facts.credits.pools import PoolChange
from ledger.facts.credits.schedules import ScheduleChange
from ledger.facts.customers import CustomerDeleted, CustomerUpdated
from ledger.facts.meters import MeterDeactivated, MeterReactivated, MeterUpdated
from ledger.facts.prices import PriceUpdated, ProductDeleted, ProductUpdated
from ledger.facts.reports import ReportEnd
from ledger.facts.statements import StatementVoided
from ledger.facts.subscriptions import SubscriptionChange
from ledger.facts.test_clocks import (
    TestClockAdvancing,
    TestClockDeleted,
    TestClockFailed,
    TestClockReady,
)
from ledger.facts.union import Fact, decode_facts, encode_facts
from ledger.facts.webhooks import (
    EndpointStatus,
    SignatureScheme,
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointUpdated,
)
from projections.kernels.endpoints import Endpoint, created, updated
from projections.schema import (
    POSITION,
    RecordedFact,
    TableFold,
    metadata,
)

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("endpoint_id", String(255), nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("enabled_events", LargeBinary, nullable=False),
    Column("description", Text, nullable=True),
    Column("metadata", LargeBinary, nullable=False),
    Column("signature", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
)

resource_change = Table(
    "resource_change",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("resource_id", String(255), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("fact", LargeBinary, nullable=False),
    Index("resource_change_resource", "resource_id", "position"),
    Index("resource_change_kind", "kind", "position"),
)

grant_lapse = Table(
    "grant_lapse",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("grant_id", String(255), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    # Of a grant there may be several, if the log's time was corrected.
    Index("grant_lapse_grant", "grant_id"),
)

hold_lapse = Table(
    "hold_lapse",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("hold_id", String(255), nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Index("hold_lapse_hold", "hold_id"),
)

ENDPOINT_ROWS = RowFormat(
    webhook_endpoint,
    Endpoint,
    {
        "enabled_events": packed_codec(tuple[str, ...], msgspec.json),
        "metadata": packed_codec(dict[str, str], msgspec.json),
        "signature": enum_codec(SignatureScheme),
        "status": enum_codec(EndpointStatus),
    },
)


def kind_of(fact_class: type[Fact]) -> str:
    """Return the name under which changes of a class are kept."""
    tag = fact_class.__struct_config__.tag
    assert isinstance(tag, str), "facts are a tagged union"
    return tag


def change_of(row: Row[Any]) -> RecordedFact:
    """Return the change that a row of `resource_change` keeps.

    Raises:
        StoreDamagedError: it is no fact.
    """
    try:
        (fact,) = decode_facts(row.fact)
    except (msgspec.MsgspecError, TypeError, ValueError) as error:
        key = {"position": row.position}
        raise damaged_value(resource_change.c.fact, str(error), key) from error
    return row.position, row.recorded_at, fact


def fold_endpoints(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about webhook endpoints."""
    for position, recorded_at, fact in facts:
        match fact:
            case WebhookEndpointCreated():
                row = ENDPOINT_ROWS.named(created(fact, position, recorded_at))
                connection.execute(insert(webhook_endpoint), row)
            case WebhookEndpointUpdated():
                _change(connection, fact, position)
            case WebhookEndpointDeleted():
                is_it = webhook_endpoint.c.endpoint_id == fact.endpoint_id
                connection.execute(delete(webhook_endpoint).where(is_it))
            case _:
                pass


def fold_changes(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Keep the next facts that change resources."""
    rows = [
        (
            position,
            _resource_id(fact),
            kind_of(type(fact)),
            recorded_at,
            encode_facts([fact]),
        )
        for position, recorded_at, fact in facts
    ]
    insert_rows(connection, resource_change, rows)


def fold_lapses(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next expiries of grants that were noticed."""
    rows = [
        (position, fact.grant_id, recorded_at)
        for position, recorded_at, fact in facts
        if isinstance(fact, CreditGrantLapsed)
    ]
    insert_rows(connection, grant_lapse, rows)


def fold_hold_lapses(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next expiries of holds that were noticed."""
    rows = [
        (position, fact.hold_id, recorded_at)
        for position, recorded_at, fact in facts
        if isinstance(fact, CreditHoldLapsed)
    ]
    insert_rows(connection, hold_lapse, rows)


ENDPOINTS = TableFold(
    tables=(webhook_endpoint,),
    fold=fold_endpoints,
)
CHANGES = TableFold(
    tables=(resource_change,),
    fold=fold_changes,
)

LAPSES = TableFold(
    tables=(grant_lapse,),
    fold=fold_lapses,
)
HOLD_LAPSES = TableFold(
    tables=(hold_lapse,),
    fold=fold_hold_lapses,
)


def _change(
    connection: Connection, fact: WebhookEndpointUpdated, position: int
) -> None:
    is_it = webhook_endpoint.c.endpoint_id == fact.endpoint_id
    row = connection.execute(select(webhook_endpoint).where(is_it)).one()
    changed = updated(ENDPOINT_ROWS.read(row), fact, position)
    connection.execute(
        update(webhook_endpoint).where(is_it).values(ENDPOINT_ROWS.named(changed))
    )


_ID_NAMES = {
    **dict.fromkeys((MeterUpdated, MeterDeactivated, MeterReactivated), "meter_id"),
    **dict.fromkeys(
        (CreditGrantUpdated, CreditGrantExpired, CreditGrantVoided), "grant_id"
    ),
    **dict.fromkeys((AlertActivated, AlertDeactivated, AlertArchived), "alert_id"),
    WebhookEndpointUpdated: "endpoint_id",
    **dict.fromkeys((ProductUpdated, ProductDeleted), "product_id"),
    PriceUpdated: "price_id",
    StatementVoided: "statement_id",
    **dict.fromkeys((CustomerUpdated, CustomerDeleted), "customer_id"),
    **dict.fromkeys(get_args(SubscriptionChange), "subscription_id"),
    **dict.fromkeys(get_args(ScheduleChange), "schedule_id"),
    **dict.fromkeys(get_args(PoolChange), "pool_id"),
    **dict.fromkeys(get_args(ReportEnd), "run_id"),
    **dict.fromkeys(
        (TestClockAdvancing, TestClockReady, TestClockFailed, TestClockDeleted),
        "test_clock_id",
    ),
    AuditFailed: "audit_id",
}


def _resource_id(fact: Fact) -> str:
    changed: str = getattr(fact, _ID_NAMES[type(fact)])
    return changed
