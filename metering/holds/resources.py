"""Holds as callers get them back."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from metering.bodies import ResourceObject
from metering.credits.resources import CreditAmount
from metering.holds.requests import HoldStatusName


class HoldAllocation(ResourceObject, frozen=True, kw_only=True):
    """What a hold took of a grant.

    Attributes:
        credit_grant: id of the grant.
        amount: in minor units of the hold's currency.
    """

    credit_grant: str
    amount: int


class CreditHold(ResourceObject, frozen=True, kw_only=True):
    """Credits that are reserved for work whose price is not known yet.

    Attributes:
        amount: asked for.
        amount_held: still held; with what was drawn and released it is what the hold
            took, which is less than `amount` only of a partial one.
        amount_drawn: of what the hold took.
        amount_released: of what the hold took; it went back to its grants.
        amount_overdrawn: drawn beyond the hold.
        amount_uncovered: settled, and covered by no credits.
        meter: of the usage that it was given as; None where it was an amount.
        quantity: of that usage, which came to the amount.
        price: that the credits are drawn for; None draws those for every metered price.
        expires_at: what is still held then is released.
        allocations: in the order in which they are drawn; they never change.
    """

    id: str
    object: Literal["metering.credit_hold"] = "metering.credit_hold"
    allocations: tuple[HoldAllocation, ...]
    amount: CreditAmount
    amount_drawn: CreditAmount
    amount_held: CreditAmount
    amount_overdrawn: CreditAmount
    amount_released: CreditAmount
    amount_uncovered: CreditAmount
    created: datetime
    customer: str
    expires_at: datetime
    livemode: bool
    metadata: dict[str, str]
    meter: str | None = None
    partial: bool
    price: str | None
    quantity: Decimal | None = None
    status: HoldStatusName
