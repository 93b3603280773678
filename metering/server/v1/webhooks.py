"""Routes of events and webhook endpoints.

Source: https://docs.stripe.com/api/events and https://docs.stripe.com/api/webhook_endpoints
"""

from datetime import timedelta

from metering.arguments.pages import PageRequest
from metering.bodies import Body, body_of
from metering.server.api.routes import Call, ShownSecret
from metering.server.v1.created import listing_by_creation
from metering.server.v1.resources import ResourceRoutes
from metering.webhooks.requests import (
    EventList,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
)

_EVENTS = ResourceRoutes(path="/v1/events", retrieve=lambda m: m.events.retrieve)
_ENDPOINTS = ResourceRoutes(
    path="/v1/webhook_endpoints", retrieve=lambda m: m.webhook_endpoints.retrieve
)


def _recover_created(call: Call, endpoint_id: str) -> Body:
    """Give an endpoint another secret, since nobody received the first."""
    rotate = call.m.webhook_endpoints.rotate_secret
    return body_of(rotate(endpoint_id, overlap=timedelta(0)))


def _find_secret(call: Call, endpoint_id: str, digest: bytes) -> str | None:
    return call.m.internals.webhook_secret(endpoint_id, digest)


ROUTES = (
    _EVENTS.retrieves("Retrieve an event."),
    _EVENTS.lists(
        "List events.", listing_by_creation(lambda m: m.events.list), EventList
    ),
    _ENDPOINTS.creates(
        "Create an endpoint; only this response holds its secret.",
        lambda m: m.webhook_endpoints.create,
        recover=_recover_created,
        shown_secret=ShownSecret(field="secret", find=_find_secret),
        takes=WebhookEndpointCreate,
    ),
    _ENDPOINTS.retrieves("Retrieve an endpoint."),
    _ENDPOINTS.changes(
        "Change an endpoint.",
        lambda m: m.webhook_endpoints.update,
        takes=WebhookEndpointUpdate,
    ),
    _ENDPOINTS.lists(
        "List endpoints.", lambda m: m.webhook_endpoints.list, PageRequest
    ),
    _ENDPOINTS.deletes(
        "Delete an endpoint, so that nothing is sent to it.",
        "webhook_endpoint",
        lambda m: m.webhook_endpoints.delete,
    ),
)
