"""Routes of alerts.

Source: https://docs.stripe.com/api/billing/alert
"""

from metering.alerts.requests import AlertCreate, AlertList
from metering.server.v1.resources import ResourceRoutes

_ALERTS = ResourceRoutes(
    path="/v1/billing/alerts",
    retrieve=lambda m: m.alerts.retrieve,
    expansions={"usage_threshold.meter": "meter"},
)

ROUTES = (
    _ALERTS.creates(
        "Create an alert.",
        lambda m: m.alerts.create,
        takes=AlertCreate,
        needs=frozenset({"alert_type"}),
    ),
    _ALERTS.retrieves("Retrieve an alert, including an archived one."),
    _ALERTS.lists(
        "List the alerts that are not archived.", lambda m: m.alerts.list, AlertList
    ),
    _ALERTS.changes(
        "Activate an alert, so that it can trigger again.",
        lambda m: m.alerts.activate,
        verb="activate",
    ),
    _ALERTS.changes(
        "Deactivate an alert, so that it does not trigger.",
        lambda m: m.alerts.deactivate,
        verb="deactivate",
    ),
    _ALERTS.changes(
        "Archive an alert: it never triggers again and no list shows it.",
        lambda m: m.alerts.archive,
        verb="archive",
    ),
)
