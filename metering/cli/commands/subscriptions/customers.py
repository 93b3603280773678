"""``metering customers``: list who is billed, create and change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET

import metering
from metering.arguments.pages import LIMIT_MAX
from metering.cli.options import (
    FieldOption,
    MetadataOption,
    argument,
    given_metadata,
)
from metering.cli.resource import Done, Listing, Resource
from metering.cli.screens.screen import Column
from metering.cli.screens.subscriptions import customer_details
from metering.customers.requests import CustomerCreate, CustomerList

_CustomerArgument = Annotated[str, argument("CUSTOMER", "Its id.")]
_TextOption = Annotated[str | None, FieldOption(CustomerCreate, metavar="TEXT")]

CUSTOMERS = Resource(
    details=customer_details, argument=_CustomerArgument, calls=lambda m: m.customers
)


@CUSTOMERS.lists
def customers(
    m: metering.Metering,
    *,
    email: Annotated[str | None, FieldOption(CustomerList)],
    test_clock: Annotated[str | None, FieldOption(CustomerList, metavar="CLOCK")],
) -> Listing[metering.Customer]:
    """List the customers, newest first; or create one and change it.

    Usage, credits and subscriptions may be of any string, which need not be listed here.
    """
    return Listing(
        m.customers.list(
            email, test_clock=test_clock, limit=LIMIT_MAX
        ).auto_paging_iter(),
        _columns,
        none="No customers; make one with customers create.",
    )


@CUSTOMERS.command(creates=True)
def create(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    *,
    name: _TextOption,
    email: _TextOption,
    phone: _TextOption,
    description: _TextOption,
    metadata: MetadataOption,
    test_clock: Annotated[str | None, FieldOption(CustomerCreate, metavar="CLOCK")],
) -> metering.Customer:
    """Create a customer, and the store if there is none."""
    return m.customers.create(
        name=name,
        email=email,
        phone=phone,
        description=description,
        metadata=given_metadata(metadata),
        test_clock=test_clock,
    )


CUSTOMERS.actions(retrieve="Show a customer, or that it was deleted.")


@CUSTOMERS.command()
def update(  # noqa: PLR0913  # a command's options are its arguments
    m: metering.Metering,
    customer: _CustomerArgument,
    *,
    name: _TextOption,
    email: _TextOption,
    phone: _TextOption,
    description: _TextOption,
    metadata: MetadataOption,
) -> metering.Customer:
    """Change a customer; what is left out stays as it is."""
    texts = {"name": name, "email": email, "phone": phone, "description": description}
    given: dict[str, Any] = {
        name: text for name, text in texts.items() if text is not None
    }
    return m.customers.update(
        customer,
        metadata=given_metadata(metadata) if metadata else UNSET,
        **given,
    )


@CUSTOMERS.command()
def delete(m: metering.Metering, customer: _CustomerArgument) -> Done:
    """Delete a customer, and end its subscriptions now."""
    m.customers.delete(customer)
    return Done({"id": customer, "deleted": True}, f"Deleted {customer}")


def _columns(_: Sequence[metering.Customer]) -> list[Column[metering.Customer]]:
    return [
        Column("name", lambda customer: customer.name),
        Column("email", lambda customer: customer.email),
        Column("customer", lambda customer: customer.id, is_whole=True),
    ]


group = CUSTOMERS.group
