"""Requests to explain usage."""

import msgspec

from metering.arguments.strings import CustomerId, Name
from metering.arguments.times import Time


class ExplainUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage is explained.

    Attributes:
        meter: id or event name.
        customer: whose usage.
        start_time: inclusive.
        end_time: exclusive.
        as_of: as known at this position of the log, or at this time; now if left out.
    """

    meter: Name
    customer: CustomerId
    start_time: Time
    end_time: Time
    as_of: Time | None = None
