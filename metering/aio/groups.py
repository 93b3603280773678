"""The groups of `metering.Metering`, awaited, method by method.

A method that is new there is new here with a line; a test finds the one that was
forgotten.
"""

from collections.abc import Mapping

from metering.access.api_keys import ApiKeys
from metering.aio.calls import AsyncGroup, Calls, awaited, listed, streamed
from metering.alerts.alerts import Alerts
from metering.arguments.schema import checked_value
from metering.arguments.times import UsageTime
from metering.arguments.words import RoundingName
from metering.corrections.corrections import Corrections
from metering.credits.applications import CreditApplications
from metering.credits.grants import CreditGrants
from metering.credits.transactions import CreditBalanceTransactions
from metering.customers.customers import Customers
from metering.entitlements.active_entitlements import ActiveEntitlements
from metering.entitlements.entitlements import Entitlements
from metering.entitlements.features import Features
from metering.entitlements.product_features import ProductFeatures
from metering.holds.holds import CreditHolds
from metering.limits.limits import SpendLimits
from metering.meters.meters import Meters
from metering.pools.pools import CreditPools
from metering.prices.prices import Prices
from metering.prices.products import Products
from metering.reporting.reports import Reports
from metering.schedules.schedules import CreditSchedules
from metering.spending.balances import CreditBalanceSummaries
from metering.statements.statements import Statements
from metering.stream.error_reports import ErrorReports
from metering.stream.sessions import MeterEventSessions
from metering.subscriptions.items import SubscriptionItems
from metering.subscriptions.subscriptions import Subscriptions
from metering.test_clocks.test_clocks import TestClocks, TestHelpers
from metering.upkeep.auditing.audits import Audit
from metering.upkeep.log_time import LogTimeRepairs
from metering.usage.adjustments import MeterEventAdjustments
from metering.usage.event_rules import PayloadValue
from metering.usage.meter_events import MeterEvents, NewMeterEvent
from metering.usage.resources import MeterEvent
from metering.webhooks.endpoints import WebhookEndpoints
from metering.webhooks.events import Events


class AsyncMeters(AsyncGroup[Meters]):
    """`metering.Meters`, awaited."""

    create = awaited(Meters.create)
    ensure = awaited(Meters.ensure)
    update = awaited(Meters.update)
    deactivate = awaited(Meters.deactivate)
    reactivate = awaited(Meters.reactivate)
    retrieve = awaited(Meters.retrieve)
    list = listed(Meters.list)
    event_summaries = listed(Meters.event_summaries)


class AsyncMeterEvents(AsyncGroup[MeterEvents]):
    """`metering.MeterEvents`, awaited."""

    ingest = awaited(MeterEvents.ingest, is_heavy=True)
    list = streamed(MeterEvents.list)

    async def create(
        self,
        *,
        event_name: str,
        payload: Mapping[str, PayloadValue],
        identifier: str | None = None,
        timestamp: UsageTime | None = None,
        rounding: RoundingName | None = None,
    ) -> MeterEvent:
        """Record one event, durably, in one commit with those of other tasks.

        Whether the event of a cancelled task was recorded is not known. Sent again with
        the same identifier, it counts once. Parameters and errors are those of
        `metering.MeterEvents.create`.
        """
        if rounding is not None:
            rounding = checked_value(RoundingName, rounding, "rounding")
        return await self.calls.record(
            NewMeterEvent(
                event_name=event_name,
                payload=payload,
                identifier=identifier,
                timestamp=timestamp,
                rounding=rounding,
            )
        )


class AsyncMeterEventAdjustments(AsyncGroup[MeterEventAdjustments]):
    """`metering.MeterEventAdjustments`, awaited."""

    create = awaited(MeterEventAdjustments.create)


class AsyncMeterEventSessions(AsyncGroup[MeterEventSessions]):
    """`metering.MeterEventSessions`, awaited."""

    create = awaited(MeterEventSessions.create)


class AsyncErrorReports(AsyncGroup[ErrorReports]):
    """`metering.ErrorReports`, awaited."""

    retrieve = awaited(ErrorReports.retrieve)
    list = listed(ErrorReports.list)


class AsyncProducts(AsyncGroup[Products]):
    """`metering.Products`, awaited."""

    create = awaited(Products.create)
    update = awaited(Products.update)
    delete = awaited(Products.delete)
    retrieve = awaited(Products.retrieve)
    list = listed(Products.list)
    search = listed(Products.search)


class AsyncPrices(AsyncGroup[Prices]):
    """`metering.Prices`, awaited."""

    create = awaited(Prices.create)
    update = awaited(Prices.update)
    retrieve = awaited(Prices.retrieve)
    list = listed(Prices.list)
    search = listed(Prices.search)


