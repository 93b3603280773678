"""Requests about meter events, and the object that callers pass in them.

An event is judged by `metering.usage.event_rules`, also in bulk; these are its limits as
a request of its own.
Source: https://docs.stripe.com/api/billing/meter-event/create
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypedDict

import msgspec
from msgspec import Meta

from metering.arguments.strings import LONGEST_NAME, LONGEST_TEXT, CustomerId, Name
from metering.arguments.times import Time

PAYLOAD_KEYS_MAX = 500
POSITION_MAX = 10**18 - 1
"""Of the log, as far as it is asked for."""
EVENTS_MAX = 1_000
"""Of a page of events, over HTTP."""

PayloadParams = Annotated[
    Mapping[
        Annotated[str, Meta(max_length=LONGEST_NAME)],
        Annotated[str, Meta(max_length=LONGEST_TEXT)],
    ],
    Meta(max_length=PAYLOAD_KEYS_MAX),
]


LogPosition = Annotated[int, Meta(ge=0, le=POSITION_MAX)]


class CancelParams(TypedDict):
    """Which event an adjustment cancels.

    Attributes:
        identifier: of the event.
    """

    identifier: Name


class MeterEventCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A meter event to be recorded.

    Attributes:
        event_name: of the meter that measures it.
        identifier: unique for the event name; made up if left out.
        payload: the customer, the value and dimensions, under the keys of the meter.
        timestamp: when it happened; now if left out.
    """

    event_name: Name
    identifier: Name | None = None
    payload: PayloadParams
    timestamp: Time | None = None


class MeterEventAdjustmentCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A meter event to be cancelled.

    Attributes:
        event_name: of the event.
        cancel: which event.
    """

    event_name: Name
    type: Literal["cancel"]
    cancel: CancelParams | None = None


class MeterEventList(msgspec.Struct, frozen=True, kw_only=True):
    """Which meter events are listed, in the order of the log.

    Attributes:
        event_name: only those of this name.
        customer: only those of this customer.
        start_time: only those at this time or later.
        end_time: only those before this time.
        starting_after: position behind which to begin.
        limit: how many.
    """

    event_name: Name | None = None
    customer: CustomerId | None = None
    start_time: Time | None = None
    end_time: Time | None = None
    starting_after: LogPosition | None = None
    limit: Annotated[int, Meta(ge=1, le=EVENTS_MAX)] | None = None
