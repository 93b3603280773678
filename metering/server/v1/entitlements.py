"""Routes of features, and of who has them.

Source: https://docs.stripe.com/api/entitlements
"""

from functools import partial
from typing import Any, Literal

from metering.bodies import Body, body_of
from metering.entitlements.requests import (
    ActiveEntitlementList,
    FeatureCreate,
    FeatureList,
    FeatureUpdate,
    ProductFeatureCreate,
    ProductFeatureList,
)
from metering.server.api.pages import page_of
from metering.server.api.routes import Answer, Call, Handler, Route
from metering.server.grammar.dialects import V1
from metering.server.v1.resources import ResourceRoutes

_FEATURES = ResourceRoutes(
    path="/v1/entitlements/features",
    retrieve=lambda m: m.entitlements.features.retrieve,
)
_ACTIVE = ResourceRoutes(
    path="/v1/entitlements/active_entitlements",
    retrieve=lambda m: m.entitlements.active_entitlements.retrieve,
    expansions={"feature": "feature"},
)
_OF_PRODUCT = "/v1/products/{product}/features"


def _attach(call: Call) -> Answer:
    attach = call.m.entitlements.product_features.create
    return Answer(body=body_of(attach(call.ids["product"], **call.given)))


def _list(call: Call) -> Answer:
    product = call.ids["product"]
    fetch = partial(call.m.entitlements.product_features.list, product)
    return Answer(body=page_of(fetch, call.given, _OF_PRODUCT.format_map(call.ids)))


def _retrieve(call: Call) -> Answer:
    return Answer(body=_attached(call, call.ids["id"]))


def _detach(call: Call) -> Answer:
    call.m.entitlements.product_features.delete(call.ids["product"], call.ids["id"])
    return Answer(body=_detached(call, call.ids["id"]))


def _attached(call: Call, product_feature_id: str) -> Body:
    """Answer with a feature on a product, also what a dead process had attached."""
    retrieve = call.m.entitlements.product_features.retrieve
    return body_of(retrieve(call.ids["product"], product_feature_id))


def _detached(call: Call, product_feature_id: str) -> Body:
    del call
    return {"id": product_feature_id, "object": "product_feature", "deleted": True}


def _route(
    method: Literal["GET", "POST", "DELETE"],
    below: str,
    summary: str,
    handler: Handler,
    **more: Any,
) -> Route:
    return Route(
        method=method,
        dialect=V1,
        path=f"{_OF_PRODUCT}{below}",
        scope="read" if method == "GET" else "admin",
        summary=summary,
        handler=handler,
        **more,
    )


ROUTES = (
    _FEATURES.creates(
        "Create a feature, which products can entitle to.",
        lambda m: m.entitlements.features.create,
        takes=FeatureCreate,
    ),
    _FEATURES.retrieves("Retrieve a feature."),
    _FEATURES.changes(
        "Change a feature, or archive it.",
        lambda m: m.entitlements.features.update,
        takes=FeatureUpdate,
    ),
    _FEATURES.lists(
        "List the features that are not archived, or those that are.",
        lambda m: m.entitlements.features.list,
        FeatureList,
    ),
    _route(
        "POST",
        "",
        "Attach a feature to a product.",
        _attach,
        takes=ProductFeatureCreate,
        recover=_attached,
    ),
    _route(
        "GET",
        "",
        "List the features of a product.",
        _list,
        takes=ProductFeatureList,
        is_list=True,
    ),
    _route("GET", "/{id}", "Retrieve a feature of a product.", _retrieve),
    _route(
        "DELETE",
        "/{id}",
        "Detach a feature from a product.",
        _detach,
        recover=_detached,
    ),
    _ACTIVE.lists(
        "List what a customer is entitled to now.",
        lambda m: m.entitlements.active_entitlements.list,
        ActiveEntitlementList,
    ),
    _ACTIVE.retrieves("Retrieve what a customer is entitled to now."),
)
