"""Statements as callers get them back: frozen, with every figure exact.

Times are aware datetimes in UTC, amounts whole minor units of the currency, quantities
decimals.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from metering.bodies import ResourceObject


class StatementTier(ResourceObject, frozen=True, kw_only=True):
    """What a line has in a tier of its price.

    Attributes:
        up_to: the last quantity of the tier, inclusive; None in the last one.
    """

    up_to: int | None
    quantity: Decimal
    amount: int


class StatementLine(ResourceObject, frozen=True, kw_only=True):
    """What usage comes to by a price.

    Attributes:
        id: unique in its statement.
        meter: whose aggregate the quantity is; None of a price that is not metered.
        subscription_item: which has the price; None where prices were named.
        quantity: of the period, as it was measured.
        amount: in minor units of the currency.
        is_negative: whether the quantity is negative, and was rated as 0.
        is_trial: whether the period is a trial, in which nothing is due.
        tiers: those that the quantity reaches; they add up to the amount.
        customer: whose usage.
        at: where usage stops to count, within the period; None is its end.
        position: everything up to it is counted, and nothing after it.
    """

    id: str
    price: str
    meter: str | None
    subscription_item: str | None
    quantity: Decimal
    amount: int
    currency: str
    is_negative: bool
    is_trial: bool
    period_start: datetime
    period_end: datetime
    tiers: tuple[StatementTier, ...]
    customer: str
    at: datetime | None
    position: int


class StatementCredit(ResourceObject, frozen=True, kw_only=True):
    """What a line draws from a credit grant.

    Attributes:
        line: the id of the line.
        amount: in minor units of the currency.
    """

    line: str
    credit_grant: str
    amount: int


class Statement(ResourceObject, frozen=True, kw_only=True):
    """What a customer's usage comes to in a period.

    Attributes:
        id: None in a preview.
        status: a finalised one never changes, but it can become void.
        subscription: whose items the lines are of; None where prices were named.
        at: where usage stops to count, within the period; None is its end.
        lines: in the order of an invoice.
        credits: in the order in which they are drawn, grant by grant.
        subtotal: of the lines.
        credits_applied: of the credits.
        amount_due: the subtotal less the credits.
        position: everything up to it is counted, and nothing after it.
        digest: SHA-256 of all that is said above, in hexadecimal digits, but for the id
            and the status.
        created: when it was finalised; None in a preview.
    """

    id: str | None
    object: Literal["metering.statement"] = "metering.statement"
    status: Literal["preview", "finalized", "void"]
    customer: str
    subscription: str | None
    currency: str
    period_start: datetime
    period_end: datetime
    at: datetime | None
    lines: tuple[StatementLine, ...]
    credits: tuple[StatementCredit, ...]
    subtotal: int
    credits_applied: int
    amount_due: int
    position: int
    digest: str
    created: datetime | None
    voided_at: datetime | None
    livemode: bool
