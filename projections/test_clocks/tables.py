"""The tables of test clocks and of the customers attached to them, and their fold."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    insert,
    update,
)

from ledger.database.rows import FLAG, RowFormat, change_row, enum_codec, row_of
from ledger.facts.customers import CustomerCreated
from ledger.facts.test_clocks import TestClockCreated, TestClockFact, TestClockTime
from projections.kernels.test_clocks import (
    ClockDefinition,
    ClockStatus,
    clock_changed,
    clock_created,
)
from projections.schema import POSITION, RecordedFact, TableFold, metadata

test_clock = Table(
    "test_clock",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=False),
    Column("test_clock_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=True),
    Column("created", BigInteger, nullable=False),
    Column("frozen_time", BigInteger, nullable=False),
    Column("target", BigInteger, nullable=True),
    Column("status", String(16), nullable=False),
    Column("is_deleted", Integer, nullable=False),
    # Of the last fact that changed the clock, or who is attached to it.
    Column("changed", BigInteger, nullable=False, index=True),
)

clocked_customer = Table(
    "clocked_customer",
    metadata,
    Column("customer", Text, primary_key=True),
    Column("test_clock_id", Text, nullable=False),
    # The fact that attached it; what came before goes by the log's time.
    Column("position", BigInteger, nullable=False),
    Index("clocked_customer_clock", "test_clock_id", "position"),
)

# One row each time a clock began to show another instant.
clock_time = Table(
    "clock_time",
    metadata,
    Column("test_clock_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("instant", BigInteger, nullable=False),
)

CLOCKS = RowFormat(
    test_clock,
    ClockDefinition,
    {"status": enum_codec(ClockStatus), "is_deleted": FLAG},
)


def fold_clocks(connection: Connection, facts: Sequence[RecordedFact]) -> None:
    """Fold the next facts about test clocks, and customers that are created."""
    for position, recorded_at, fact in facts:
        match fact:
            case CustomerCreated():
                if fact.test_clock is not None:
                    _attach(connection, fact.customer_id, fact.test_clock, position)
            case TestClockCreated():
                made = clock_created(fact, position, recorded_at)
                row = {**CLOCKS.named(made), "changed": position}
                connection.execute(insert(test_clock), row)
                _show(connection, fact.test_clock_id, fact.frozen_time, position)
                if fact.customer is not None:
                    _attach(connection, fact.customer, fact.test_clock_id, position)
            case _ if isinstance(fact, TestClockFact) and fact.test_clock_id:
                _change(connection, fact, position)
            case _:
                pass


CLOCK_FOLD = TableFold(
    tables=(test_clock, clocked_customer, clock_time), fold=fold_clocks
)


def _change(connection: Connection, fact: TestClockFact, position: int) -> None:
    column = test_clock.c.test_clock_id
    known = CLOCKS.read(row_of(connection, column, fact.test_clock_id))
    changed = clock_changed(known, fact)
    # Each commit of its customers says what it shows, which is seldom news.
    if changed == known:
        return
    row = {**CLOCKS.named(changed), "changed": position}
    change_row(connection, column, fact.test_clock_id, row)
    if isinstance(fact, TestClockTime):
        _show(connection, fact.test_clock_id, fact.instant, position)


def _show(connection: Connection, clock: str, instant: int, position: int) -> None:
    row = {"test_clock_id": clock, "position": position, "instant": instant}
    connection.execute(insert(clock_time), row)


def _attach(connection: Connection, customer: str, clock: str, position: int) -> None:
    row = {"customer": customer, "test_clock_id": clock, "position": position}
    connection.execute(insert(clocked_customer), row)
    of_clock = update(test_clock).where(test_clock.c.test_clock_id == clock)
    connection.execute(of_clock.values(changed=position))
