"""``metering features``: what products entitle to, and which customers have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import UNSET

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.options import (
    FieldOption,
    MetadataOption,
    argument,
    given_metadata,
    option,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.screen import Cell, Column
from metering.cli.screens.text import second
from metering.entitlements.requests import (
    ActiveEntitlementList,
    EntitlementQuestion,
    FeatureCreate,
)

_FeatureArgument = Annotated[str, argument("FEATURE", "Its id or lookup key.")]
_EntitlingArgument = Annotated[str, argument("PRODUCT", "Its id.")]
_ProductOption = Annotated[str, option("PRODUCT", "Id of the product.", "--product")]


def _details(_: metering.Metering, feature: metering.Feature) -> list[tuple[str, Cell]]:
    return [
        ("id", feature.id),
        ("lookup key", feature.lookup_key),
        ("name", feature.name),
        ("status", "active" if feature.active else "archived"),
    ]


def _feature_id(m: metering.Metering, named: str) -> str:
    """Find the id of the active feature with a lookup key; else it is an id."""
    is_key = 0 < len(named) <= 80
    found = m.entitlements.features.list(lookup_key=named) if is_key else []
    return found[0].id if found else named


FEATURES = Resource(
    details=_details,
    argument=_FeatureArgument,
    calls=lambda m: m.entitlements.features,
    id_of=_feature_id,
)


@FEATURES.lists
def features(
    m: metering.Metering,
    *,
    archived: Annotated[
        bool,
        typer.Option("--archived", help="Those that are archived, not the others."),
    ] = False,
) -> Listing[metering.Feature]:
    """List features, newest first; create one, attach it, and see who has it."""
    found = m.entitlements.features.list(archived=archived, limit=LIMIT_MAX)
    return Listing(
        found.auto_paging_iter(),
        _columns,
        none="No features; make one with features create.",
    )


@FEATURES.command(creates=True)
def create(
    m: metering.Metering,
    *,
    lookup_key: Annotated[str, FieldOption(FeatureCreate, metavar="KEY")],
    name: Annotated[str, FieldOption(FeatureCreate)],
    metadata: MetadataOption,
) -> metering.Feature:
    """Create a feature, and the store if there is none."""
    return m.entitlements.features.create(
        lookup_key=lookup_key, name=name, metadata=given_metadata(metadata)
    )


FEATURES.actions(retrieve="Show a feature.")


@FEATURES.command()
def update(
    m: metering.Metering,
    feature: _FeatureArgument,
    *,
    name: Annotated[str | None, FieldOption(FeatureCreate)] = None,
    metadata: MetadataOption,
) -> metering.Feature:
    """Change a feature; what is left out stays."""
    return m.entitlements.features.update(
        _feature_id(m, feature),
        name=UNSET if name is None else name,
        metadata=given_metadata(metadata) or UNSET,
    )


@FEATURES.command()
def archive(m: metering.Metering, feature: _FeatureArgument) -> Done:
    """Archive a feature for good: it stays where it is, and is attached no more."""
    archived = m.entitlements.features.update(_feature_id(m, feature), active=False)
    return Done(archived, f"Archived {archived.id}; its lookup key is free")


@FEATURES.command()
def attach(
    m: metering.Metering, feature: _FeatureArgument, *, product: _ProductOption
) -> Done:
    """Attach a feature to a product; who subscribes to it from now on has it."""
    made = m.entitlements.product_features.create(
        product, entitlement_feature=_feature_id(m, feature)
    )
    key = made.entitlement_feature.lookup_key
    return Done(made, f"{product} entitles to {key}")


@FEATURES.command()
def detach(
    m: metering.Metering, feature: _FeatureArgument, *, product: _ProductOption
) -> Done:
    """Detach a feature from a product; who subscribes to it from now on lacks it."""
    hung = m.entitlements.product_features
    found = hung.list(product, limit=LIMIT_MAX)
    for each in found.auto_paging_iter():
        if feature in (
            each.entitlement_feature.id,
            each.entitlement_feature.lookup_key,
        ):
            m.entitlements.product_features.delete(product, each.id)
            key = each.entitlement_feature.lookup_key
            document = {"id": each.id, "deleted": True}
            return Done(document, f"{product} entitles to {key} no more")
    raise metering.ResourceMissingError("product feature", feature, param="feature")


@FEATURES.command(lists=True)
def attached(
    m: metering.Metering, product: _EntitlingArgument
) -> Listing[metering.ProductFeature]:
    """List the features of a product, the last attached first."""
    found = m.entitlements.product_features.list(product, limit=LIMIT_MAX)
    return Listing(
        found.auto_paging_iter(),
        _attached_columns,
        none=f"No features of {product}; attach one with features attach.",
    )


@FEATURES.command(lists=True)
def entitlements(
    m: metering.Metering,
    *,
    customer: Annotated[str, FieldOption(ActiveEntitlementList)],
) -> Listing[metering.ActiveEntitlement]:
    """List what a customer has now, the newest features first."""
    found = m.entitlements.active_entitlements.list(customer, limit=LIMIT_MAX)
    return Listing(
        found.auto_paging_iter(),
        _entitlement_columns,
        none=f"Customer {customer} is entitled to nothing.",
    )


@FEATURES.command()
def check(
    m: metering.Metering,
    feature: _FeatureArgument,
    *,
    customer: Annotated[str, FieldOption(EntitlementQuestion)],
) -> Done:
    """Answer whether a customer has a feature now, and until when."""
    found = m.entitlements.check(customer=customer, feature=feature)
    has = "has" if found.entitled else "does not have"
    until = "" if found.until is None else f" until {second(found.until)} UTC"
    return Done(found, f"{customer} {has} {found.lookup_key}{until}")


def _columns(_: Sequence[metering.Feature]) -> list[Column[metering.Feature]]:
    return [
        Column("lookup key", lambda each: each.lookup_key),
        Column("name", lambda each: each.name),
        Column("feature", lambda each: each.id, is_whole=True),
    ]


def _attached_columns(
    _: Sequence[metering.ProductFeature],
) -> list[Column[metering.ProductFeature]]:
    return [
        Column("lookup key", lambda each: each.entitlement_feature.lookup_key),
        Column("name", lambda each: each.entitlement_feature.name),
        Column("product feature", lambda each: each.id, is_whole=True),
    ]


def _entitlement_columns(
    _: Sequence[metering.ActiveEntitlement],
) -> list[Column[metering.ActiveEntitlement]]:
    return [
        Column("lookup key", lambda each: each.lookup_key),
        Column("feature", lambda each: each.feature, is_whole=True),
        Column("entitlement", lambda each: each.id, is_whole=True),
    ]


group = FEATURES.group
