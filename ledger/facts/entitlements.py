"""Facts about features: what products entitle to, and what customers were told of it.

Which features a customer has follows from its subscriptions, from what hangs on their
products, and from the time; see `projections.kernels.entitlements`. That it changed is
recorded once it was noticed, so that somebody is told once.
Source of the words: https://docs.stripe.com/api/entitlements
"""

import msgspec


class FeatureCreated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="feature.created"
):
    """A feature can be attached to products. Its lookup key never changes."""

    feature_id: str
    lookup_key: str
    name: str
    metadata: dict[str, str]


class FeatureUpdated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="feature.updated"
):
    """A feature was changed: everything that can change, as it is now."""

    feature_id: str
    active: bool
    name: str
    metadata: dict[str, str]


class FeatureAttached(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="product_feature.created",
):
    """A product entitles to a feature.

    To subscriptions that there are it matters from their next period on, or now if
    `at_once`.
    """

    product_feature_id: str
    product_id: str
    feature_id: str
    at_once: bool


class FeatureDetached(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="product_feature.deleted",
):
    """A product does not entitle to a feature any more; `at_once` as for attaching."""

    product_feature_id: str
    at_once: bool


class EntitlementsUpdated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="entitlements.updated",
):
    """It was noticed that a customer has other features since an instant.

    Attributes:
        at: microseconds since 1970 UTC.
        features: the ids of all that it has since then, sorted.
        former: of those that it had before, by the fact before.
    """

    customer: str
    at: int
    features: tuple[str, ...]
    former: tuple[str, ...]


AttachmentFact = FeatureAttached | FeatureDetached
EntitlementFact = FeatureCreated | FeatureUpdated | AttachmentFact | EntitlementsUpdated
