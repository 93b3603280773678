"""Facts about statements: what usage came to in a period, and the credits it drew.

A statement holds everything that it says, so that no later fact changes it. Amounts are
whole minor units of its currency; times are microseconds since 1970 UTC.
"""

from decimal import Decimal

import msgspec


# A billing run makes hundreds of thousands of the three below, as arrays.
class BilledTier(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a line has in a tier; `up_to` is None in the last one."""

    up_to: int | None
    quantity: Decimal
    amount: int


class BilledLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a quantity came to by a price.

    Attributes:
        id: unique in its statement.
        price_id: the price.
        meter_id: whose usage the quantity is; None where the buyer said it.
        item_id: the item of a subscription that has the price, where one has.
        quantity: as it was measured; a negative one is rated as 0.
        amount: what it came to.
        is_negative: whether the quantity was negative.
        is_trial: whether the period is a trial, in which nothing is due.
        period_start: inclusive.
        period_end: exclusive.
        tiers: those that the quantity reached; none of a price without tiers.
    """

    id: str
    price_id: str
    meter_id: str | None
    item_id: str | None
    quantity: Decimal
    amount: int
    is_negative: bool
    is_trial: bool
    period_start: int
    period_end: int
    tiers: tuple[BilledTier, ...]


class BilledCredit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a line, named by its index, drew from a grant."""

    line: int
    grant_id: str
    amount: int


class StatementContent(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement says.

    Attributes:
        customer: whose usage.
        subscription_id: whose items the lines are of; None where prices were named.
        currency: of all amounts, in lower case.
        period_start: inclusive.
        period_end: exclusive.
        at: where usage stops to count, within the period; None is its end.
        position: everything up to it was counted, and nothing after it.
        lines: in the order of an invoice.
        credits: in the order in which they were drawn.
    """

    customer: str
    subscription_id: str | None
    currency: str
    period_start: int
    period_end: int
    at: int | None
    position: int
    lines: tuple[BilledLine, ...]
    credits: tuple[BilledCredit, ...]


class StatementFinalized(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="statement.finalized",
):
    """A statement was made for good.

    The credits that it drew, where it drew any, are a fact before it in the same
    commit.

    Attributes:
        digest: SHA-256 of the content, in hexadecimal digits.
    """

    statement_id: str
    content: StatementContent
    digest: str


class StatementVoided(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="statement.voided"
):
    """A statement is void: its period can be stated anew.

    The credits that it gave back, where it drew any, are a fact before it in the same
    commit.
    """

    statement_id: str
