"""The table of meters: a row a meter, as of the last fact of the log."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    String,
    Table,
    insert,
    select,
    update,
)

from ledger.database.rows import RowFormat, RowsByKey, enum_codec
from ledger.facts.meters import EventTimeWindow, Formula, MeterStatus
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
    Index("meter_position", "position"),
)

_METERS = RowFormat(
    meter,
    MeterDefinition,
    {
        "formula": enum_codec(Formula),
        "event_time_window": enum_codec(EventTimeWindow),
        "status": enum_codec(MeterStatus),
    },
)


def fold_meters(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about meters."""
    definitions = read_definitions(connection)
    for position, recorded_at, fact in facts:
        changed = apply_fact(
            definitions, fact, position=position, recorded_at=recorded_at
        )
        if changed is None:
            continue
        row = _METERS.named(changed)
        if changed.meter_id in definitions:
            is_it = meter.c.meter_id == changed.meter_id
            connection.execute(update(meter).where(is_it), row)
        else:
            connection.execute(insert(meter), row)
        definitions[changed.meter_id] = changed


METERS = TableFold(
    tables=(meter,),
    fold=fold_meters,
)


def read_definitions(connection: Connection) -> RowsByKey[str, MeterDefinition]:
    """Return all meters by id, in the order they were created."""
    rows = connection.execute(select(meter).order_by(meter.c.position))
    return RowsByKey(meter, ((row.meter_id, _METERS.read(row)) for row in rows))
