"""What can be done to a store, in groups, each of which is loaded when it is used first.

A process that records usage loads nothing of credits, alerts or webhooks. Groups hold
nothing of their own, so it does not matter which of two stays that two threads make at once.
"""

from functools import cached_property
from typing import TYPE_CHECKING, cast

from metering.spending.calls import SpendingCalls
from metering.store.engine import Engine

if TYPE_CHECKING:
    from metering.access.api_keys import ApiKeys
    from metering.alerts.alerts import Alerts
    from metering.corrections.corrections import Corrections
    from metering.corrections.previewing import RehearsedStore
    from metering.credits.applications import CreditApplications
    from metering.credits.grants import CreditGrants
    from metering.credits.transactions import CreditBalanceTransactions
    from metering.customers.customers import Customers
    from metering.entitlements.entitlements import Entitlements
    from metering.holds.holds import CreditHolds
    from metering.internals import Internals
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
    from metering.usage.meter_events import MeterEvents
    from metering.webhooks.endpoints import WebhookEndpoints
    from metering.webhooks.events import Events


class CallGroups(SpendingCalls):
    """The groups of a connection; see `metering.Metering`."""

    _engine: Engine

    @cached_property
    def meters(self) -> "Meters":
        """What usage is measured by."""
        from metering.meters.meters import Meters

        return Meters(self._engine)

    @cached_property
    def meter_events(self) -> "MeterEvents":
        """Usage, as it is recorded."""
        from metering.usage.meter_events import MeterEvents

        return MeterEvents(self._engine)

    @cached_property
    def meter_event_adjustments(self) -> "MeterEventAdjustments":
        """Cancellations of events."""
        from metering.usage.adjustments import MeterEventAdjustments

        return MeterEventAdjustments(self._engine)

    @cached_property
    def corrections(self) -> "Corrections":
        """Events that were wrong, cancelled or replaced at any age."""
        from metering.corrections.corrections import Corrections

        return Corrections(self._engine, cast("RehearsedStore", self))

    @cached_property
    def products(self) -> "Products":
        """What is sold."""
        from metering.prices.products import Products

        return Products(self._engine)

    @cached_property
    def prices(self) -> "Prices":
        """What a quantity of a product costs."""
        from metering.prices.prices import Prices

        return Prices(self._engine)

    @cached_property
    def statements(self) -> "Statements":
        """What usage comes to in a period."""
        from metering.statements.statements import Statements

        return Statements(self._engine)

    @cached_property
    def reports(self) -> "Reports":
        """What the store holds, as files."""
        from metering.reporting.reports import Reports

        return Reports(self._engine)

    @cached_property
    def customers(self) -> "Customers":
        """Who is billed, as far as that is said here."""
        from metering.customers.customers import Customers

        return Customers(self._engine)

    @cached_property
    def subscriptions(self) -> "Subscriptions":
        """Which prices customers pay."""
        from metering.subscriptions.subscriptions import Subscriptions

        return Subscriptions(self._engine)

    @cached_property
    def subscription_items(self) -> "SubscriptionItems":
        """Single prices of subscriptions."""
        from metering.subscriptions.items import SubscriptionItems

        return SubscriptionItems(self._engine)

    @cached_property
    def entitlements(self) -> "Entitlements":
        """Which features products have, and which customers have them."""
        from metering.entitlements.entitlements import Entitlements

        return Entitlements(self._engine)

    @cached_property
    def credit_holds(self) -> "CreditHolds":
        """Credits that are reserved for work whose price is not known yet."""
        from metering.holds.holds import CreditHolds

        return CreditHolds(self._engine, self._burn_down)

    @cached_property
    def spend_limits(self) -> "SpendLimits":
        """How much customers may spend in a window of time."""
        from metering.limits.limits import SpendLimits

        return SpendLimits(self._engine)

    @cached_property
    def credit_pools(self) -> "CreditPools":
        """Credits that groups of customers share."""
        from metering.pools.pools import CreditPools

        return CreditPools(self._engine)

    @cached_property
    def credit_grants(self) -> "CreditGrants":
        """Credits that customers were granted."""
        from metering.credits.grants import CreditGrants

        return CreditGrants(self._engine)

    @cached_property
    def credit_schedules(self) -> "CreditSchedules":
        """Credits that customers are granted again and again."""
        from metering.schedules.schedules import CreditSchedules

        return CreditSchedules(self._engine)

    @cached_property
    def credits(self) -> "CreditApplications":
        """Invoices that credits are applied to."""
        from metering.credits.applications import CreditApplications

        return CreditApplications(self._engine)

    @cached_property
    def credit_balance_summary(self) -> "CreditBalanceSummaries":
        """What is left of a customer's credits."""
        from metering.spending.balances import CreditBalanceSummaries

        return CreditBalanceSummaries(self._engine, self._burn_down)

    @cached_property
    def credit_balance_transactions(self) -> "CreditBalanceTransactions":
        """What was added to credits, and taken from them."""
        from metering.credits.transactions import CreditBalanceTransactions

        return CreditBalanceTransactions(self._engine)

    @cached_property
    def alerts(self) -> "Alerts":
        """Thresholds, and what crossed them."""
        from metering.alerts.alerts import Alerts

        return Alerts(self._engine)

    @cached_property
    def test_clocks(self) -> "TestClocks":
        """Times by which customers live, for rehearsals."""
        from metering.test_clocks.test_clocks import TestClocks

        return TestClocks(self._engine)

    @cached_property
    def test_helpers(self) -> "TestHelpers":
        """What Stripe's clients find test clocks under."""
        from metering.test_clocks.test_clocks import TestHelpers

        return TestHelpers(self.test_clocks)

    @cached_property
    def webhook_endpoints(self) -> "WebhookEndpoints":
        """Who receives events."""
        from metering.webhooks.endpoints import WebhookEndpoints

        return WebhookEndpoints(self._engine)

    @cached_property
    def events(self) -> "Events":
        """Events as webhook endpoints receive them."""
        from metering.webhooks.events import Events

        return Events(self._engine)

    @cached_property
    def api_keys(self) -> "ApiKeys":
        """Keys that open a server."""
        from metering.access.api_keys import ApiKeys

        return ApiKeys(self._engine)

    @cached_property
    def log_time(self) -> "LogTimeRepairs":
        """What a wrong clock did."""
        from metering.upkeep.log_time import LogTimeRepairs

        return LogTimeRepairs(self._engine)

    @cached_property
    def internals(self) -> "Internals":
        """What the server of this distribution uses; it may change."""
        from metering.internals import Internals

        return Internals(self._engine)

    @cached_property
    def meter_event_sessions(self) -> "MeterEventSessions":
        """Sessions of the stream of events."""
        from metering.stream.sessions import MeterEventSessions

        return MeterEventSessions(self._engine)

    @cached_property
    def error_reports(self) -> "ErrorReports":
        """Why events of the stream were refused."""
        from metering.stream.error_reports import ErrorReports

        return ErrorReports(self._engine)

    @cached_property
    def audit(self) -> "Audit":
        """What was compared with the log."""
        from metering.upkeep.auditing.audits import Audit

        return Audit(self._engine)
