"""The resources that facts fold into: which tables, by which version of the fold.

Each is loaded where the first fact about it is folded.
"""

from typing import get_args

from ledger.facts.alerts import AlertFact, TransitionFact
from ledger.facts.audits import AuditFailed
from ledger.facts.corrections import CorrectionFact
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
from ledger.facts.customers import (
    CustomerCreated,
    CustomerDeleted,
    CustomerFact,
    CustomerUpdated,
)
from ledger.facts.entitlements import EntitlementFact
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
from ledger.facts.webhooks import (
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointUpdated,
)
from projections.schema import (
    FoldedResource,
    TableFold,
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


def _corrections() -> TableFold:
    from projections.corrections.tables import CORRECTION_FOLD

    return CORRECTION_FOLD


def _clocks() -> TableFold:
    from projections.test_clocks.tables import CLOCK_FOLD

    return CLOCK_FOLD


RESOURCES = (
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
        version=11,
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
            AuditFailed,
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
        name="correction", version=1, kinds=get_args(CorrectionFact), load=_corrections
    ),
    FoldedResource(
        name="test_clock",
        version=1,
        kinds=(CustomerCreated, *get_args(TestClockFact)),
        load=_clocks,
    ),
)
