"""The catalog: all meters, and who lives by test clocks, kept until a fact is recorded."""

import threading

import msgspec
from sqlalchemy import Connection

from ledger.commits import read_head
from ledger.database.rows import RowsByKey
from projections.kernels.meters import MeterDefinition
from projections.meters.tables import meter, read_definitions
from projections.test_clocks.clocked import (
    NOBODY,
    ClockedCatalog,
    ClockedCustomers,
)


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """Meters as of a position.

    Attributes:
        facts_position: of the last fact that they contain.
        by_id: in the order of creation.
        by_event_name: the same meters; an event name has one meter, active or not.
        clocked: who lives by a test clock.
    """

    facts_position: int
    by_id: dict[str, MeterDefinition]
    by_event_name: dict[str, MeterDefinition]
    clocked: ClockedCustomers = NOBODY


class Catalog:
    """The latest meter definitions that were read. Thread-safe.

    Attributes:
        clocks: who lives by test clocks, without the meters.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clocks = ClockedCatalog()
        self.latest: Definitions | None = None
        """The definitions at the greatest position read so far."""

    def forget(self) -> None:
        """Forget the definitions, so that they are read again."""
        with self._lock:
            self.latest = None
        self.clocks.forget()

    def read(self, connection: Connection) -> Definitions:
        """Return the definitions as a database transaction sees them."""
        head = read_head(connection)
        latest = self.latest
        if latest is not None and latest.facts_position == head.facts_position:
            return latest
        by_id = read_definitions(connection)
        definitions = Definitions(
            facts_position=head.facts_position,
            by_id=by_id,
            by_event_name=RowsByKey(
                meter, ((each.event_name, each) for each in by_id.values())
            ),
            clocked=self.clocks.read(connection, head.facts_position),
        )
        with self._lock:
            latest = self.latest
            if latest is None or latest.facts_position < head.facts_position:
                self.latest = definitions
        return definitions
