"""Requests about test clocks.

Source: https://docs.stripe.com/api/test_clocks/create and its neighbours.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from metering.arguments.pages import PageRequest
from metering.arguments.strings import Id
from metering.arguments.times import Time

ClockName = Annotated[str, Meta(min_length=1, max_length=300)]


class TestClockCreate(msgspec.Struct, frozen=True, kw_only=True):
    """What a test clock is created with.

    Attributes:
        frozen_time: at which it is stopped.
        name: for people.
        customer: who lives by it from now on, and for good; one that there is.
    """

    frozen_time: Time
    name: ClockName | None = None
    customer: Id | None = None


class TestClockAdvance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a test clock is advanced.

    Attributes:
        frozen_time: at which it is stopped again, later than it shows.
    """

    frozen_time: Time


class TestClockList(PageRequest, frozen=True, kw_only=True):
    """Which test clocks are listed."""
