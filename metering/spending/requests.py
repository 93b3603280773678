"""Requests about usage that is to be covered by credits."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from metering.arguments.strings import CustomerId, Id, Name
from metering.arguments.times import Time
from metering.usage.requests import PayloadParams

QUANTITY_MAX = 999_999_999_999_999_999
"""As of a value that is recorded."""

SpentQuantity = Annotated[Decimal, Meta(ge=0, le=QUANTITY_MAX)]


class UsageCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Usage that may be covered.

    Attributes:
        customer: whose usage.
        meter: id or event name of the meter that would measure it.
        quantity: how much it would measure, above 0.
        price: by which it is rated where no subscription of the customer bills it.
    """

    customer: CustomerId
    meter: Id
    quantity: SpentQuantity
    price: Id | None = None


class UsageSpend(msgspec.Struct, frozen=True, kw_only=True):
    """Usage that is recorded where it is covered.

    Attributes:
        customer: whose usage.
        meter: id or event name of the meter that measures it.
        quantity: how much it measures, above 0.
        identifier: of the event, unique for its event name; repeated, it answers the
            same.
        timestamp: when it happened; now if left out.
        payload: other keys and values of the event.
    """

    customer: CustomerId
    meter: Id
    quantity: SpentQuantity
    identifier: Name
    timestamp: Time | None = None
    payload: PayloadParams | None = None
