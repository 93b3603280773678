"""Requests about credits, and the objects that callers pass in them.

Source: https://docs.stripe.com/api/billing/credit-grant/create and its neighbours.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.currencies import Currency
from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import Customer, Id, Name, OthersId
from metering.arguments.times import Time

AMOUNT_MAX = 999_999_999_999
"""Of a grant and of a line: a billing run adds up a million of them in 64 bits."""
PRICES_MAX = 20
PRIORITY_MAX = 100


class MonetaryParams(TypedDict):
    """An amount in minor units of a currency."""

    currency: Currency
    value: Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]


class CreditAmountParams(TypedDict):
    """An amount of credits."""

    type: Literal["monetary"]
    monetary: MonetaryParams


class ScopePriceParams(TypedDict):
    """A price that credits may be used for."""

    id: OthersId


class CreditScopeParams(TypedDict):
    """What credits may be used for: every metered price, or those listed."""

    price_type: NotRequired[Literal["metered"] | None]
    prices: NotRequired[
        Annotated[Sequence[ScopePriceParams], Meta(min_length=1, max_length=PRICES_MAX)]
        | None
    ]


class ApplicabilityConfigParams(TypedDict):
    """What credits may be used for."""

    scope: CreditScopeParams


class CreditFilterParams(TypedDict):
    """Which grants count; see `CreditBalanceSummaries.retrieve`."""

    type: Literal["applicability_scope", "credit_grant"]
    applicability_scope: NotRequired[CreditScopeParams | None]
    credit_grant: NotRequired[Id | None]


class InvoiceLineParams(TypedDict):
    """A line of an invoice; without a price, it draws credits for every one."""

    amount: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
    currency: Currency
    id: OthersId
    price: NotRequired[OthersId | None]


class CreditGrantCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What credits are granted with."""

    customer: Customer
    amount: CreditAmountParams
    applicability_config: ApplicabilityConfigParams
    category: Literal["paid", "promotional"] = "paid"
    priority: Annotated[int, Meta(ge=0, le=PRIORITY_MAX)] = 50
    name: Name | None = None
    effective_at: Time | None = None
    expires_at: Time | None = None
    metadata: Metadata | UnsetType | None = UNSET


class CreditGrantUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a grant can be changed."""

    expires_at: Time | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class CreditGrantList(PageRequest, frozen=True, kw_only=True):
    """Which grants are listed."""

    customer: Customer | None = None


class CreditTransactionList(PageRequest, frozen=True, kw_only=True):
    """Which credit transactions are listed."""

    customer: Customer | None = None
    credit_grant: Id | None = None


class CreditBalanceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whose credits are added up, and which."""

    customer: Customer
    filter: CreditFilterParams | None = None


class InvoiceApply(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice that draws credits."""

    invoice: OthersId
    customer: Customer
    period_end: Time
    lines: Annotated[Sequence[InvoiceLineParams], Meta(min_length=1)]


class InvoiceReinstate(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice that gives its credits back."""

    invoice: OthersId
