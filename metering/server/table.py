"""The table of all routes, those that are asked for most first."""

from metering.server.api.routes import Route
from metering.server.extensions import (
    bulk,
    corrections,
    credit_holds,
    credit_pools,
    credit_schedules,
    explanations,
    operations,
    reaggregation,
    spend_limits,
    spending,
    statements,
)
from metering.server.extensions import credits as extension_credits
from metering.server.extensions import entitlements as extension_entitlements
from metering.server.extensions import meter_events as extension_meter_events
from metering.server.v1 import (
    alerts,
    credit_grants,
    customers,
    entitlements,
    invoices,
    meter_events,
    meters,
    prices,
    reports,
    subscriptions,
    test_clocks,
    usage_records,
    webhooks,
)
from metering.server.v2 import core_events, stream
from metering.server.v2 import meter_events as v2_meter_events

ROUTES: tuple[Route, ...] = (
    *meter_events.ROUTES,
    *stream.ROUTES,
    *v2_meter_events.ROUTES,
    *meters.ROUTES,
    *alerts.ROUTES,
    *credit_grants.ROUTES,
    *prices.ROUTES,
    *customers.ROUTES,
    *subscriptions.ROUTES,
    *entitlements.ROUTES,
    *usage_records.ROUTES,
    *test_clocks.ROUTES,
    *invoices.ROUTES,
    *reports.ROUTES,
    *webhooks.ROUTES,
    *core_events.ROUTES,
    *bulk.ROUTES,
    *spending.ROUTES,
    *extension_credits.ROUTES,
    *credit_holds.ROUTES,
    *credit_schedules.ROUTES,
    *credit_pools.ROUTES,
    *spend_limits.ROUTES,
    *extension_meter_events.ROUTES,
    *extension_entitlements.ROUTES,
    *statements.ROUTES,
    *corrections.ROUTES,
    *explanations.ROUTES,
    *reaggregation.ROUTES,
    *operations.ROUTES,
)
