"""The facts that have events, next to a place in the log, whatever lies between them.

Facts of a kind lie in a table that keeps their positions in order. Where the row says
all that the fact said, the fact is made of it: the commit of a billing run holds tens of
thousands.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from sqlalchemy import Column, Connection, Row, Table, TextClause, select

from ledger.commits import commit_holding, commits_at, log_time
from ledger.database.bulk import is_among
from ledger.database.keysets import MergedPositions, PositionColumn
from ledger.database.rows import damaged_value
from ledger.facts.alerts import (
    CreditAlertTriggered,
    SpendLimitWarned,
    UsageAlertTriggered,
)
from ledger.facts.audits import AuditFailed
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantExpired,
    CreditGrantLapsed,
    CreditGrantUpdated,
    CreditGrantVoided,
    CreditsApplied,
    CreditsReinstated,
)
from ledger.facts.credits.holds import (
    CreditHoldCreated,
    CreditHoldLapsed,
    CreditHoldReleased,
    CreditHoldSettled,
)
from ledger.facts.credits.pools import (
    CreditPoolCreated,
    CreditPoolMemberAdded,
    PoolChange,
)
from ledger.facts.credits.schedules import CreditScheduleCreated, ScheduleChange
from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerUpdated,
)
from ledger.facts.entitlements import EntitlementsUpdated
from ledger.facts.meters import (
    MeterCreated,
    MeterDeactivated,
    MeterReactivated,
    MeterUpdated,
)
from ledger.facts.prices import (
    PriceCreated,
    PriceUpdated,
    ProductCreated,
    ProductDeleted,
    ProductUpdated,
)
from ledger.facts.reports import ReportEnd
from ledger.facts.statements import StatementFinalized, StatementVoided
from ledger.facts.subscriptions import SubscriptionChange, SubscriptionCreated
from ledger.facts.test_clocks import (
    TestClockAdvancing,
    TestClockCreated,
    TestClockDeleted,
    TestClockFailed,
    TestClockReady,
)
from ledger.facts.union import Fact
from ledger.reading import decode_commit, facts_of
from projections.alerts.tables import (
    CREDIT_TRIGGERS,
    IS_NO_WARNING,
    IS_WARNING,
    LIMIT_WARNINGS,
    USAGE_TRIGGERS,
    alert_trigger,
    credit_alert_trigger,
)
from projections.credits.applications import read_applications
from projections.credits.hold_tables import (
    WAS_RELEASED,
    credit_hold,
    credit_hold_settlement,
)
from projections.credits.schedule_tables import credit_schedule
from projections.credits.tables import (
    HAS_DRAWN,
    IS_INVOICED,
    IS_REINSTATED,
    credit_application,
    credit_grant,
)
from projections.customers.tables import customer
from projections.entitlements.tables import UPDATES, entitlement_update
from projections.meters.tables import meter
from projections.pools.tables import credit_pool, credit_pool_member
from projections.prices.tables import price, product
from projections.schema import RecordedFact
from projections.statements.tables import STATEMENTS, statement
from projections.subscriptions.tables import subscription
from projections.test_clocks.tables import test_clock
from projections.webhooks.tables import (
    change_of,
    grant_lapse,
    hold_lapse,
    kind_of,
    resource_change,
)

_ReadFacts = Callable[[Connection, Sequence[int]], Iterator[RecordedFact]]


@dataclass(frozen=True, slots=True)
class _FactSource:
    """Where the facts of a class lie.

    Attributes:
        places: their positions.
        read: reads those at some positions.
    """

    places: PositionColumn
    read: _ReadFacts


def facts_next_to(
    connection: Connection,
    kinds: frozenset[type[Fact]],
    place: int,
    at_most: int,
    *,
    newest_first: bool,
) -> list[RecordedFact]:
    """Return the facts before a position, newest first, or after it, oldest first.

    Args:
        connection: to the tables.
        kinds: classes of facts; those that have no events are left out.
        place: a position, exclusive.
        at_most: how many.
        newest_first: the direction.
    """
    sources = [kind for kind in _SOURCES if kind in kinds]
    if not sources:
        return []
    merged = _merged(tuple(sources))
    found = merged.rows(connection, place, at_most, newest_first=newest_first)
    by_kind: dict[type[Fact], list[int]] = {}
    for number, position in found:
        by_kind.setdefault(sources[number], []).append(position)
    facts = [
        fact
        for kind, positions in by_kind.items()
        for fact in _SOURCES[kind].read(connection, positions)
    ]
    return sorted(facts, key=lambda each: each[0], reverse=newest_first)


def facts_at(
    connection: Connection, kinds: Iterable[type[Fact]], positions: Sequence[int]
) -> list[RecordedFact]:
    """Return those facts of some classes that are at some positions, in log order."""
    facts: list[RecordedFact] = []
    for source in (_SOURCES[kind] for kind in kinds if kind in _SOURCES):
        column = source.places.column
        are_there = is_among(connection, column, positions)
        found = select(column).where(*source.places.conditions, are_there)
        its = connection.execute(found).scalars().all()
        if its:
            facts += source.read(connection, its)
    return sorted(facts, key=lambda each: each[0])


@cache
def _merged(kinds: tuple[type[Fact], ...]) -> MergedPositions:
    return MergedPositions([_SOURCES[kind].places for kind in kinds])


def _of_commits(
    kind: type[Fact], column: Column[int], *conditions: TextClause
) -> _FactSource:
    """Return the source of facts that come in small commits."""

    def read(
        connection: Connection, positions: Sequence[int]
    ) -> Iterator[RecordedFact]:
        rows = {row.first_position: row for row in commits_at(connection, positions)}
        time = log_time(connection)
        for position in positions:
            row = rows.get(position) or commit_holding(connection, position)
            if row is not None:
                for recorded in facts_of(decode_commit(row), time):
                    if recorded[0] == position and isinstance(recorded[2], kind):
                        yield recorded

    return _FactSource(PositionColumn(column, conditions), read)


def _changes(kind: type[Fact]) -> _FactSource:
    is_kind = resource_change.c.kind == kind_of(kind)

    def read(
        connection: Connection, positions: Sequence[int]
    ) -> Iterator[RecordedFact]:
        is_there = is_among(connection, resource_change.c.position, positions)
        wanted = select(resource_change).where(is_kind, is_there)
        for row in connection.execute(wanted):
            yield change_of(row)

    return _FactSource(PositionColumn(resource_change.c.position, (is_kind,)), read)


def _applied(
    connection: Connection, positions: Sequence[int]
) -> Iterator[RecordedFact]:
    is_there = is_among(connection, credit_application.c.position, positions)
    rows = connection.execute(select(credit_application).where(is_there)).all()
    for made in read_applications(connection, rows):
        names = CreditsApplied.__struct_fields__
        fact = CreditsApplied(**{name: getattr(made, name) for name in names})
        yield made.position, made.recorded_at, fact


def _reinstated(
    connection: Connection, positions: Sequence[int]
) -> Iterator[RecordedFact]:
    column = credit_application.c
    is_there = is_among(connection, column.reinstated_position, positions)
    wanted = select(column.reinstated_position, column.reinstated_at, column.invoice)
    for position, recorded_at, invoice in connection.execute(
        wanted.where(IS_REINSTATED, is_there)
    ):
        yield position, recorded_at, CreditsReinstated(invoice=invoice)


def _finalized(
    connection: Connection, positions: Sequence[int]
) -> Iterator[RecordedFact]:
    is_there = is_among(connection, statement.c.position, positions)
    for row in connection.execute(select(statement).where(is_there)):
        made = STATEMENTS.read(row)
        fact = StatementFinalized(
            statement_id=made.statement_id, content=made.content, digest=made.digest
        )
        yield made.position, made.created, fact


def _of_rows(
    table: Table, fact_of: Callable[[Row[Any]], Fact], *conditions: TextClause
) -> _FactSource:
    """Return the source of facts that have a row each."""

    def read(
        connection: Connection, positions: Sequence[int]
    ) -> Iterator[RecordedFact]:
        is_there = is_among(connection, table.c.position, positions)
        for row in connection.execute(select(table).where(is_there)):
            for column, value in zip(table.columns, row, strict=True):
                if value is None and not column.nullable:
                    key = {"position": row.position}
                    raise damaged_value(column, "it is NULL", key)
            yield row.position, row.recorded_at, fact_of(row)

    return _FactSource(PositionColumn(table.c.position, conditions), read)


_SOURCES: dict[type[Fact], _FactSource] = {
    MeterCreated: _of_commits(MeterCreated, meter.c.position),
    CreditGrantCreated: _of_commits(CreditGrantCreated, credit_grant.c.position),
    ProductCreated: _of_commits(ProductCreated, product.c.position),
    PriceCreated: _of_commits(PriceCreated, price.c.position),
    StatementFinalized: _FactSource(PositionColumn(statement.c.position), _finalized),
    CustomerCreated: _of_commits(CustomerCreated, customer.c.position),
    SubscriptionCreated: _of_commits(SubscriptionCreated, subscription.c.position),
    CreditsApplied: _FactSource(
        PositionColumn(credit_application.c.position, (HAS_DRAWN, IS_INVOICED)),
        _applied,
    ),
    CreditsReinstated: _FactSource(
        PositionColumn(credit_application.c.reinstated_position, (IS_REINSTATED,)),
        _reinstated,
    ),
    CreditGrantLapsed: _of_rows(
        grant_lapse, lambda row: CreditGrantLapsed(grant_id=row.grant_id)
    ),
    CreditHoldCreated: _of_commits(CreditHoldCreated, credit_hold.c.position),
    CreditHoldSettled: _of_commits(
        CreditHoldSettled, credit_hold_settlement.c.position
    ),
    CreditHoldReleased: _of_commits(
        CreditHoldReleased, credit_hold.c.ended_position, WAS_RELEASED
    ),
    CreditHoldLapsed: _of_rows(
        hold_lapse, lambda row: CreditHoldLapsed(hold_id=row.hold_id)
    ),
    CreditScheduleCreated: _of_commits(
        CreditScheduleCreated, credit_schedule.c.position
    ),
    CreditPoolCreated: _of_commits(CreditPoolCreated, credit_pool.c.position),
    TestClockCreated: _of_commits(TestClockCreated, test_clock.c.position),
    CreditPoolMemberAdded: _of_commits(
        CreditPoolMemberAdded, credit_pool_member.c.position
    ),
    EntitlementsUpdated: _of_rows(entitlement_update, UPDATES.read),
    UsageAlertTriggered: _of_rows(alert_trigger, USAGE_TRIGGERS.read, IS_NO_WARNING),
    SpendLimitWarned: _of_rows(alert_trigger, LIMIT_WARNINGS.read, IS_WARNING),
    CreditAlertTriggered: _of_rows(credit_alert_trigger, CREDIT_TRIGGERS.read),
    **{
        kind: _changes(kind)
        for kind in (
            MeterUpdated,
            MeterDeactivated,
            MeterReactivated,
            CreditGrantUpdated,
            CreditGrantExpired,
            CreditGrantVoided,
            ProductUpdated,
            ProductDeleted,
            PriceUpdated,
            StatementVoided,
            CustomerUpdated,
            CustomerDeleted,
            *get_args(SubscriptionChange),
            *get_args(ScheduleChange),
            *get_args(PoolChange),
            *get_args(ReportEnd),
            TestClockAdvancing,
            TestClockReady,
            TestClockFailed,
            TestClockDeleted,
            AuditFailed,
        )
    },
}
