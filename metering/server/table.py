"""The table of all routes; what is asked for most comes first."""

from metering.server import alerts, credit_grants, meter_events, meters, webhooks
from metering.server.routes import Route

ROUTES: tuple[Route, ...] = (
    *meter_events.ROUTES,
    *meters.ROUTES,
    *alerts.ROUTES,
    *credit_grants.ROUTES,
    *webhooks.ROUTES,
)
