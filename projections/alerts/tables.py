"""The tables of alerts: rows of alerts, periods and triggers, and three checkpoints.

A checkpoint says up to where every trigger has been recorded: one is for usage, one for
credits, and one for what unbilled usage leaves of them. Checkpoints follow from no fact,
so they stay when the tables are made anew for another release, or the whole log would be
evaluated again to find nothing. A repair forgets them: one that was moved ahead would hide
for ever what was not evaluated.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    func,
    literal_column,
    text,
)

from ledger.database.rows import (
    FLAG,
    Codec,
    RowFormat,
    damaged_value,
    enum_codec,
    packed_codec,
)
from ledger.facts.alerts import (
    AlertStatus,
    Allowance,
    CreditAlertTriggered,
    LimitShare,
    Recurrence,
    Spend,
    SpendLimitWarned,
    SubscribedPeriods,
    TriggerFact,
    UsageAlertTriggered,
)
from ledger.records.partial_indexes import partial_index
from projections.kernels.alerts.book import (
    AlertDefinition,
    CreditAlert,
    SpendAlert,
    Trigger,
    UsageAlert,
)
from projections.schema import POSITION, metadata

# Written out in statements as well: a database must see that an index is of use.
IS_LISTED = text("status <> 'archived'")
IS_ON_USAGE = text("status <> 'archived' AND meter_id IS NOT NULL")
IS_ON_SPEND = text("status <> 'archived' AND spend IS NOT NULL")
IS_ON_CREDITS = text("status <> 'archived' AND currency IS NOT NULL")
IS_WARNING = text("limit_id IS NOT NULL")
"""Whether a trigger warns of a spend limit."""
IS_NO_WARNING = text("limit_id IS NULL")
HAS_HAPPENED = text("instant <= recorded_at")
"""Whether credits fell when a trigger says; not if by a wrong time, corrected since."""

alert = Table(
    "alert",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("meter_id", String(255), nullable=True),
    Column("gte", BigInteger, nullable=True),
    Column("customer", Text, nullable=True),
    Column("recurrence", String(16), nullable=True),
    Column("timezone", Text, nullable=True),
    Column("percent_of", LargeBinary, nullable=True),
    Column("spend", LargeBinary, nullable=True),
    Column("subscribed", LargeBinary, nullable=True),
    Column("of_limit", LargeBinary, nullable=True),
    Column("lte", BigInteger, nullable=True),
    Column("currency", String(3), nullable=True),
    Column("includes_unbilled_usage", Integer, nullable=True),
    Column("status", String(16), nullable=False),
    Column("period", BigInteger, nullable=True),
    # Archived alerts stay for ever, and no list shows them.
    *(
        partial_index(f"alert_{name}", *columns, where=which)
        for name, columns, which in (
            ("listed", ("position",), IS_LISTED),
            ("on_usage", ("position",), IS_ON_USAGE),
            ("on_spend", ("position",), IS_ON_SPEND),
            ("on_credits", ("position",), IS_ON_CREDITS),
            ("meter", ("meter_id", "position"), IS_LISTED),
        )
    ),
)

alert_period = Table(
    "alert_period",
    metadata,
    Column("period", POSITION, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=True),
    Column("ended_at", BigInteger, nullable=True),
    Index("alert_period_alert", "alert_id", "period"),
)

alert_trigger = Table(
    "alert_trigger",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False),
    Column("period", BigInteger, nullable=False),
    Column("customer", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("event_position", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("window_start", BigInteger, nullable=True),
    Column("limit_id", Text, nullable=True),
    Column("percentage", Integer, nullable=True),
    Column("recorded_at", BigInteger, nullable=False),
    partial_index("alert_trigger_warning", "position", where=IS_WARNING),
    Index("alert_trigger_alert", "alert_id", "position"),
    Index("alert_trigger_customer", "customer", "position"),
)
# Whatever an evaluator does, no alert triggers twice. The literal stands for all time;
# no window begins then.
Index(
    "alert_trigger_once",
    alert_trigger.c.period,
    alert_trigger.c.customer,
    func.coalesce(alert_trigger.c.window_start, literal_column("-9000000000000000000")),
    unique=True,
)

credit_alert_trigger = Table(
    "credit_alert_trigger",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False),
    Column("period", BigInteger, nullable=False),
    Column("customer", Text, nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("instant", BigInteger, nullable=False),
    Column("cause_position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    partial_index(
        "credit_alert_trigger_once",
        "period",
        "instant",
        "cause_position",
        "customer",
        unique=True,
        where=HAS_HAPPENED,
    ),
    Index("credit_alert_trigger_alert", "alert_id", "position"),
    Index("credit_alert_trigger_customer", "customer", "position"),
)

# Credits with unbilled usage that are at a threshold, or below it, and have triggered.
credit_alert_fallen = Table(
    "credit_alert_fallen",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("period", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

alert_checkpoint = Table(
    "alert_checkpoint",
    metadata,
    Column("checkpoint_id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

credit_alert_checkpoint = Table(
    "credit_alert_checkpoint",
    metadata,
    Column("checkpoint_id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)

burn_down_checkpoint = Table(
    "burn_down_checkpoint",
    metadata,
    Column("checkpoint_id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)
CHECKPOINT_ID = 1
CHECKPOINTS = (alert_checkpoint, credit_alert_checkpoint, burn_down_checkpoint)
"""The tables that follow from no fact."""

_STATUS = {"status": enum_codec(AlertStatus)}
USAGE_ALERTS = RowFormat(
    alert,
    UsageAlert,
    _STATUS
    | {"recurrence": enum_codec(Recurrence), "percent_of": packed_codec(Allowance)},
)
SPEND_ALERTS = RowFormat(
    alert,
    SpendAlert,
    _STATUS
    | {
        "recurrence": enum_codec(Recurrence),
        "spend": packed_codec(Spend),
        "subscribed": packed_codec(SubscribedPeriods),
        "of_limit": packed_codec(LimitShare),
    },
)
CREDIT_ALERTS = RowFormat(
    alert, CreditAlert, _STATUS | {"includes_unbilled_usage": FLAG}
)
_VALUE = {"value": Codec("{:f}".format, Decimal)}
USAGE_TRIGGERS = RowFormat(alert_trigger, UsageAlertTriggered, _VALUE)
LIMIT_WARNINGS = RowFormat(alert_trigger, SpendLimitWarned, _VALUE)
CREDIT_TRIGGERS = RowFormat(credit_alert_trigger, CreditAlertTriggered)


def alert_of(row: Row[Any]) -> AlertDefinition:
    """Return the alert of a row."""
    if row.lte is not None:
        return CREDIT_ALERTS.read(row)
    return USAGE_ALERTS.read(row) if row.spend is None else SPEND_ALERTS.read(row)


def alert_row(made: AlertDefinition) -> dict[str, Any]:
    """Return the row of an alert; columns of the other kinds are NULL."""
    match made:
        case CreditAlert():
            return CREDIT_ALERTS.named(made)
        case SpendAlert():
            return SPEND_ALERTS.named(made)
        case UsageAlert():
            return USAGE_ALERTS.named(made)


def trigger_of(table: Table, row: Row[Any], fact: TriggerFact) -> Trigger:
    """Return the trigger of a row of a table, given its fact."""
    if row.recorded_at is None:
        key = {"position": row.position}
        raise damaged_value(table.c.recorded_at, "it is NULL", key)
    return Trigger(
        position=row.position,
        recorded_at=row.recorded_at,
        period=row.period,
        fact=fact,
    )
