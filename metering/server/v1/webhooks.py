"""Routes of events and webhook endpoints.

Source: https://docs.stripe.com/api/events and https://docs.stripe.com/api/webhook_endpoints
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from metering.arguments.pages import ListObject, PageRequest
from metering.bodies import Body, body_of
from metering.connection import Metering
from metering.server.api.routes import Answer, Call, Route, ShownSecret
from metering.server.grammar.dialects import V1
from metering.server.v1.resources import ResourceRoutes
from metering.webhooks.requests import (
    EventList,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
)
from metering.webhooks.resources import Event

_EVENTS = ResourceRoutes(path="/v1/events", retrieve=lambda m: m.events.retrieve)
_ENDPOINTS = ResourceRoutes(
    path="/v1/webhook_endpoints", retrieve=lambda m: m.webhook_endpoints.retrieve
)


def _list_events(m: Metering) -> Callable[..., ListObject[Event]]:
    def list_events(**given: Any) -> ListObject[Event]:
        if "created" in given:
            given["created"] = _bounds(given["created"])
        return m.events.list(**given)

    return list_events


def _bounds(created: int | dict[str, int]) -> dict[str, int]:
    """Bound creation times by whole seconds, as they are shown: 1.7 counts as 1."""
    if isinstance(created, int):
        return {"gte": created, "lt": created + 1}
    # From what is inclusive, and to what is not.
    least = [created[name] + more for name, more in _FROM if name in created]
    most = [created[name] + more for name, more in _TO if name in created]
    bounds = {}
    if least:
        bounds["gte"] = max(least)
    if most:
        bounds["lt"] = min(most)
    return bounds


_FROM = (("gte", 0), ("gt", 1))
_TO = (("lt", 0), ("lte", 1))


def _delete_endpoint(call: Call) -> Answer:
    endpoint_id = call.ids["id"]
    call.m.webhook_endpoints.delete(endpoint_id)
    body = {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}
    return Answer(body=body)


def _recover_created(call: Call, endpoint_id: str) -> Body:
    """Give an endpoint another secret, since nobody received the first."""
    rotate = call.m.webhook_endpoints.rotate_secret
    return body_of(rotate(endpoint_id, overlap=timedelta(0)))


def _find_secret(call: Call, endpoint_id: str, digest: bytes) -> str | None:
    return call.m.internals.webhook_secret(endpoint_id, digest)


ROUTES = (
    _EVENTS.retrieves("Retrieve an event."),
    _EVENTS.lists("List events.", _list_events, EventList),
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
    Route(
        method="DELETE",
        dialect=V1,
        path=f"{_ENDPOINTS.path}/{{id}}",
        scope="admin",
        summary="Delete an endpoint, so that nothing is sent to it.",
        handler=_delete_endpoint,
    ),
)