class AsyncStatements(AsyncGroup[Statements]):
    """`metering.Statements`, awaited."""

    preview = awaited(Statements.preview)
    finalize = awaited(Statements.finalize)
    retrieve = awaited(Statements.retrieve)
    list = listed(Statements.list)
    void = awaited(Statements.void)
    drift = awaited(Statements.drift)
    run = awaited(Statements.run, is_heavy=True)
    to_table = awaited(Statements.to_table, is_heavy=True)


class AsyncReports(AsyncGroup[Reports]):
    """`metering.Reports`, awaited."""

    types = listed(Reports.types)
    retrieve_type = awaited(Reports.retrieve_type)
    create = awaited(Reports.create)
    retrieve = awaited(Reports.retrieve)
    list = listed(Reports.list)
    make = awaited(Reports.make, is_heavy=True)
    open = streamed(Reports.open)
    download = awaited(Reports.download, is_heavy=True)
    retrieve_file = awaited(Reports.retrieve_file)
    open_file = streamed(Reports.open_file)


class AsyncCustomers(AsyncGroup[Customers]):
    """`metering.Customers`, awaited."""

    create = awaited(Customers.create)
    update = awaited(Customers.update)
    delete = awaited(Customers.delete)
    retrieve = awaited(Customers.retrieve)
    list = listed(Customers.list)


class AsyncSubscriptions(AsyncGroup[Subscriptions]):
    """`metering.Subscriptions`, awaited."""

    create = awaited(Subscriptions.create)
    update = awaited(Subscriptions.update)
    cancel = awaited(Subscriptions.cancel)
    pause = awaited(Subscriptions.pause)
    resume = awaited(Subscriptions.resume)
    retrieve = awaited(Subscriptions.retrieve)
    list = listed(Subscriptions.list)


class AsyncSubscriptionItems(AsyncGroup[SubscriptionItems]):
    """`metering.SubscriptionItems`, awaited."""

    create = awaited(SubscriptionItems.create)
    update = awaited(SubscriptionItems.update)
    delete = awaited(SubscriptionItems.delete)
    retrieve = awaited(SubscriptionItems.retrieve)
    list = listed(SubscriptionItems.list)
    create_usage_record = awaited(SubscriptionItems.create_usage_record)
    list_usage_record_summaries = listed(SubscriptionItems.list_usage_record_summaries)


class AsyncFeatures(AsyncGroup[Features]):
    """`metering.Features`, awaited."""

    create = awaited(Features.create)
    update = awaited(Features.update)
    retrieve = awaited(Features.retrieve)
    list = listed(Features.list)


class AsyncProductFeatures(AsyncGroup[ProductFeatures]):
    """`metering.ProductFeatures`, awaited."""

    create = awaited(ProductFeatures.create)
    delete = awaited(ProductFeatures.delete)
    retrieve = awaited(ProductFeatures.retrieve)
    list = listed(ProductFeatures.list)


class AsyncActiveEntitlements(AsyncGroup[ActiveEntitlements]):
    """`metering.ActiveEntitlements`, awaited."""

    retrieve = awaited(ActiveEntitlements.retrieve)
    list = listed(ActiveEntitlements.list)


class AsyncEntitlements(AsyncGroup[Entitlements]):
    """`metering.Entitlements`, awaited."""

    check = awaited(Entitlements.check)

    def __init__(self, calls: Calls, sync: Entitlements) -> None:
        super().__init__(calls, sync)
        self.features = AsyncFeatures(calls, sync.features)
        self.product_features = AsyncProductFeatures(calls, sync.product_features)
        self.active_entitlements = AsyncActiveEntitlements(
            calls, sync.active_entitlements
        )


class AsyncCreditHolds(AsyncGroup[CreditHolds]):
    """`metering.CreditHolds`, awaited."""

    create = awaited(CreditHolds.create)
    settle = awaited(CreditHolds.settle)
    settle_many = awaited(CreditHolds.settle_many, is_heavy=True)
    release = awaited(CreditHolds.release)
    retrieve = awaited(CreditHolds.retrieve)
    list = listed(CreditHolds.list)


class AsyncCorrections(AsyncGroup[Corrections]):
    """`metering.Corrections`, awaited."""

    preview = awaited(Corrections.preview, is_heavy=True)
    apply = awaited(Corrections.apply, is_heavy=True)
    revert = awaited(Corrections.revert, is_heavy=True)
    retrieve = awaited(Corrections.retrieve)
    list = listed(Corrections.list)


class AsyncSpendLimits(AsyncGroup[SpendLimits]):
    """`metering.SpendLimits`, awaited."""

    create = awaited(SpendLimits.create)
    update = awaited(SpendLimits.update)
    cancel = awaited(SpendLimits.cancel)
    retrieve = awaited(SpendLimits.retrieve)
    list = listed(SpendLimits.list)


