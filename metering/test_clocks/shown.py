"""Test clocks as resources."""

from metering.arguments.clock import at_microseconds
from metering.test_clocks.resources import (
    TestClock,
    TestClockAdvancingTo,
    TestClockStatusDetails,
)
from projections.kernels.test_clocks import ClockDefinition


def clock_resource(clock: ClockDefinition, *, livemode: bool) -> TestClock:
    """Return a test clock as a resource."""
    advancing = None
    if clock.target is not None:
        target = at_microseconds(clock.target)
        advancing = TestClockAdvancingTo(target_frozen_time=target)
    return TestClock(
        id=clock.test_clock_id,
        created=at_microseconds(clock.created),
        deletes_after=at_microseconds(clock.deletes_after),
        frozen_time=at_microseconds(clock.frozen_time),
        livemode=livemode,
        name=clock.name,
        status=clock.status.value,
        status_details=TestClockStatusDetails(advancing=advancing),
    )
