"""``metering products``: list what is sold, create and change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.options import (
    FieldOption,
    MetadataOption,
    argument,
    given_metadata,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.prices import product_details
from metering.cli.screens.screen import Column
from metering.prices.product_requests import ProductCreate

_ProductArgument = Annotated[str, argument("PRODUCT", "Its id.")]
_ProductTextOption = Annotated[str | None, FieldOption(ProductCreate, metavar="TEXT")]
_LabelOption = Annotated[str | None, FieldOption(ProductCreate, metavar="LABEL")]

SEARCH_HELP = """Such as 'active:"true" AND metadata["team"]:"ai"'."""

PRODUCTS = Resource(
    details=product_details, argument=_ProductArgument, calls=lambda m: m.products
)


@PRODUCTS.lists
def products(m: metering.Metering) -> Listing[metering.Product]:
    """List the products, newest first; or create one and change it."""
    return Listing(
        m.products.list(limit=LIMIT_MAX).auto_paging_iter(),
        _columns,
        none="No products; make one with products create.",
    )


@PRODUCTS.command(creates=True)
def create(
    m: metering.Metering,
    *,
    name: Annotated[str, FieldOption(ProductCreate)],
    product_id: Annotated[
        str | None, FieldOption(ProductCreate, "id", name="--id")
    ] = None,
    description: _ProductTextOption,
    unit_label: _LabelOption,
    metadata: MetadataOption,
) -> metering.Product:
    """Create a product, and the store if there is none."""
    return m.products.create(
        name=name,
        id=product_id,
        description=description,
        unit_label=unit_label,
        metadata=given_metadata(metadata),
    )


@PRODUCTS.command(lists=True)
def search(
    m: metering.Metering, query: Annotated[str, argument("QUERY", SEARCH_HELP)]
) -> Listing[metering.Product]:
    """Search for products by their fields and metadata, newest first."""
    found = m.products.search(query, limit=LIMIT_MAX).auto_paging_iter()
    return Listing(found, _columns, none="No such products.")


PRODUCTS.actions(retrieve="Show a product.")


@PRODUCTS.command()
def delete(m: metering.Metering, product: _ProductArgument) -> Done:
    """Delete a product that has no price."""
    m.products.delete(product)
    return Done({"id": product, "deleted": True}, f"Deleted {product}")


@PRODUCTS.command()
def deactivate(m: metering.Metering, product: _ProductArgument) -> Done:
    """Mark a product as no longer sold; its prices stay as they are."""
    changed = m.products.update(product, active=False)
    return Done(changed, f"{changed.id} is not active")


@PRODUCTS.command()
def activate(m: metering.Metering, product: _ProductArgument) -> Done:
    """Mark a product as sold again."""
    changed = m.products.update(product, active=True)
    return Done(changed, f"{changed.id} is active")


def _columns(shown: Sequence[metering.Product]) -> list[Column[metering.Product]]:
    columns: list[Column[metering.Product]] = [
        Column("name", lambda product: product.name),
        Column("active", lambda product: "yes" if product.active else "no"),
        Column("product", lambda product: product.id, is_whole=True),
    ]
    if any(each.unit_label for each in shown):
        columns.insert(1, Column("unit", lambda product: product.unit_label))
    return columns


group = PRODUCTS.group
