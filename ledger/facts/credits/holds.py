"""Facts about holds: credits that are reserved for work whose price is not known yet.

Amounts are whole minor units of the hold's currency; times are microseconds since 1970
UTC. That a hold expired by itself follows from its `expires_at`.
"""

from decimal import Decimal

import msgspec

from ledger.facts.credits.grants import CreditsApplied


class HeldPart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a hold has of a grant, named by the position of the fact that created it."""

    grant_position: int
    amount: int


class HeldUsage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Usage that a hold was asked for in place of an amount."""

    meter_id: str
    quantity: Decimal


# What later releases added is left out where it says nothing: equal bytes.
class CreditHoldCreated(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="fact",
    tag="credit_hold.created",
):
    """Credits were reserved.

    Attributes:
        amount: asked for; more than the sum of `parts` where `partial` let it be.
        price: that they are to be drawn for; None draws credits for every price.
        partial: whether less than `amount` may be held.
        expires_at: exclusive; what is held then goes back.
        parts: in the order in which they are drawn.
        usage: that came to the amount, where it was given.
    """

    hold_id: str
    customer: str
    amount: int
    currency: str
    price: str | None
    partial: bool
    expires_at: int
    metadata: dict[str, str]
    parts: tuple[HeldPart, ...]
    usage: HeldUsage | None = None


class CreditHoldSettled(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="fact",
    tag="credit_hold.settled",
):
    """Credits that were held were drawn.

    Attributes:
        hold_position: of the fact that created the hold.
        settlement: id of the settlement among those of its hold; empty where it has none.
        final: whether it ended the hold.
        drawn: from what the hold had.
        returned: what went back, where the hold ended.
        application: all that was drawn, beyond the hold too, as by an invoice.
        quantity: of usage, that came to what was settled, where it was given.
    """

    hold_id: str
    hold_position: int
    settlement: str
    final: bool
    drawn: tuple[HeldPart, ...]
    returned: tuple[HeldPart, ...]
    application: CreditsApplied
    quantity: Decimal | None = None


class CreditHoldReleased(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_hold.released",
):
    """A hold was given up, and all that it had went back."""

    hold_id: str
    hold_position: int
    customer: str
    returned: tuple[HeldPart, ...]


class CreditHoldLapsed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="credit_hold.lapsed",
):
    """A process saw that a hold had expired.

    It changes nothing: holds expire at their instant, seen or not. It gives what
    happened then a place in the log, of which events tell.
    """

    hold_id: str


HoldFact = CreditHoldCreated | CreditHoldSettled | CreditHoldReleased
"""What becomes of a hold by what somebody does."""
