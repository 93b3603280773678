"""The folds of all facts, as the log calls them.

They run inside the append's database transaction, so the tables always equal what the
log adds up to. A resource is loaded where the first fact about it is folded.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, get_args

from sqlalchemy import Connection, Table

from ledger.entries import Commit
from ledger.facts.alerts import AlertFact, TransitionFact
from ledger.facts.credits.grants import (
    CreditGrantCreated,
    CreditGrantLapsed,
    CreditsApplied,
    CreditsReinstated,
    GrantFact,
)
from ledger.facts.credits.holds import CreditHoldLapsed, HoldFact
from ledger.facts.credits.limits import LimitFact
from ledger.facts.credits.pools import PoolChange, PoolFact
from ledger.facts.credits.schedules import ScheduleChange, ScheduleFact
from ledger.facts.credits.settlements import SettledInvoices
from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerFact,
    CustomerUpdated,
)
from ledger.facts.entitlements import EntitlementFact
from ledger.facts.instants import LogTime
from ledger.facts.log_time import LogTimeCorrected
from ledger.facts.meters import (
    MeterDeactivated,
    MeterFact,
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
from ledger.facts.reports import ReportEnd, ReportFact
from ledger.facts.statements import StatementFinalized, StatementVoided
from ledger.facts.subscriptions import SubscriptionChange, SubscriptionFact
from ledger.facts.test_clocks import (
    TestClockAdvancing,
    TestClockCreated,
    TestClockDeleted,
    TestClockFact,
    TestClockFailed,
    TestClockReady,
)
from ledger.facts.union import FACTS, RecordedFacts
from ledger.facts.webhooks import (
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointUpdated,
)
from projections.schema import (
    FoldedResource,
    FoldOfFacts,
    RecordedFact,
    TableFold,
    are_current,
    clear,
    clear_tables,
    metadata,
)


def _meters() -> TableFold:
    from projections.meters.tables import METERS

    return METERS


def _credits() -> TableFold:
    from projections.credits.fold import CREDITS

    return CREDITS


def _alerts() -> TableFold:
    from projections.alerts.fold import ALERTS

    return ALERTS


def _endpoints() -> TableFold:
    from projections.webhooks.tables import ENDPOINTS

    return ENDPOINTS


def _changes() -> TableFold:
    from projections.webhooks.tables import CHANGES

    return CHANGES


def _lapses() -> TableFold:
    from projections.webhooks.tables import LAPSES

    return LAPSES


def _hold_lapses() -> TableFold:
    from projections.webhooks.tables import HOLD_LAPSES

    return HOLD_LAPSES


def _pools() -> TableFold:
    from projections.pools.fold import POOL_FOLD

    return POOL_FOLD


def _products() -> TableFold:
    from projections.prices.tables import PRODUCT_FOLD

    return PRODUCT_FOLD


def _prices() -> TableFold:
    from projections.prices.tables import PRICE_FOLD

    return PRICE_FOLD


def _statements() -> TableFold:
    from projections.statements.tables import STATEMENT_FOLD

    return STATEMENT_FOLD


def _customers() -> TableFold:
    from projections.customers.tables import CUSTOMER_FOLD

    return CUSTOMER_FOLD


def _subscriptions() -> TableFold:
    from projections.subscriptions.tables import SUBSCRIPTION_FOLD

    return SUBSCRIPTION_FOLD


def _entitlements() -> TableFold:
    from projections.entitlements.tables import ENTITLEMENT_FOLD

    return ENTITLEMENT_FOLD


def _limits() -> TableFold:
    from projections.limits.tables import LIMIT_FOLD

    return LIMIT_FOLD


def _reports() -> TableFold:
    from projections.reports.tables import REPORT_FOLD

    return REPORT_FOLD


def _clocks() -> TableFold:
    from projections.test_clocks.tables import CLOCK_FOLD

    return CLOCK_FOLD


_RESOURCES = (
    FoldedResource(name="meter", version=2, kinds=get_args(MeterFact), load=_meters),
    FoldedResource(
        name="credit",
        version=10,
        kinds=(
            CreditGrantCreated,
            *get_args(GrantFact),
            CreditsApplied,
            CreditsReinstated,
            *get_args(HoldFact),
            *get_args(ScheduleFact),
        ),
        load=_credits,
    ),
    FoldedResource(
        name="alert",
        version=9,
        kinds=(*get_args(AlertFact), LogTimeCorrected),
        load=_alerts,
    ),
    FoldedResource(
        name="webhook_endpoint",
        version=2,
        kinds=(WebhookEndpointCreated, WebhookEndpointUpdated, WebhookEndpointDeleted),
        load=_endpoints,
    ),
    FoldedResource(
        name="resource_change",
        version=10,
        kinds=(
            MeterUpdated,
            MeterDeactivated,
            MeterReactivated,
            *get_args(GrantFact),
            *get_args(TransitionFact),
            WebhookEndpointUpdated,
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
        ),
        load=_changes,
    ),
    FoldedResource(
        name="grant_lapse", version=3, kinds=(CreditGrantLapsed,), load=_lapses
    ),
    FoldedResource(
        name="hold_lapse", version=1, kinds=(CreditHoldLapsed,), load=_hold_lapses
    ),
    FoldedResource(
        name="credit_pool", version=2, kinds=get_args(PoolFact), load=_pools
    ),
    FoldedResource(
        name="product",
        version=2,
        kinds=(ProductCreated, ProductUpdated, ProductDeleted),
        load=_products,
    ),
    FoldedResource(
        name="price", version=1, kinds=(PriceCreated, PriceUpdated), load=_prices
    ),
    FoldedResource(
        name="statement",
        version=1,
        kinds=(StatementFinalized, StatementVoided),
        load=_statements,
    ),
    FoldedResource(
        name="customer",
        version=2,
        kinds=(*get_args(CustomerFact), TestClockCreated, TestClockDeleted),
        load=_customers,
    ),
    FoldedResource(
        name="subscription",
        version=4,
        kinds=get_args(SubscriptionFact),
        load=_subscriptions,
    ),
    FoldedResource(
        name="spend_limit", version=1, kinds=get_args(LimitFact), load=_limits
    ),
    FoldedResource(
        name="entitlement",
        version=1,
        kinds=get_args(EntitlementFact),
        load=_entitlements,
    ),
    FoldedResource(
        name="report_run", version=1, kinds=get_args(ReportFact), load=_reports
    ),
    FoldedResource(
        name="test_clock",
        version=1,
        kinds=(CustomerCreated, *get_args(TestClockFact)),
        load=_clocks,
    ),
)
_FACTS_AT_A_TIME = 20_000
_Kinds = frozenset[type[Any]]
# No correction of the time follows what is just being recorded.
_AS_WRITTEN = LogTime()


def folded_tables() -> tuple[Table, ...]:
    """Return the tables that facts fold into, and that of the folds' versions."""
    for each in _RESOURCES:
        each.load()
    from projections.alerts.tables import CHECKPOINTS

    return tuple(each for each in metadata.sorted_tables if each not in CHECKPOINTS)


