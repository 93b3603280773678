"""Requests to explain usage."""

from typing import Annotated

import msgspec
from msgspec import Meta

from metering.arguments.strings import CustomerId, Name
from metering.arguments.times import Time

BESIDE_SECONDS_MAX = 366 * 24 * 3600


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


class ListNotCounted(ExplainUsage, frozen=True, kw_only=True):
    """Which events are listed that do not count.

    Attributes:
        beside: how far beyond the bounds events are looked for, in whole seconds; an
            hour if left out.
    """

    beside: Annotated[int, Meta(ge=1, le=BESIDE_SECONDS_MAX)] | None = None


class ListLate(ExplainUsage, frozen=True, kw_only=True):
    """Which entries are listed that came late.

    Attributes:
        since: recorded after this position of the log, or after this time.
    """

    since: Time
