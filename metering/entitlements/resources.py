"""Features and entitlements as callers get them back, with Stripe's field names.

Source: https://docs.stripe.com/api/entitlements
"""

from datetime import datetime
from typing import Literal

from metering.bodies import ResourceObject


class Feature(ResourceObject, frozen=True, kw_only=True):
    """Something that products entitle to.

    Attributes:
        active: whether it can be attached to products.
        lookup_key: by which a program asks for it.
        name: for people.
    """

    id: str
    object: Literal["entitlements.feature"] = "entitlements.feature"
    active: bool
    livemode: bool
    lookup_key: str
    metadata: dict[str, str]
    name: str


class ProductFeature(ResourceObject, frozen=True, kw_only=True):
    """A feature that hangs on a product."""

    id: str
    object: Literal["product_feature"] = "product_feature"
    entitlement_feature: Feature
    livemode: bool


class ActiveEntitlement(ResourceObject, frozen=True, kw_only=True):
    """A feature that a customer has now.

    Attributes:
        feature: its id.
        lookup_key: of the feature.
    """

    id: str
    object: Literal["entitlements.active_entitlement"] = (
        "entitlements.active_entitlement"
    )
    feature: str
    livemode: bool
    lookup_key: str


class SummaryEntitlements(ResourceObject, frozen=True, kw_only=True):
    """The first entitlements of a customer, newest features first.

    Attributes:
        data: ten at the most.
        has_more: whether there are others, which a list has.
        url: as Stripe writes it; no request is answered there.
    """

    object: Literal["list"] = "list"
    data: tuple[ActiveEntitlement, ...]
    has_more: bool
    url: str


class ActiveEntitlementSummary(ResourceObject, frozen=True, kw_only=True):
    """What a customer has after it changed; events are about it."""

    object: Literal["entitlements.active_entitlement_summary"] = (
        "entitlements.active_entitlement_summary"
    )
    customer: str
    entitlements: SummaryEntitlements
    livemode: bool


class EntitlementCheck(ResourceObject, frozen=True, kw_only=True):
    """Whether a customer has a feature now.

    Attributes:
        feature: its id.
        until: when that changes, as things are: its end, or where it is to come its
            beginning; None where it stays so.
    """

    object: Literal["metering.entitlement_check"] = "metering.entitlement_check"
    customer: str
    entitled: bool
    feature: str
    livemode: bool
    lookup_key: str
    until: datetime | None
