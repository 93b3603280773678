"""Customers as callers get them back: frozen, with Stripe's field names.

What only a payment would need is there, and None.
Source: https://docs.stripe.com/api/customers/object
"""

from datetime import datetime
from typing import Literal

from metering.bodies import ResourceObject
from metering.customers.requests import TaxExemptName


class CustomerAddress(ResourceObject, frozen=True, kw_only=True):
    """Where somebody is."""

    city: str | None
    country: str | None
    line1: str | None
    line2: str | None
    postal_code: str | None
    state: str | None


class CustomerShipping(ResourceObject, frozen=True, kw_only=True):
    """Where goods are sent to."""

    address: CustomerAddress
    name: str
    phone: str | None


class CustomerInvoiceSettings(ResourceObject, frozen=True, kw_only=True):
    """What the customer's invoices begin with."""

    custom_fields: None = None
    default_payment_method: None = None
    footer: None = None
    rendering_options: None = None


class Customer(ResourceObject, frozen=True, kw_only=True):
    """Who is billed."""

    id: str
    object: Literal["customer"] = "customer"
    address: CustomerAddress | None
    balance: int = 0
    created: datetime
    currency: None = None
    default_source: None = None
    delinquent: bool = False
    description: str | None
    discount: None = None
    email: str | None
    invoice_prefix: None = None
    invoice_settings: CustomerInvoiceSettings = CustomerInvoiceSettings()
    livemode: bool
    metadata: dict[str, str]
    name: str | None
    phone: str | None
    preferred_locales: tuple[str, ...]
    shipping: CustomerShipping | None
    tax_exempt: TaxExemptName
    test_clock: str | None


class DeletedCustomer(ResourceObject, frozen=True, kw_only=True):
    """What is left of a customer that was deleted."""

    id: str
    object: Literal["customer"] = "customer"
    deleted: bool = True
