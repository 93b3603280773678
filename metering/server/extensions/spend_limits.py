"""Routes of spend limits: created, changed, canceled."""

from metering.limits.requests import (
    SpendLimitCreate,
    SpendLimitList,
    SpendLimitUpdate,
)
from metering.server.grammar.dialects import EXTENSION
from metering.server.v1.resources import ResourceRoutes

_LIMITS = ResourceRoutes(
    path="/metering/v1/spend_limits",
    retrieve=lambda m: m.spend_limits.retrieve,
    dialect=EXTENSION,
)

ROUTES = (
    _LIMITS.creates(
        "Limit how much a customer may spend in a window of time.",
        lambda m: m.spend_limits.create,
        takes=SpendLimitCreate,
    ),
    _LIMITS.lists(
        "List the spend limits that are not canceled.",
        lambda m: m.spend_limits.list,
        SpendLimitList,
    ),
    _LIMITS.retrieves("Retrieve a spend limit, and what of it is spent."),
    _LIMITS.changes(
        "Change a spend limit, from this window on.",
        lambda m: m.spend_limits.update,
        takes=SpendLimitUpdate,
    ),
    _LIMITS.changes(
        "End a spend limit.", lambda m: m.spend_limits.cancel, verb="cancel"
    ),
)
