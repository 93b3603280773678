"""What is answered about usage that is to be covered."""

from decimal import Decimal
from typing import Literal

from metering.bodies import ResourceObject
from metering.credits.resources import CreditAmount

RefusalReason = Literal["insufficient_credits", "spend_limit_reached"]
"""Why usage may not happen."""


class CheckRemaining(ResourceObject, frozen=True, kw_only=True):
    """What remains for usage, before it.

    Attributes:
        credits: of those that may be drawn for it, what neither unbilled usage draws
            nor holds keep.
        spend_limit: of the spend limit that leaves least, one in the currency of the
            usage if there is any; None where none counts it.
    """

    credits: CreditAmount
    spend_limit: CreditAmount | None = None


class Check(ResourceObject, frozen=True, kw_only=True):
    """Whether usage would be covered, as things are.

    Attributes:
        allowed: whether nothing speaks against it.
        reason: what does; the first where several do.
        meter: id of the meter.
        quantity: that was asked about.
        amount: what it comes to: by how much unbilled usage grows.
        remaining: what it can draw on.
        position: everything up to it is counted.
    """

    object: Literal["metering.check"] = "metering.check"
    allowed: bool
    reason: RefusalReason | None
    customer: str
    meter: str
    quantity: Decimal
    amount: CreditAmount
    remaining: CheckRemaining
    position: int
    livemode: bool
