"""Routes of events and webhook endpoints.

Source: https://docs.stripe.com/api/events and https://docs.stripe.com/api/webhook_endpoints
"""

from datetime import timedelta

from metering.bodies import body_of
from metering.connection import Metering
from metering.server.api.pages import PAGING, page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.parameters import (
    METADATA,
    Either,
    Flag,
    Items,
    Shape,
    Text,
    optional,
    required,
    seconds,
)
from metering.webhooks.resources import WebhookEndpoint

EVENTS = "/v1/events"
ENDPOINTS = "/v1/webhook_endpoints"
_ENDPOINT = ENDPOINTS + "/{id}"


def retrieve_event(call: Call) -> Answer:
    """Retrieve an event."""
    return Answer(body=body_of(call.m.events.retrieve(call.ids["id"])))


def list_events(call: Call) -> Answer:
    """List events."""
    filters: dict[str, object] = {}
    for name in ("type", "types", "delivery_success"):
        if name in call.given:
            filters[name] = call.given[name]
    if "created" in call.given:
        filters["created"] = _bounds(call.given["created"])
    return Answer(body=page_of(call.m.events.list, call.given, EVENTS, **filters))


def create_endpoint(call: Call) -> Answer:
    """Send events to a URL from now on; the secret is in this answer only."""
    return Answer(body=body_of(call.m.webhook_endpoints.create(**call.given)))


def update_endpoint(call: Call) -> Answer:
    """Change an endpoint."""
    endpoint = call.m.webhook_endpoints.update(call.ids["id"], **call.given)
    return Answer(body=body_of(endpoint))


def retrieve_endpoint(call: Call) -> Answer:
    """Retrieve an endpoint."""
    return Answer(body=body_of(call.m.webhook_endpoints.retrieve(call.ids["id"])))


def list_endpoints(call: Call) -> Answer:
    """List endpoints."""
    found = page_of(call.m.webhook_endpoints.list, call.given, ENDPOINTS)
    return Answer(body=found)


def delete_endpoint(call: Call) -> Answer:
    """Send nothing to an endpoint any more."""
    endpoint_id = call.ids["id"]
    call.m.webhook_endpoints.delete(endpoint_id)
    body = {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}
    return Answer(body=body)


def _recover_created(m: Metering, endpoint_id: str) -> WebhookEndpoint:
    """Tell of an endpoint whose secret nobody has heard: give it one that somebody does."""
    return m.webhook_endpoints.rotate_secret(endpoint_id, overlap=timedelta(0))


def _recover(m: Metering, endpoint_id: str) -> WebhookEndpoint:
    return m.webhook_endpoints.retrieve(endpoint_id)


def _bounds(created: int | dict[str, int]) -> dict[str, int]:
    """Bound what was created by whole seconds, as it is told: 1.7 is created at 1."""
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
_BOUNDS = Shape({name: optional(seconds()) for name in ("gt", "gte", "lt", "lte")})

ROUTES = (
    Route(method="GET", path=EVENTS + "/{id}", scope="read", handler=retrieve_event),
    Route(
        method="GET",
        path=EVENTS,
        scope="read",
        handler=list_events,
        is_list=True,
        parameters={
            "created": optional(Either(text=seconds(), tree=_BOUNDS)),
            "delivery_success": optional(Flag()),
            "type": optional(Text()),
            "types": optional(Items(Text())),
            **PAGING,
        },
    ),
    Route(
        method="POST",
        path=ENDPOINTS,
        scope="admin",
        handler=create_endpoint,
        recover=_recover_created,
        parameters={
            "description": optional(Text(unsets=True)),
            "enabled_events": required(Items(Text())),
            "metadata": optional(METADATA),
            "url": required(Text()),
        },
    ),
    Route(method="GET", path=_ENDPOINT, scope="read", handler=retrieve_endpoint),
    Route(
        method="POST",
        path=_ENDPOINT,
        scope="admin",
        handler=update_endpoint,
        recover=_recover,
        parameters={
            "description": optional(Text(unsets=True)),
            "disabled": optional(Flag()),
            "enabled_events": optional(Items(Text())),
            "metadata": optional(METADATA),
            "url": optional(Text()),
        },
    ),
    Route(
        method="GET",
        path=ENDPOINTS,
        scope="read",
        handler=list_endpoints,
        is_list=True,
        parameters=PAGING,
    ),
    Route(method="DELETE", path=_ENDPOINT, scope="admin", handler=delete_endpoint),
)
