"""Facts about adjustments: an event that must no longer count, or counts again.

Source of the words: https://docs.stripe.com/api/billing/meter-event-adjustment
"""

from decimal import Decimal

import msgspec


class MeterEventCancelled(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="meter_event.cancelled",
):
    """The event at a position no longer counts.

    The fact repeats the event's coordinates, so that a projection can take the event
    out of its totals without reading it again: `timestamp` in microseconds since 1970
    UTC, `value` with 12 fraction digits, or None where the meter needs no value.
    """

    event_position: int
    event_name: str
    identifier: str
    customer: str
    timestamp: int
    value: Decimal | None


class MeterEventRestored(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="fact",
    tag="meter_event.restored",
):
    """The event at a position was cancelled, and counts again, in its old place.

    It has the coordinates of its cancellation.
    """

    event_position: int
    event_name: str
    identifier: str
    customer: str
    timestamp: int
    value: Decimal | None


AdjustmentFact = MeterEventCancelled | MeterEventRestored
ADJUSTMENTS = (MeterEventCancelled, MeterEventRestored)


def signed_position(position: int, fact: AdjustmentFact) -> int:
    """Return the position of an adjustment, negative where its event counts again."""
    return -position if isinstance(fact, MeterEventRestored) else position
