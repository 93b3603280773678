"""Features and entitlements as they are found, and as they are shown."""

import re
from collections.abc import Collection

from metering.arguments.ids import found_by_id
from metering.entitlements.resources import (
    ActiveEntitlement,
    ActiveEntitlementSummary,
    Feature,
    ProductFeature,
    SummaryEntitlements,
)
from projections.entitlements.queries import EntitlementQueries
from projections.kernels.entitlements import Attachment, FeatureDefinition

SUMMARY_MAX = 10
"""How many entitlements a summary holds."""

_ID = re.compile(r"ent_(?:test_)?([1-9a-f][0-9a-f]{0,14})_([1-9a-f][0-9a-f]{0,14})")


def feature_of(
    seen: EntitlementQueries, feature_id: object, param: str = "id"
) -> FeatureDefinition:
    """Return a feature by its id, or refuse the parameter that holds it."""
    return found_by_id(seen.feature, feature_id, "feature", param)


def feature_resource(feature: FeatureDefinition, *, livemode: bool) -> Feature:
    """Return a feature as a resource."""
    return Feature(
        id=feature.feature_id,
        active=feature.active,
        livemode=livemode,
        lookup_key=feature.lookup_key,
        metadata=feature.metadata,
        name=feature.name,
    )


def product_feature_resource(
    attachment: Attachment, feature: FeatureDefinition, *, livemode: bool
) -> ProductFeature:
    """Return a feature on a product as a resource."""
    return ProductFeature(
        id=attachment.product_feature_id,
        entitlement_feature=feature_resource(feature, livemode=livemode),
        livemode=livemode,
    )


def entitlement_resource(
    first_position: int, feature: FeatureDefinition, *, livemode: bool
) -> ActiveEntitlement:
    """Return what a customer has as a resource.

    Its id names the facts that it comes of, so it is the same each time.

    Args:
        first_position: of the customer's first subscription.
        feature: that it has.
        livemode: what the resource says of itself.
    """
    prefix = "ent" if livemode else "ent_test"
    return ActiveEntitlement(
        id=f"{prefix}_{first_position:x}_{feature.position:x}",
        feature=feature.feature_id,
        livemode=livemode,
        lookup_key=feature.lookup_key,
    )


def positions_of(entitlement_id: object) -> tuple[int, int] | None:
    """Return the positions of the facts that an id names; None of what is no id."""
    parts = _ID.fullmatch(entitlement_id) if isinstance(entitlement_id, str) else None
    return None if parts is None else (int(parts[1], 16), int(parts[2], 16))


def entitlement_resources(
    seen: EntitlementQueries,
    first_position: int | None,
    feature_ids: Collection[str],
    *,
    livemode: bool,
) -> list[ActiveEntitlement]:
    """Return what a customer has as resources, newest features first."""
    if first_position is None or not feature_ids:
        return []
    features = seen.features_used(feature_ids)
    newest_first = sorted(
        (features[each] for each in feature_ids),
        key=lambda each: each.position,
        reverse=True,
    )
    return [
        entitlement_resource(first_position, each, livemode=livemode)
        for each in newest_first
    ]


def summary_resource(
    seen: EntitlementQueries,
    customer: str,
    feature_ids: Collection[str],
    *,
    livemode: bool,
) -> ActiveEntitlementSummary:
    """Return what a customer has as the resource that events are about."""
    first = seen.first_position(customer)
    has = entitlement_resources(seen, first, feature_ids, livemode=livemode)
    return ActiveEntitlementSummary(
        customer=customer,
        entitlements=SummaryEntitlements(
            data=tuple(has[:SUMMARY_MAX]),
            has_more=len(has) > SUMMARY_MAX,
            url=f"/v1/customer/{customer}/entitlements",
        ),
        livemode=livemode,
    )