class FactTables:
    """The tables of every resource."""

    def is_current(self, connection: Connection) -> bool:
        """Whether the tables exist and were made by these folds."""
        return are_current(connection, _RESOURCES)

    def rebuild(
        self,
        connection: Connection,
        facts: Iterator[RecordedFacts],
        *,
        is_repair: bool,
    ) -> None:
        """Make the tables anew from all facts of the log; see `ledger.folds`."""
        clear(connection, _RESOURCES, is_repair=is_repair)
        if is_repair:
            from projections.alerts.tables import CHECKPOINTS

            # The first alerts set them again, and evaluation begins there. It leaves out
            # what is recorded, so nothing triggers twice.
            clear_tables(connection, CHECKPOINTS)
        for portion in _portions(facts):
            self.fold_facts(connection, portion)

    def fold(self, connection: Connection, commit: Commit) -> None:
        """Fold a commit of facts."""
        content, first = commit.content, commit.first_position
        assert isinstance(content, FACTS), "usage folds into no table"
        recorded: list[RecordedFacts] = (
            [(first, commit.recorded_at, content)]
            if isinstance(content, SettledInvoices)
            else [*_AS_WRITTEN.of_facts(first, commit.recorded_at, content)]
        )
        self.fold_facts(connection, recorded)

    def fold_facts(
        self, connection: Connection, facts: Sequence[RecordedFacts]
    ) -> None:
        """Fold the next facts, of one commit or of several."""
        single: list[RecordedFact] = []
        for position, recorded_at, fact in facts:
            if isinstance(fact, SettledInvoices):
                from projections.credits.settled import fold_settled

                self._fold_single(connection, single)
                single = []
                fold_settled(connection, position, recorded_at, fact)
            else:
                single.append((position, recorded_at, fact))
        self._fold_single(connection, single)

    def _fold_single(
        self, connection: Connection, facts: Sequence[RecordedFact]
    ) -> None:
        kinds = frozenset([type(fact) for _, _, fact in facts])
        for fold, about in _folds_of(kinds):
            if about == kinds:
                fold(connection, facts)
            else:
                fold(connection, [fact for fact in facts if type(fact[2]) in about])

    def sealable_position(self, connection: Connection) -> int | None:
        """Return the position up to which usage may be sealed; None is any.

        Usage before the checkpoint of alerts is what evaluation goes on from, and is
        known from runs, which end where segments do.
        """
        from projections.alerts.queries import AlertQueries

        return AlertQueries(connection).sealable_position()


@cache
def _folds_of(kinds: _Kinds) -> Sequence[tuple[FoldOfFacts, _Kinds]]:
    """Return what folds facts of some classes, each with those that are its own."""
    return [
        (each.load().fold, about)
        for each in _RESOURCES
        if (about := kinds.intersection(each.kinds))
    ]


def _portions(facts: Iterator[RecordedFacts]) -> Iterator[list[RecordedFacts]]:
    """Put facts together to be folded, as many as are worth a statement."""
    portion: list[RecordedFacts] = []
    size = 0
    for recorded in facts:
        portion.append(recorded)
        fact = recorded[2]
        size += len(fact) if isinstance(fact, SettledInvoices) else 1
        if size >= _FACTS_AT_A_TIME:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
