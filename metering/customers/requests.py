"""Requests about customers, and the objects that callers pass in them.

Source: https://docs.stripe.com/api/customers/create and its neighbours.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import Id
from metering.arguments.times import CreatedBounds, Time

CustomerName = Annotated[str, Meta(min_length=1, max_length=256)]
Email = Annotated[str, Meta(min_length=1, max_length=512)]
CustomerDescription = Annotated[str, Meta(min_length=1, max_length=5_000)]
Phone = Annotated[str, Meta(min_length=1, max_length=64)]
AddressLine = Annotated[str, Meta(max_length=5_000)]
Locale = Annotated[str, Meta(min_length=1, max_length=64)]
Locales = Annotated[Sequence[Locale], Meta(max_length=100)]
TaxExemptName = Literal["none", "exempt", "reverse"]


class AddressParams(TypedDict, total=False):
    """Where somebody is.

    Attributes:
        city: its name.
        country: code of two letters.
        line1: street and number.
        line2: what else there is to say.
        postal_code: as written there.
        state: county, province or region.
    """

    city: AddressLine | None
    country: AddressLine | None
    line1: AddressLine | None
    line2: AddressLine | None
    postal_code: AddressLine | None
    state: AddressLine | None


class ShippingParams(TypedDict):
    """Where goods are sent to.

    Attributes:
        address: the place.
        name: who receives them.
        phone: of the receiver.
    """

    address: AddressParams
    name: AddressLine
    phone: NotRequired[Phone | None]


class CustomerCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer is created with.

    Attributes:
        name: for people.
        email: address for mail.
        description: for you alone.
        phone: number.
        address: of the customer.
        shipping: where goods are sent to.
        preferred_locales: languages, the preferred one first.
        tax_exempt: whether the customer is exempt from tax.
        metadata: pairs of your own.
        test_clock: id of the test clock that it lives by, for good.
    """

    name: CustomerName | None = None
    email: Email | None = None
    description: CustomerDescription | None = None
    phone: Phone | None = None
    address: AddressParams | None = None
    shipping: ShippingParams | None = None
    preferred_locales: Locales = ()
    tax_exempt: TaxExemptName = "none"
    metadata: Metadata | UnsetType | None = UNSET
    test_clock: Id | None = None


class CustomerUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a customer can be changed.

    Attributes:
        name: for people.
        email: address for mail.
        description: for you alone.
        phone: number.
        address: of the customer, the whole of it.
        shipping: where goods are sent to, the whole of it.
        preferred_locales: languages, the preferred one first.
        tax_exempt: whether the customer is exempt from tax.
        metadata: pairs that are added or replaced; an empty value removes its key.
    """

    name: CustomerName | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    description: CustomerDescription | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    address: AddressParams | UnsetType | None = UNSET
    shipping: ShippingParams | UnsetType | None = UNSET
    preferred_locales: Locales | UnsetType | None = UNSET
    tax_exempt: TaxExemptName | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class CustomerList(PageRequest, frozen=True, kw_only=True):
    """Which customers are listed.

    Attributes:
        created: only those created then, or within these bounds.
        email: only those with exactly this address.
        test_clock: only those that live by this test clock; if left out, those of none.
    """

    created: Time | CreatedBounds | None = None
    email: Email | None = None
    test_clock: Id | None = None
