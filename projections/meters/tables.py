"""The table of meters: one row a meter, as of the last fact of the log."""

from collections.abc import Sequence
from typing import get_args

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    String,
    Table,
    insert,
    select,
    update,
)

from ledger.facts.meters import EventTimeWindow, Formula, MeterFact, MeterStatus
from projections.kernels.meters import MeterDefinition, apply_fact
from projections.schema import RecordedFact, TableFold, metadata

meter = Table(
    "meter",
    metadata,
    Column("meter_id", String(255), primary_key=True),
    Column("event_name", String(100), nullable=False, unique=True),
    Column("display_name", String(250), nullable=False),
    Column("formula", String(16), nullable=False),
    Column("customer_payload_key", String(100), nullable=False),
    Column("value_payload_key", String(100), nullable=False),
    Column("event_time_window", String(16), nullable=True),
    Column("status", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deactivated_at", BigInteger, nullable=True),
    Column("position", BigInteger, nullable=False),
)


def fold_meters(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about meters."""
    definitions = read_definitions(connection)
    for each in facts:
        _fold(connection, definitions, each)


METERS = TableFold(
    name="meter",
    version=1,
    tables=(meter,),
    kinds=get_args(MeterFact),
    fold=fold_meters,
)


def read_definitions(connection: Connection) -> dict[str, MeterDefinition]:
    """Read all meters, by id, in the order they were created."""
    return {
        row.meter_id: MeterDefinition(
            meter_id=row.meter_id,
            event_name=row.event_name,
            display_name=row.display_name,
            formula=Formula(row.formula),
            customer_payload_key=row.customer_payload_key,
            value_payload_key=row.value_payload_key,
            event_time_window=(
                EventTimeWindow(row.event_time_window)
                if row.event_time_window
                else None
            ),
            status=MeterStatus(row.status),
            created=row.created,
            updated=row.updated,
            deactivated_at=row.deactivated_at,
            position=row.position,
        )
        for row in connection.execute(select(meter).order_by(meter.c.position))
    }


def _fold(
    connection: Connection,
    definitions: dict[str, MeterDefinition],
    recorded: RecordedFact,
) -> None:
    """Fold one fact into the table of meters, and into what was read of it."""
    position, recorded_at, fact = recorded
    changed = apply_fact(definitions, fact, position=position, recorded_at=recorded_at)
    if changed is None:
        return
    if changed.meter_id in definitions:
        statement = update(meter).where(meter.c.meter_id == changed.meter_id)
        connection.execute(statement, _row(changed))
    else:
        connection.execute(insert(meter), _row(changed))
    definitions[changed.meter_id] = changed


def _row(definition: MeterDefinition) -> dict[str, str | int | None]:
    window = definition.event_time_window
    return {
        "meter_id": definition.meter_id,
        "event_name": definition.event_name,
        "display_name": definition.display_name,
        "formula": definition.formula.value,
        "customer_payload_key": definition.customer_payload_key,
        "value_payload_key": definition.value_payload_key,
        "event_time_window": window.value if window else None,
        "status": definition.status.value,
        "created": definition.created,
        "updated": definition.updated,
        "deactivated_at": definition.deactivated_at,
        "position": definition.position,
    }
