"""Routes of events and webhook endpoints.

Source: https://docs.stripe.com/api/events and https://docs.stripe.com/api/webhook_endpoints
"""

from datetime import timedelta

from metering.arguments.pages import PageRequest
from metering.bodies import body_of
from metering.connection import Metering
from metering.server.api.pages import page_of
from metering.server.api.routes import Answer, Call, Route
from metering.server.grammar.dialects import V1
from metering.webhooks.requests import (
    EventList,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
)
from metering.webhooks.resources import WebhookEndpoint

EVENTS = "/v1/events"
ENDPOINTS = "/v1/webhook_endpoints"
_ENDPOINT = ENDPOINTS + "/{id}"


def _retrieve_event(call: Call) -> Answer:
    return Answer(body=body_of(call.m.events.retrieve(call.ids["id"])))


def _list_events(call: Call) -> Answer:
    given = dict(call.given)
    if "created" in given:
        given["created"] = _bounds(given["created"])
    return Answer(body=page_of(call.m.events.list, given, EVENTS))


def _create_endpoint(call: Call) -> Answer:
    return Answer(body=body_of(call.m.webhook_endpoints.create(**call.given)))


def _update_endpoint(call: Call) -> Answer:
    endpoint = call.m.webhook_endpoints.update(call.ids["id"], **call.given)
    return Answer(body=body_of(endpoint))


def _retrieve_endpoint(call: Call) -> Answer:
    return Answer(body=body_of(call.m.webhook_endpoints.retrieve(call.ids["id"])))


def _list_endpoints(call: Call) -> Answer:
    found = page_of(call.m.webhook_endpoints.list, call.given, ENDPOINTS)
    return Answer(body=found)


def _delete_endpoint(call: Call) -> Answer:
    endpoint_id = call.ids["id"]
    call.m.webhook_endpoints.delete(endpoint_id)
    body = {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}
    return Answer(body=body)


def _recover_created(m: Metering, endpoint_id: str) -> WebhookEndpoint:
    """Give an endpoint another secret, since nobody received the first."""
    return m.webhook_endpoints.rotate_secret(endpoint_id, overlap=timedelta(0))


def _recover(m: Metering, endpoint_id: str) -> WebhookEndpoint:
    return m.webhook_endpoints.retrieve(endpoint_id)


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

ROUTES = (
    Route(
        method="GET",
        dialect=V1,
        path=EVENTS + "/{id}",
        scope="read",
        summary="Retrieve an event.",
        handler=_retrieve_event,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=EVENTS,
        scope="read",
        summary="List events.",
        handler=_list_events,
        is_list=True,
        takes=EventList,
    ),
    Route(
        method="POST",
        dialect=V1,
        path=ENDPOINTS,
        scope="admin",
        summary="Create an endpoint; only this response holds its secret.",
        handler=_create_endpoint,
        recover=_recover_created,
        takes=WebhookEndpointCreate,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=_ENDPOINT,
        scope="read",
        summary="Retrieve an endpoint.",
        handler=_retrieve_endpoint,
    ),
    Route(
        method="POST",
        dialect=V1,
        path=_ENDPOINT,
        scope="admin",
        summary="Change an endpoint.",
        handler=_update_endpoint,
        recover=_recover,
        takes=WebhookEndpointUpdate,
    ),
    Route(
        method="GET",
        dialect=V1,
        path=ENDPOINTS,
        scope="read",
        summary="List endpoints.",
        handler=_list_endpoints,
        is_list=True,
        takes=PageRequest,
    ),
    Route(
        method="DELETE",
        dialect=V1,
        path=_ENDPOINT,
        scope="admin",
        summary="Delete an endpoint, so that nothing is sent to it.",
        handler=_delete_endpoint,
    ),
)
