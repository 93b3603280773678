"""Windows of UTC time, against the calendar of the standard library."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from ledger.facts.meters import EventTimeWindow
from projections.kernels.usage.keys import HOUR_BITS
from projections.windows import DAY, END, HOUR, LENGTHS, ceil_to, floor_to

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANTS = st.integers(0, END - 1)
SIZES = st.sampled_from([HOUR, DAY])


def moment(instant: int) -> datetime:
    return EPOCH + instant * MICROSECOND


@given(INSTANTS)
@example(0)
@example(DAY - 1)
@example(DAY)
def test_the_window_of_an_instant_begins_where_its_hour_or_day_does(
    instant: int,
) -> None:
    hour = moment(instant).replace(minute=0, second=0, microsecond=0)

    assert moment(floor_to(instant, HOUR)) == hour
    assert moment(floor_to(instant, DAY)) == hour.replace(hour=0)


@given(INSTANTS, SIZES)
def test_an_instant_lies_between_its_floor_and_its_ceiling(
    instant: int, length: int
) -> None:
    low, high = floor_to(instant, length), ceil_to(instant, length)

    assert low <= instant <= high
    assert high - low == (0 if instant % length == 0 else length)
    assert low % length == high % length == 0


@given(INSTANTS, SIZES)
def test_bounds_of_windows_are_their_own_bounds(instant: int, length: int) -> None:
    low = floor_to(instant, length)

    assert floor_to(low, length) == ceil_to(low, length) == low
    assert floor_to(low + length - 1, length) == low
    assert ceil_to(low + 1, length) == low + length


def test_the_last_hour_that_has_a_key_is_the_last_that_is_recorded() -> None:
    assert END // HOUR == 1 << HOUR_BITS
    assert moment(END).year == 2209
    assert LENGTHS == {EventTimeWindow.HOUR: HOUR, EventTimeWindow.DAY: DAY}
