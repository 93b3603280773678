"""Test clocks as callers get them back: frozen, with Stripe's field names.

Source: https://docs.stripe.com/api/test_clocks/object
"""

from datetime import datetime
from typing import ClassVar, Literal

from metering.bodies import ResourceObject


class TestClockAdvancingTo(ResourceObject, frozen=True, kw_only=True):
    """Where a test clock is being advanced to."""

    target_frozen_time: datetime


class TestClockStatusDetails(ResourceObject, frozen=True, kw_only=True):
    """What there is to say of a status."""

    absent_where_none: ClassVar = frozenset({"advancing"})

    advancing: TestClockAdvancingTo | None = None


class TestClock(ResourceObject, frozen=True, kw_only=True):
    """A time that stands still until it is advanced, by which some customers live.

    Attributes:
        created: by the log's time.
        deletes_after: when it and its customers are deleted, by the log's time.
        frozen_time: what it shows.
        status: while it is advancing, what falls due is recorded and its customers
            cannot be changed.
    """

    id: str
    object: Literal["test_helpers.test_clock"] = "test_helpers.test_clock"
    created: datetime
    deletes_after: datetime
    frozen_time: datetime
    livemode: bool
    name: str | None
    status: Literal["ready", "advancing", "internal_failure"]
    status_details: TestClockStatusDetails
