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
from metering.arguments.strings import CustomerId, Id, Name, OthersId
from metering.arguments.times import Time

AMOUNT_MAX = 999_999_999_999
"""Of a grant and of a line: a billing run adds up a million of them in 64 bits."""
INVOICES_MAX = 10_000
"""Of one request over HTTP."""
PRICES_MAX = 20
PRIORITY_MAX = 100

CategoryName = Literal["paid", "promotional"]
"""Whether the customer paid for credits."""


class MonetaryParams(TypedDict):
    """An amount in minor units of a currency.

    Attributes:
        currency: ISO 4217 code, such as usd.
        value: in minor units.
    """

    currency: Currency
    value: Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]


class CreditAmountParams(TypedDict):
    """An amount of credits."""

    type: Literal["monetary"]
    monetary: MonetaryParams


class ScopePriceParams(TypedDict):
    """A price that credits may be used for.

    Attributes:
        id: of a price that others keep.
    """

    id: OthersId


class CreditScopeParams(TypedDict):
    """What credits may be used for: every metered price, or those listed.

    Attributes:
        price_type: usable for every price of this type.
        prices: usable for these prices only.
    """

    price_type: NotRequired[Literal["metered"] | None]
    prices: NotRequired[
        Annotated[Sequence[ScopePriceParams], Meta(min_length=1, max_length=PRICES_MAX)]
        | None
    ]


class ApplicabilityConfigParams(TypedDict):
    """What credits may be used for."""

    scope: CreditScopeParams


class CreditFilterParams(TypedDict):
    """Which grants count; see `CreditBalanceSummaries.retrieve`.

    Attributes:
        applicability_scope: only credits usable for these prices.
        credit_grant: only those of this grant.
    """

    type: Literal["applicability_scope", "credit_grant"]
    applicability_scope: NotRequired[CreditScopeParams | None]
    credit_grant: NotRequired[Id | None]


class InvoiceLineParams(TypedDict):
    """A line of an invoice; without a price, it draws credits for every one.

    Attributes:
        amount: in minor units of the currency.
        currency: ISO 4217 code, such as usd.
        id: of the line, unique on its invoice.
        price: of the line; if left out, credits for every metered price are drawn.
    """

    amount: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
    currency: Currency
    id: OthersId
    price: NotRequired[OthersId | None]


class CreditTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is granted, whoever may use it.

    Attributes:
        amount: how much is granted.
        applicability_config: what it can be used for.
        category: whether the customer paid for them; promotional credits are used
            first.
        priority: lower priorities are used first.
        name: for people.
        effective_at: usable from then on; from now if left out.
        expires_at: usable before then; for ever if left out.
        metadata: pairs of your own.
    """

    amount: CreditAmountParams
    applicability_config: ApplicabilityConfigParams
    category: CategoryName = "paid"
    priority: Annotated[int, Meta(ge=0, le=PRIORITY_MAX)] = 50
    name: Name | None = None
    effective_at: Time | None = None
    expires_at: Time | None = None
    metadata: Metadata | UnsetType | None = UNSET


class CreditGrantCreate(CreditTerms, frozen=True, kw_only=True):
    """What credits are granted with.

    Attributes:
        customer: whose credits.
    """

    customer: CustomerId


class PoolGrantCreate(CreditTerms, frozen=True, kw_only=True):
    """What the members of a pool are granted.

    Attributes:
        pool: id of the pool.
    """

    pool: Id


class PoolGrantList(PageRequest, frozen=True, kw_only=True):
    """Which grants of a pool are listed.

    Attributes:
        pool: id of the pool.
    """

    pool: Id


class CreditGrantUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What of a grant can be changed.

    Attributes:
        expires_at: usable before then; for ever if empty.
        metadata: pairs that are added or replaced; an empty value removes its key.
    """

    expires_at: Time | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class CreditGrantList(PageRequest, frozen=True, kw_only=True):
    """Which grants are listed.

    Attributes:
        customer: only those of this customer.
    """

    customer: CustomerId | None = None


class CreditTransactionList(PageRequest, frozen=True, kw_only=True):
    """Which credit transactions are listed.

    Attributes:
        customer: only those of this customer.
        credit_grant: only those of this grant.
    """

    customer: CustomerId | None = None
    credit_grant: Id | None = None


class CreditBalanceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whose credits are added up, and which.

    Attributes:
        customer: whose credits.
        filter: which grants count; all if left out.
    """

    customer: CustomerId
    filter: CreditFilterParams | None = None


class CreditBalanceWithUsage(CreditBalanceQuery, frozen=True, kw_only=True):
    """Whose credits are added up, which, and whether unbilled usage has drawn on them.

    Attributes:
        at: the instant, past or future; now if left out.
        include_unbilled_usage: whether the available balance is what unbilled usage of
            subscriptions leaves, now.
    """

    at: Time | None = None
    include_unbilled_usage: bool = False


class InvoiceApply(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice that draws credits.

    Attributes:
        invoice: id of the invoice.
        customer: whose credits.
        period_end: when the credits must be usable.
        lines: what is invoiced.
        replace: whether an invoice that was settled with other content gives back what
            it drew, and is settled anew.
    """

    invoice: OthersId
    customer: CustomerId
    period_end: Time
    lines: Annotated[Sequence[InvoiceLineParams], Meta(min_length=1)]
    replace: bool = False


class InvoicesReinstate(msgspec.Struct, frozen=True, kw_only=True):
    """Invoices that give their credits back.

    Attributes:
        invoices: their ids.
    """

    invoices: Annotated[Sequence[OthersId], Meta(min_length=1, max_length=INVOICES_MAX)]


class InvoiceReinstate(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice that gives its credits back.

    Attributes:
        invoice: id of the invoice.
    """

    invoice: OthersId
