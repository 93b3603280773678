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
        customer: whose usage; needed with prices.
        prices: ids of metered prices of one currency, a line each, in this order.
        subscription: id of the subscription whose items are stated, in place of prices.
        start_time: the period begins then; needed with prices.
        end_time: it ends before then; needed with prices.
        at: the instant that the statement is made for; usage counts that lies before
            it. Needed where the period has not ended.
    """

    customer: CustomerId | None = None
    prices: StatedPrices | None = None
    subscription: Id | None = None
    start_time: Time | None = None
    end_time: Time | None = None
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
        subscription: only those of this subscription.
        start_time: only those whose period begins then or later.
        end_time: only those whose period ends then or earlier.
        status: only those that stand, or that are void.
    """

    customer: CustomerId | None = None
    subscription: OthersId | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    status: StatementStatusName | None = None


class StatementRun(msgspec.Struct, frozen=True, kw_only=True):
    """Which periods a billing run states.

    Attributes:
        period_end: the last instant at which they end.
        customers: only those of their subscriptions.
        since: only those that end after this instant.
    """

    period_end: Time
    customers: Sequence[CustomerId] | None = None
    since: Time | None = None
