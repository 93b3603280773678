"""Requests about statements."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from metering.arguments.pages import PageRequest
from metering.arguments.strings import CustomerId, Id, OthersId
from metering.arguments.times import Time

PRICES_MAX = 1_000
"""Of one statement."""

StatedPrices = Annotated[Sequence[Id], Meta(min_length=1, max_length=PRICES_MAX)]
StatementStatusName = Literal["finalized", "void"]


class StatementPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is made of.

    Attributes:
        customer: whose usage.
        prices: ids of metered prices of one currency, a line each, in this order.
        start_time: the period begins then.
        end_time: it ends before then.
        at: the instant that the statement is made for; usage counts that lies before
            it. Needed where the period has not ended.
    """

    customer: CustomerId
    prices: StatedPrices
    start_time: Time
    end_time: Time
    at: Time | None = None


class StatementFinalize(StatementPreview, frozen=True, kw_only=True):
    """What a statement is made of for good.

    Attributes:
        id: of the statement, of your own; repeated, it answers the same.
    """

    id: OthersId


class StatementList(PageRequest, frozen=True, kw_only=True):
    """Which statements are listed.

    Attributes:
        customer: only those of this customer.
        start_time: only those whose period begins then or later.
        end_time: only those whose period ends then or earlier.
        status: only those that stand, or that are void.
    """

    customer: CustomerId | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    status: StatementStatusName | None = None
