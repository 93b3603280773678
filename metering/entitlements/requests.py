"""Requests about features and entitlements.

Source: https://docs.stripe.com/api/entitlements
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Id

FeatureKey = Annotated[str, Meta(min_length=1, max_length=80)]
FeatureName = Annotated[str, Meta(min_length=1, max_length=80)]


class FeatureCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature is created with.

    Attributes:
        lookup_key: by which a program asks for it; no other active feature has it.
        name: for people.
        metadata: pairs of your own.
    """

    lookup_key: FeatureKey
    name: FeatureName
    metadata: Metadata | UnsetType | None = UNSET


class FeatureUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a feature can be changed.

    Attributes:
        active: false archives it, for ever: it cannot be attached any more.
        name: for people.
        metadata: pairs that are added or replaced; an empty value removes its key.
    """

    active: bool | UnsetType = UNSET
    name: FeatureName | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class FeatureList(PageRequest, frozen=True, kw_only=True):
    """Which features are listed.

    Attributes:
        archived: those that are archived, and not the others.
        lookup_key: only those with this one.
    """

    archived: bool = False
    lookup_key: FeatureKey | None = None


class ProductFeatureCreate(msgspec.Struct, frozen=True, kw_only=True):
    """Which feature is attached to a product.

    Attributes:
        entitlement_feature: id of the feature.
    """

    entitlement_feature: Id


class ProductFeatureList(PageRequest, frozen=True, kw_only=True):
    """Which features of a product are listed."""


class ActiveEntitlementList(PageRequest, frozen=True, kw_only=True):
    """Whose entitlements are listed.

    Attributes:
        customer: who has them.
    """

    customer: CustomerId


class EntitlementQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a customer has a feature.

    Attributes:
        customer: who may have it.
        feature: its id, or its lookup key.
    """

    customer: CustomerId
    feature: Id
