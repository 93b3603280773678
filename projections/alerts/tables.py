"""The tables of alerts: a row an alert, a row a period, a row a trigger, and checkpoints.

A checkpoint says up to where every trigger has been recorded, one for usage and one for
credits. They are no fold of facts, so they stay when the tables are made anew: what was
evaluated before would otherwise be gone through again, to find nothing.
"""

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    func,
    literal_column,
)

from ledger.facts.alerts import (
    AlertStatus,
    CreditAlertTriggered,
    Recurrence,
    UsageAlertTriggered,
)
from projections.kernels.alerts.book import (
    AlertDefinition,
    CreditAlert,
    Period,
    Trigger,
    UsageAlert,
)
from projections.kernels.credits.falls import Occurrence
from projections.schema import POSITION, metadata

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
    Column("lte", BigInteger, nullable=True),
    Column("currency", String(3), nullable=True),
    Column("status", String(16), nullable=False),
    Column("period", BigInteger, nullable=True),
    Index("alert_meter", "meter_id", "position"),
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
    Column("recorded_at", BigInteger, nullable=False),
)
# Whatever an evaluator does, nothing triggers twice. No window begins at the instant
# that stands for all time.
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
    Index(
        "credit_alert_trigger_once",
        "period",
        "instant",
        "cause_position",
        "customer",
        unique=True,
    ),
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


def alert_of(row: Row[Any]) -> AlertDefinition:
    """Read an alert from its row."""
    return usage_alert_of(row) if row.lte is None else credit_alert_of(row)


def usage_alert_of(row: Row[Any]) -> UsageAlert:
    """Read an alert on usage from its row."""
    return UsageAlert(
        position=row.position,
        alert_id=row.alert_id,
        title=row.title,
        meter_id=row.meter_id,
        gte=row.gte,
        customer=row.customer,
        recurrence=Recurrence(row.recurrence),
        timezone=row.timezone,
        status=AlertStatus(row.status),
        period=row.period,
    )


def credit_alert_of(row: Row[Any]) -> CreditAlert:
    """Read an alert on credits from its row."""
    return CreditAlert(
        position=row.position,
        alert_id=row.alert_id,
        title=row.title,
        lte=row.lte,
        currency=row.currency,
        customer=row.customer,
        status=AlertStatus(row.status),
        period=row.period,
    )


def period_of(row: Row[Any]) -> Period:
    """Read a period from its row."""
    return Period(
        alert_id=row.alert_id,
        began=Occurrence(row.began_at, row.period),
        ended=None if row.ended is None else Occurrence(row.ended_at, row.ended),
    )


def trigger_of(row: Row[Any]) -> Trigger:
    """Read a trigger from its row."""
    return Trigger(
        position=row.position,
        recorded_at=row.recorded_at,
        period=row.period,
        fact=UsageAlertTriggered(
            alert_id=row.alert_id,
            customer=row.customer,
            value=Decimal(row.value),
            event_position=row.event_position,
            timestamp=row.timestamp,
            window_start=row.window_start,
        ),
    )


def credit_trigger_of(row: Row[Any]) -> Trigger:
    """Read a trigger of an alert on credits from its row."""
    return Trigger(
        position=row.position,
        recorded_at=row.recorded_at,
        period=row.period,
        fact=CreditAlertTriggered(
            alert_id=row.alert_id,
            customer=row.customer,
            value=row.value,
            instant=row.instant,
            cause_position=row.cause_position,
        ),
    )


def alert_row(made: AlertDefinition) -> dict[str, str | int | None]:
    """Make the row of an alert; what is of other alerts is left out."""
    row: dict[str, str | int | None] = {
        "position": made.position,
        "alert_id": made.alert_id,
        "title": made.title,
        "customer": made.customer,
        "status": made.status.value,
        "period": made.period,
    }
    if isinstance(made, CreditAlert):
        return row | {"lte": made.lte, "currency": made.currency}
    return row | {
        "meter_id": made.meter_id,
        "gte": made.gte,
        "recurrence": made.recurrence.value,
        "timezone": made.timezone,
    }
