"""Billing periods begin where the calendar says, against a walk through it.

The rules are those of https://docs.stripe.com/billing/subscriptions/billing-cycle.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.facts.prices import BillingInterval
from projections.kernels.periods import Cycle, Period, Repetition
from tests.oracles import periods as oracle

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LEAP_DAY = datetime(2024, 2, 29, 13, 30, tzinfo=UTC)
TIMES = st.datetimes(
    datetime(2019, 12, 27),  # noqa: DTZ001  # Hypothesis adds the zone
    datetime(2029, 1, 2),  # noqa: DTZ001  # Hypothesis adds the zone
    timezones=st.just(UTC),
).map(lambda time: time.replace(microsecond=0))
MONTH_ENDS = st.tuples(
    st.sampled_from([2023, 2024, 2025]), st.integers(1, 12), st.integers(0, 3)
).map(
    lambda drawn: (
        datetime(drawn[0], drawn[1], 28, 23, 59, 59, tzinfo=UTC)
        + timedelta(days=drawn[2])
    )
)
MOST = {"day": 1_095, "week": 156, "month": 36, "year": 3}


def micros(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def time_of(micros_: int) -> datetime:
    return EPOCH + micros_ * MICROSECOND


def repeated(anchor: datetime, interval: str, count: int = 1) -> Repetition:
    return Repetition(micros(anchor), BillingInterval(interval), count)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[str, int]:
    interval = draw(st.sampled_from(sorted(MOST)))
    return interval, draw(st.integers(1, MOST[interval]))


def test_the_day_is_clamped_to_the_month_and_comes_back() -> None:
    monthly = repeated(datetime(2026, 1, 31, 8, tzinfo=UTC), "month")

    found = [f"{time_of(monthly.at(number)):%m-%d %H}" for number in range(5)]

    assert found == ["01-31 08", "02-28 08", "03-31 08", "04-30 08", "05-31 08"]


def test_a_year_from_a_leap_day_ends_on_the_last_of_february() -> None:
    yearly = repeated(LEAP_DAY, "year")

    found = [f"{time_of(yearly.at(number)):%Y-%m-%d}" for number in range(5)]

    assert found == [
        "2024-02-29",
        "2025-02-28",
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
    ]


@given(
    anchor=st.one_of(TIMES, MONTH_ENDS),
    terms=intervals(),
    after=st.integers(0, 5 * 366 * 86_400),
)
@example(anchor=LEAP_DAY, terms=("year", 1), after=2 * 365 * 86_400)
@example(anchor=LEAP_DAY, terms=("month", 1), after=0)
def test_the_period_of_an_instant_is_that_of_the_calendar(
    anchor: datetime, terms: tuple[str, int], after: int
) -> None:
    instant = anchor + timedelta(seconds=after)
    cycle = Cycle(micros(anchor), None, repeated(anchor, *terms))

    for asked in (instant, instant - MICROSECOND):
        if asked >= anchor:
            start, end = oracle.period(anchor, *terms, asked)
            assert cycle.period_at(micros(asked)) == (micros(start), micros(end))


@given(
    start=TIMES,
    stub=st.integers(0, 40 * 86_400),
    days=st.integers(1, 800),
    terms=intervals(),
    cut=st.integers(0, 900),
)
def test_periods_fill_their_time_and_none_is_told_twice(
    start: datetime, stub: int, days: int, terms: tuple[str, int], cut: int
) -> None:
    anchor, end = start + timedelta(seconds=stub), start + timedelta(days=days)
    cycle = Cycle(micros(start), micros(end), repeated(anchor, *terms))
    middle = micros(start + timedelta(days=cut))

    all_of_it = list(cycle.periods_ended(0, 2**62))

    assert all_of_it[0].start == cycle.start
    assert all_of_it[-1].end == cycle.end
    assert all(one.end == other.start for one, other in pairwise(all_of_it))
    assert [
        *cycle.periods_ended(0, middle),
        *cycle.periods_ended(middle, 2**62),
    ] == all_of_it
    begun = [period for period in all_of_it if period.start <= middle]
    assert [*cycle.periods_begun(middle)] == begun
    for period in all_of_it:
        assert cycle.period_at(period.start) == period
        assert cycle.period_at(period.end - 1) == period


def test_the_time_before_the_anchor_is_one_period() -> None:
    anchor = datetime(2026, 3, 1, tzinfo=UTC)
    start = micros(datetime(2026, 1, 10, tzinfo=UTC))
    cycle = Cycle(start, None, repeated(anchor, "month"))

    assert cycle.period_at(start) == Period(start, micros(anchor))
    assert cycle.period_at(micros(anchor)).start == micros(anchor)


@pytest.mark.parametrize(("interval", "days"), [("day", 3), ("week", 21)])
def test_days_and_weeks_are_so_many_seconds(interval: str, days: int) -> None:
    anchor = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    cycle = Cycle(micros(anchor), None, repeated(anchor, interval, 3))

    period = cycle.period_at(micros(anchor))

    assert period.end - period.start == days * 86_400 * 10**6
