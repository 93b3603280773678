"""Facts about customers: who is billed, as far as a caller says so.

Nothing needs them: usage, credits and subscriptions name a customer by any string.
Source of the words: https://docs.stripe.com/api/customers
"""

import enum

import msgspec


class TaxExemption(enum.Enum):
    """Whether a customer is exempt from tax."""

    NONE = "none"
    EXEMPT = "exempt"
    REVERSE = "reverse"


class PostalAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is; `country` is a code of two letters."""

    city: str | None
    country: str | None
    line1: str | None
    line2: str | None
    postal_code: str | None
    state: str | None


class ShippingDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Where goods are sent to."""

    address: PostalAddress
    name: str
    phone: str | None


# What later releases added is left out where it says nothing: equal bytes.
class CustomerCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="fact",
    tag="customer.created",
):
    """A customer became known, of a test clock where one is named."""

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
    test_clock: str | None = None


class CustomerUpdated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="customer.updated"
):
    """A customer was changed: everything that can change, as it is now."""

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


class CustomerDeleted(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="customer.deleted"
):
    """A customer is not to be billed any more; its subscriptions were canceled before."""

    customer_id: str


CustomerFact = CustomerCreated | CustomerUpdated | CustomerDeleted
