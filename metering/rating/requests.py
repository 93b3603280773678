"""What usage is rated by."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from metering.arguments.currencies import Currency
from metering.arguments.strings import Id


class RatingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What usage is rated by.

    Attributes:
        prices: ids of prices; those that the usage names, if left out.
        currency: ISO 4217 code; each price's own, if left out.
    """

    prices: Annotated[Sequence[Id], Meta(min_length=1)] | None = None
    currency: Currency | None = None
