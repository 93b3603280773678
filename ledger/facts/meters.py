"""Facts about meters: what is measured, and how its events become a number.

Source of the words: https://docs.stripe.com/api/billing/meter
"""

import enum

import msgspec


class Formula(enum.Enum):
    """How the values of a window become one number.

    The first three are Stripe's. A unique count is of the strings that a payload key has,
    and not of numbers; an average is rounded to the last fraction digit of a quantity.
    """

    SUM = "sum"
    COUNT = "count"
    LAST = "last"
    MIN = "min"
    MAX = "max"
    AVG = "avg"
    UNIQUE_COUNT = "unique_count"


class EventTimeWindow(enum.Enum):
    """The UTC window in which only the last recorded event of a customer counts."""

    HOUR = "hour"
    DAY = "day"


class MeterStatus(enum.Enum):
    """Whether a meter takes new events."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class MeterCreated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="meter.created"
):
    """A meter began to exist, active, and owns its event name for ever."""

    meter_id: str
    event_name: str
    display_name: str
    formula: Formula
    customer_payload_key: str
    value_payload_key: str
    event_time_window: EventTimeWindow | None


class MeterUpdated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="meter.updated"
):
    """A meter was given another display name."""

    meter_id: str
    display_name: str


class MeterDeactivated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="meter.deactivated"
):
    """A meter stopped taking events."""

    meter_id: str


class MeterReactivated(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="fact", tag="meter.reactivated"
):
    """A meter takes events again."""

    meter_id: str


MeterFact = MeterCreated | MeterUpdated | MeterDeactivated | MeterReactivated
"""A fact about a meter: events are checked against what these add up to."""
