"""The tables of alerts: a row an alert, a row a period, a row a trigger, and a checkpoint.

The checkpoint says up to which position every trigger has been recorded. It is no fold
of facts, so it stays when the tables are made anew: what was evaluated before would
otherwise be gone through again, to find nothing.
"""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)

from ledger.alerts import (
    AlertActivated,
    AlertArchived,
    AlertCreated,
    AlertDeactivated,
    AlertStatus,
    AlertTriggered,
    Recurrence,
)
from projections.kernels.alerts import (
    Alert,
    AlertFact,
    TransitionFact,
    Trigger,
    changed,
    created,
)
from projections.tables.bulk import insert_rows, is_among
from projections.tables.frame import (
    POSITION,
    RecordedFact,
    ResourceTables,
    metadata,
)

alert = Table(
    "alert",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("meter_id", String(255), nullable=False),
    Column("gte", BigInteger, nullable=False),
    Column("customer", Text, nullable=True),
    Column("recurrence", String(16), nullable=False),
    Column("timezone", Text, nullable=True),
    Column("status", String(16), nullable=False),
    Column("period", BigInteger, nullable=True),
    Index("alert_meter", "meter_id", "position"),
)

alert_period = Table(
    "alert_period",
    metadata,
    Column("period", POSITION, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False),
    Column("ended", BigInteger, nullable=True),
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

alert_checkpoint = Table(
    "alert_checkpoint",
    metadata,
    Column("checkpoint_id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

_END_PERIOD = (
    update(alert_period)
    .where(alert_period.c.period == bindparam("of_period"))
    .values(ended=bindparam("at_position"))
)


def fold_alerts(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about alerts."""
    triggers: list[tuple[int, int, AlertTriggered]] = []
    for position, recorded_at, fact in facts:
        match fact:
            case AlertTriggered():
                triggers.append((position, recorded_at, fact))
            case AlertCreated():
                _create(connection, fact, position)
            case AlertActivated() | AlertDeactivated() | AlertArchived():
                _change(connection, fact, position)
            case _:
                pass
    _trigger(connection, triggers)


ALERTS = ResourceTables(
    name="alert",
    version=1,
    tables=(alert, alert_period, alert_trigger),
    kinds=get_args(AlertFact),
    fold=fold_alerts,
)


def alert_of(row: Row[Any]) -> Alert:
    """Read an alert from its row."""
    return Alert(
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


def trigger_of(row: Row[Any]) -> Trigger:
    """Read a trigger from its row."""
    return Trigger(
        position=row.position,
        recorded_at=row.recorded_at,
        period=row.period,
        fact=AlertTriggered(
            alert_id=row.alert_id,
            customer=row.customer,
            value=Decimal(row.value),
            event_position=row.event_position,
            timestamp=row.timestamp,
            window_start=row.window_start,
        ),
    )


def read_checkpoint(connection: Connection) -> int | None:
    """Read up to where triggers are recorded; None where there never was an alert."""
    return connection.execute(select(alert_checkpoint.c.position)).scalar()


def move_checkpoint(connection: Connection, position: int) -> None:
    """Say up to where triggers are recorded, which never goes back."""
    connection.execute(
        update(alert_checkpoint)
        .where(alert_checkpoint.c.position < position)
        .values(position=position)
    )


def _create(connection: Connection, fact: AlertCreated, position: int) -> None:
    connection.execute(insert(alert), _row(created(fact, position)))
    _begin_period(connection, fact.alert_id, position)
    if read_checkpoint(connection) is None:
        # Before the first alert there was nothing to trigger.
        row = {"checkpoint_id": 1, "position": position}
        connection.execute(insert(alert_checkpoint), row)


def _change(connection: Connection, fact: TransitionFact, position: int) -> None:
    is_it = alert.c.alert_id == fact.alert_id
    before = alert_of(connection.execute(select(alert).where(is_it)).one())
    after = changed(before, fact, position)
    connection.execute(update(alert).where(is_it), _row(after))
    if before.period is not None:
        ended = {"of_period": before.period, "at_position": position}
        connection.execute(_END_PERIOD, ended)
    if after.period is not None:
        _begin_period(connection, fact.alert_id, position)


def _begin_period(connection: Connection, alert_id: str, position: int) -> None:
    row = {"period": position, "alert_id": alert_id, "ended": None}
    connection.execute(insert(alert_period), row)


def _trigger(
    connection: Connection, triggers: Sequence[tuple[int, int, AlertTriggered]]
) -> None:
    if not triggers:
        return
    alert_ids = sorted({fact.alert_id for _, _, fact in triggers})
    periods: dict[str, list[int]] = {}
    for alert_id, period in connection.execute(
        select(alert_period.c.alert_id, alert_period.c.period)
        .where(is_among(connection, alert_period.c.alert_id, alert_ids))
        .order_by(alert_period.c.period)
    ):
        periods.setdefault(alert_id, []).append(period)
    rows = [
        (
            position,
            fact.alert_id,
            _period_of(periods[fact.alert_id], fact.event_position),
            fact.customer,
            f"{fact.value:f}",
            fact.event_position,
            fact.timestamp,
            fact.window_start,
            recorded_at,
        )
        for position, recorded_at, fact in triggers
    ]
    insert_rows(connection, alert_trigger, rows)


def _period_of(periods: Sequence[int], position: int) -> int:
    """Find the last of an alert's periods, ascending, that begins before a position."""
    return periods[bisect_left(periods, position) - 1]


def _row(made: Alert) -> dict[str, str | int | None]:
    return {
        "position": made.position,
        "alert_id": made.alert_id,
        "title": made.title,
        "meter_id": made.meter_id,
        "gte": made.gte,
        "customer": made.customer,
        "recurrence": made.recurrence.value,
        "timezone": made.timezone,
        "status": made.status.value,
        "period": made.period,
    }
