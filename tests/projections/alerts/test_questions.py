"""Billing periods of alerts on spend, as windows, beside a walk through the calendar."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ledger.facts.alerts import SubscribedPeriods
from ledger.facts.prices import BillingInterval
from projections.alerts.questions import billing_periods, window_finder
from tests.oracles.periods import period

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ANCHOR = datetime(2026, 1, 31, 10, 30, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // MICROSECOND


@given(
    interval=st.sampled_from(BillingInterval),
    count=st.integers(1, 3),
    ahead=st.integers(0, 40),
    after=st.lists(st.integers(-50, 900).map(float), min_size=1, max_size=4),
)
def test_an_event_lies_in_the_billing_period_that_the_calendar_says(
    interval: BillingInterval, count: int, ahead: int, after: list[float]
) -> None:
    since = ANCHOR - timedelta(days=ahead)
    subscribed = SubscribedPeriods(
        subscription_id="sub_1",
        since=microseconds(since),
        anchor=microseconds(ANCHOR),
        interval=interval,
        interval_count=count,
    )
    instants = [since + timedelta(days=days) for days in after]
    bounds = (microseconds(min(instants)), microseconds(max(instants)))

    windows = billing_periods(subscribed, *bounds)

    start_of = window_finder(windows)
    for instant in instants:
        start = start_of(microseconds(instant))
        assert start is not None
        if instant < since:
            assert start < subscribed.since
        elif instant < ANCHOR:
            # The time before the anchor is one period.
            assert start == subscribed.since
        else:
            begun, _ = period(ANCHOR, interval.value, count, instant)
            assert start == microseconds(begun)
