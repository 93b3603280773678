"""Resources of credits: what callers get back. Frozen values with Stripe's field names.

Times are aware datetimes in UTC, amounts whole minor units of their currency.
Source: https://docs.stripe.com/api/billing/credit-grant and its neighbours.
"""

from datetime import datetime
from typing import ClassVar, Literal

from metering.bodies import ResourceObject
from metering.credits.requests import CategoryName, CreditFilterParams


class Monetary(ResourceObject, frozen=True, kw_only=True):
    """An amount of money.

    Attributes:
        currency: its ISO 4217 code in lower case.
        value: in minor units of the currency, such as cents.
    """

    currency: str
    value: int


class CreditAmount(ResourceObject, frozen=True, kw_only=True):
    """An amount of credits."""

    type: Literal["monetary"] = "monetary"
    monetary: Monetary


class ScopePrice(ResourceObject, frozen=True, kw_only=True):
    """A price that credits may be used for."""

    id: str


class CreditScope(ResourceObject, frozen=True, kw_only=True):
    """What credits may be used for: every metered price, or those listed."""

    price_type: Literal["metered"] | None = None
    prices: tuple[ScopePrice, ...] | None = None


class ApplicabilityConfig(ResourceObject, frozen=True, kw_only=True):
    """What credits may be used for."""

    scope: CreditScope


class CreditGrant(ResourceObject, frozen=True, kw_only=True):
    """Credits that a customer prepaid or was given.

    They can be used from `effective_at` on and before `expires_at`.

    Attributes:
        schedule: id of the schedule that it fell due by; None where somebody made it.
        schedule_period: of the schedule, from 0, the one that begins at the anchor.
        schedule_rollover: whether it is what was left of the period before.
        customer: None where they are a pool's.
        pool: id of the pool whose members share them; None where they are a customer's.
    """

    absent_where_none: ClassVar[frozenset[str]] = frozenset(
        {"pool", "schedule", "schedule_period", "schedule_rollover"}
    )

    id: str
    object: Literal["billing.credit_grant"] = "billing.credit_grant"
    amount: CreditAmount
    applicability_config: ApplicabilityConfig
    category: CategoryName
    created: datetime
    updated: datetime
    customer: str | None
    customer_account: str | None = None
    effective_at: datetime | None
    expires_at: datetime | None
    livemode: bool
    metadata: dict[str, str]
    name: str | None
    pool: str | None = None
    priority: int | None
    schedule: str | None = None
    schedule_period: int | None = None
    schedule_rollover: bool | None = None
    test_clock: str | None = None
    voided_at: datetime | None


class InvoiceLineItem(ResourceObject, frozen=True, kw_only=True):
    """The line of an invoice that drew credits, or gave them back."""

    invoice: str
    invoice_line_item: str


class CreditTransactionCredit(ResourceObject, frozen=True, kw_only=True):
    """Credits that were added to a balance."""

    amount: CreditAmount
    type: Literal["credits_granted", "credits_application_invoice_voided"]
    credits_application_invoice_voided: InvoiceLineItem | None = None


class CreditTransactionDebit(ResourceObject, frozen=True, kw_only=True):
    """Credits that were taken from a balance; the amount is positive."""

    amount: CreditAmount
    type: Literal["credits_applied", "credits_expired", "credits_voided"]
    credits_applied: InvoiceLineItem | None = None


class CreditBalanceTransaction(ResourceObject, frozen=True, kw_only=True):
    """A change of a credit balance.

    Attributes:
        created: when it happened.
        effective_at: from when on the credits can be used, for credits granted; else
            when it happened.
        pool: id of the pool that the grant belongs to; None where it is a customer's.
        member: whose invoice or hold moved credits of the pool; None where none did.
    """

    absent_where_none: ClassVar[frozenset[str]] = frozenset({"pool", "member"})

    id: str
    object: Literal["billing.credit_balance_transaction"] = (
        "billing.credit_balance_transaction"
    )
    created: datetime
    credit: CreditTransactionCredit | None
    credit_grant: str
    debit: CreditTransactionDebit | None
    effective_at: datetime
    livemode: bool
    member: str | None = None
    pool: str | None = None
    test_clock: str | None = None
    type: Literal["credit", "debit"]


class CreditBalance(ResourceObject, frozen=True, kw_only=True):
    """What is left of credits in one currency.

    Attributes:
        available_balance: what can be used.
        held_balance: what holds keep.
        ledger_balance: what transactions add up to; what is held and grants that are
            not yet effective included.
        unbilled_usage: what unbilled usage will draw, where that was asked for: the
            available balance is without it.
        uncovered_usage: unbilled usage that no credits cover.
    """

    beyond_stripe: ClassVar[frozenset[str]] = frozenset(
        {"held_balance", "unbilled_usage", "uncovered_usage"}
    )

    available_balance: CreditAmount
    held_balance: CreditAmount
    ledger_balance: CreditAmount
    unbilled_usage: CreditAmount | None = None
    uncovered_usage: CreditAmount | None = None


class CreditBalanceSummary(ResourceObject, frozen=True, kw_only=True):
    """What is left of a customer's credits, one balance a currency.

    Attributes:
        at: the instant.
        filter: which grants count, as it was asked; None where all do.
    """

    beyond_stripe: ClassVar[frozenset[str]] = frozenset({"at", "filter"})

    object: Literal["billing.credit_balance_summary"] = "billing.credit_balance_summary"
    balances: tuple[CreditBalance, ...]
    customer: str
    customer_account: str | None = None
    livemode: bool
    at: datetime
    filter: CreditFilterParams | None = None


def monetary(currency: str, value: int) -> CreditAmount:
    """Make an amount of credits."""
    return CreditAmount(monetary=Monetary(currency=currency, value=value))
