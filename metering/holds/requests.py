"""Requests about holds."""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from metering.arguments.metadata import Metadata
from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Id, Name, OthersId
from metering.arguments.times import Time
from metering.credits.requests import AMOUNT_MAX, CreditAmountParams
from metering.spending.requests import SpentQuantity

OverageName = Literal["refuse", "draw"]
"""What becomes of a settlement of more than is held."""
HoldStatusName = Literal["open", "settled", "released", "expired"]

SETTLEMENTS_MAX = 10_000
"""Of one request over HTTP."""

SettledAmount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]


class CreditHoldCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What credits are held with.

    Attributes:
        id: of the hold, of your own; used once.
        customer: whose credits.
        amount: how much to hold.
        meter: id or event name of the meter of usage that is given in place of the
            amount.
        quantity: of that usage, above 0; it is rated as a check rates it.
        price: only credits usable for this price; if left out, only those for every
            metered price. Of usage, the price that rates it where no subscription does.
        expires_at: what is left then goes back, at most 30 days ahead; in 7 days if
            left out.
        partial: whether to hold what there is, where it is less, perhaps nothing.
        metadata: pairs of your own.
    """

    id: Name
    customer: CustomerId
    amount: CreditAmountParams | None = None
    meter: Id | None = None
    quantity: SpentQuantity | None = None
    price: OthersId | None = None
    expires_at: Time | None = None
    partial: bool = False
    metadata: Metadata | UnsetType | None = UNSET


class CreditHoldSettle(msgspec.Struct, frozen=True, kw_only=True):
    """What a hold is settled with.

    Attributes:
        amount: in minor units of the hold's currency; all that is held if left out.
        quantity: of usage, in place of the amount, where the hold was given in usage.
        final: whether the hold ends and the rest goes back; if not, it stays held for
            more settlements.
        overage: whether more than is held is refused, or draws free credits too.
        settlement: id of the settlement, unique in its hold; needed where it is not
            final.
    """

    amount: SettledAmount | None = None
    quantity: SpentQuantity | None = None
    final: bool = True
    overage: OverageName = "refuse"
    settlement: Name | None = None


class HoldSettlementParams(TypedDict):
    """A settlement of a hold among many; see `CreditHoldSettle`.

    Attributes:
        hold: id of the hold.
        amount: in minor units of the hold's currency; all that is held if left out.
        settlement: id of the settlement, unique in its hold; needed where it is not
            final.
        final: whether the hold ends and the rest goes back; it does if left out.
    """

    hold: Name
    amount: NotRequired[SettledAmount | None]
    settlement: NotRequired[Name | None]
    final: NotRequired[bool | None]


class CreditHoldsSettle(msgspec.Struct, frozen=True, kw_only=True):
    """Which holds are settled.

    Attributes:
        settlements: one after the other; one that breaks a rule fails no other.
    """

    settlements: Annotated[
        Sequence[HoldSettlementParams], Meta(min_length=1, max_length=SETTLEMENTS_MAX)
    ]


class CreditHoldList(PageRequest, frozen=True, kw_only=True):
    """Which holds are listed.

    Attributes:
        customer: only those of this customer.
        status: only those in this state.
    """

    customer: CustomerId | None = None
    status: HoldStatusName | None = None