class AsyncCreditPools(AsyncGroup[CreditPools]):
    """`metering.CreditPools`, awaited."""

    create = awaited(CreditPools.create)
    update = awaited(CreditPools.update)
    archive = awaited(CreditPools.archive)
    retrieve = awaited(CreditPools.retrieve)
    list = listed(CreditPools.list)
    add_member = awaited(CreditPools.add_member)
    remove_member = awaited(CreditPools.remove_member)
    retrieve_member = awaited(CreditPools.retrieve_member)
    list_members = listed(CreditPools.list_members)
    balance = awaited(CreditPools.balance)


class AsyncCreditGrants(AsyncGroup[CreditGrants]):
    """`metering.CreditGrants`, awaited."""

    create = awaited(CreditGrants.create)
    update = awaited(CreditGrants.update)
    expire = awaited(CreditGrants.expire)
    void = awaited(CreditGrants.void)
    retrieve = awaited(CreditGrants.retrieve)
    list = listed(CreditGrants.list)


class AsyncCreditSchedules(AsyncGroup[CreditSchedules]):
    """`metering.CreditSchedules`, awaited."""

    create = awaited(CreditSchedules.create)
    update = awaited(CreditSchedules.update)
    pause = awaited(CreditSchedules.pause)
    resume = awaited(CreditSchedules.resume)
    cancel = awaited(CreditSchedules.cancel)
    retrieve = awaited(CreditSchedules.retrieve)
    list = listed(CreditSchedules.list)


class AsyncCreditApplications(AsyncGroup[CreditApplications]):
    """`metering.CreditApplications`, awaited."""

    apply = awaited(CreditApplications.apply)
    apply_many = awaited(CreditApplications.apply_many, is_heavy=True)
    preview = awaited(CreditApplications.preview)
    preview_many = awaited(CreditApplications.preview_many, is_heavy=True)
    reinstate = awaited(CreditApplications.reinstate)
    reinstate_many = awaited(CreditApplications.reinstate_many, is_heavy=True)


class AsyncCreditBalanceSummaries(AsyncGroup[CreditBalanceSummaries]):
    """`metering.CreditBalanceSummaries`, awaited."""

    retrieve = awaited(CreditBalanceSummaries.retrieve)
    history = awaited(CreditBalanceSummaries.history)


class AsyncCreditBalanceTransactions(AsyncGroup[CreditBalanceTransactions]):
    """`metering.CreditBalanceTransactions`, awaited."""

    list = listed(CreditBalanceTransactions.list)
    retrieve = awaited(CreditBalanceTransactions.retrieve)


class AsyncAlerts(AsyncGroup[Alerts]):
    """`metering.Alerts`, awaited."""

    create = awaited(Alerts.create)
    activate = awaited(Alerts.activate)
    deactivate = awaited(Alerts.deactivate)
    archive = awaited(Alerts.archive)
    retrieve = awaited(Alerts.retrieve)
    list = listed(Alerts.list)
    triggered = awaited(Alerts.triggered)


class AsyncTestClocks(AsyncGroup[TestClocks]):
    """`metering.TestClocks`, awaited."""

    create = awaited(TestClocks.create)
    advance = awaited(TestClocks.advance, is_heavy=True)
    delete = awaited(TestClocks.delete)
    retrieve = awaited(TestClocks.retrieve)
    list = listed(TestClocks.list)


class AsyncTestHelpers(AsyncGroup[TestHelpers]):
    """`metering.TestHelpers`, awaited."""

    def __init__(self, calls: Calls, sync: TestHelpers) -> None:
        super().__init__(calls, sync)
        self.test_clocks = AsyncTestClocks(calls, sync.test_clocks)


class AsyncWebhookEndpoints(AsyncGroup[WebhookEndpoints]):
    """`metering.WebhookEndpoints`, awaited."""

    create = awaited(WebhookEndpoints.create)
    update = awaited(WebhookEndpoints.update)
    rotate_secret = awaited(WebhookEndpoints.rotate_secret)
    encrypt_secrets = awaited(WebhookEndpoints.encrypt_secrets)
    delete = awaited(WebhookEndpoints.delete)
    retrieve = awaited(WebhookEndpoints.retrieve)
    list = listed(WebhookEndpoints.list)
    deliveries = listed(WebhookEndpoints.deliveries)


class AsyncEvents(AsyncGroup[Events]):
    """`metering.Events`, awaited."""

    retrieve = awaited(Events.retrieve)
    list = listed(Events.list)


class AsyncApiKeys(AsyncGroup[ApiKeys]):
    """`metering.ApiKeys`, awaited."""

    create = awaited(ApiKeys.create)
    list = listed(ApiKeys.list)
    revoke = awaited(ApiKeys.revoke)


class AsyncLogTimeRepairs(AsyncGroup[LogTimeRepairs]):
    """`metering.LogTimeRepairs`, awaited."""

    repair = awaited(LogTimeRepairs.repair, is_heavy=True)


class AsyncAudit(AsyncGroup[Audit]):
    """`metering.Audit`, awaited."""

    status = awaited(Audit.status)
    run = awaited(Audit.run)
