"""Customers as resources."""

from msgspec.structs import asdict

from ledger.facts.customers import PostalAddress, ShippingDetails
from metering.arguments.clock import at_microseconds
from metering.customers.resources import (
    Customer,
    CustomerAddress,
    CustomerShipping,
)
from projections.kernels.customers import CustomerDefinition


def customer_resource(customer: CustomerDefinition, *, livemode: bool) -> Customer:
    """Return a customer as a resource, as it was before it was deleted, if it was."""
    return Customer(
        id=customer.customer_id,
        address=_address(customer.address),
        created=at_microseconds(customer.created),
        description=customer.description,
        email=customer.email,
        livemode=livemode,
        metadata=dict(customer.metadata),
        name=customer.name,
        phone=customer.phone,
        preferred_locales=customer.preferred_locales,
        shipping=_shipping(customer.shipping),
        tax_exempt=customer.tax_exempt.value,
        test_clock=customer.test_clock,
    )


def _address(address: PostalAddress | None) -> CustomerAddress | None:
    return None if address is None else CustomerAddress(**asdict(address))


def _shipping(shipping: ShippingDetails | None) -> CustomerShipping | None:
    if shipping is None:
        return None
    return CustomerShipping(
        address=CustomerAddress(**asdict(shipping.address)),
        name=shipping.name,
        phone=shipping.phone,
    )
