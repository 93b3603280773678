"""Customers: what the facts about one add up to."""

from dataclasses import dataclass, replace

from msgspec.structs import asdict

from ledger.facts.customers import (
    CustomerCreated,
    CustomerUpdated,
    PostalAddress,
    ShippingDetails,
    TaxExemption,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDefinition:
    """A customer at some position of the log.

    Attributes:
        position: of the fact that created it.
        created: microseconds since 1970 UTC.
        test_clock: id of the clock that it lives by; None is the log's time.
    """

    position: int
    customer_id: str
    name: str | None
    email: str | None
    description: str | None
    phone: str | None
    address: PostalAddress | None
    shipping: ShippingDetails | None
    preferred_locales: tuple[str, ...]
    tax_exempt: TaxExemption
    metadata: dict[str, str]
    created: int
    test_clock: str | None = None
    is_deleted: bool = False


def customer_created(
    fact: CustomerCreated, position: int, recorded_at: int
) -> CustomerDefinition:
    """Return a customer as it was created."""
    return CustomerDefinition(**asdict(fact), position=position, created=recorded_at)


def customer_updated(
    customer: CustomerDefinition, fact: CustomerUpdated
) -> CustomerDefinition:
    """Return a customer as it is after an update."""
    return replace(customer, **asdict(fact))


def customer_deleted(customer: CustomerDefinition) -> CustomerDefinition:
    """Return a customer as it is after its deletion."""
    return replace(customer, is_deleted=True)
