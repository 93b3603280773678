"""Tables that facts fold into, inside the append's own database transaction.

They can be dropped at any time: the log makes them again. Each names the version of the
fold that made it, and is made anew when a release folds differently.
"""

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
    update,
)

from ledger.adjustments import MeterEventCancelled
from ledger.entries import Commit
from ledger.facts import Fact
from ledger.meters import EventTimeWindow, Formula, MeterStatus
from projections.kernels.definitions import MeterDefinition, apply_fact

FOLD_VERSION = 1

metadata = MetaData()

projection = Table(
    "projection",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("fold_version", Integer, nullable=False),
)

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


class FactTables:
    """The tables that facts fold into: one row a meter."""

    def is_current(self, connection: Connection) -> bool:
        """Tell whether the tables exist and were made by this fold."""
        if not inspect(connection).has_table(projection.name):
            return False
        version = select(projection.c.fold_version).where(
            projection.c.name == meter.name
        )
        return connection.execute(version).scalar() == FOLD_VERSION

    def rebuild(
        self, connection: Connection, facts: Iterator[tuple[int, int, Fact]]
    ) -> None:
        """Make the tables anew from all facts of the log."""
        metadata.create_all(connection)
        connection.execute(delete(meter))
        connection.execute(delete(projection))
        connection.execute(
            insert(projection), {"name": meter.name, "fold_version": FOLD_VERSION}
        )
        definitions: dict[str, MeterDefinition] = {}
        for position, recorded_at, fact in facts:
            _fold(connection, definitions, position, recorded_at, fact)

    def fold(self, connection: Connection, commit: Commit) -> None:
        """Fold a commit of facts."""
        assert isinstance(commit.content, tuple), "usage folds into no table"
        if all(isinstance(fact, MeterEventCancelled) for fact in commit.content):
            return
        definitions = read_definitions(connection)
        for position, fact in enumerate(commit.content, commit.first_position):
            _fold(connection, definitions, position, commit.recorded_at, fact)


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
    position: int,
    recorded_at: int,
    fact: Fact,
) -> None:
    """Fold one fact into the table of meters, and into what was read of it."""
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
