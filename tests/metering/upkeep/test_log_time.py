"""A clock that was a year ahead spoils the log's time, and a correction brings it back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import metering
from tests.conftest import Connect
from tests.metering.usual_credits import DAY, apply, balance, grant, told
from tests.metering.usual_usage import create_event, create_meter

# Beyond what this machine's clock may show, so that the right clock is the real time.
NOW = datetime(2090, 3, 1, 12, tzinfo=UTC)
YEAR = 365 * DAY
MINUTE = timedelta(minutes=1)


def clock(after: timedelta = timedelta(0)) -> metering.FixedClock:
    return metering.FixedClock(NOW + after)


def spoil(connect: Connect, by: timedelta = YEAR, **keywords: Any) -> None:
    """Record one event by a clock that is ahead."""
    wrong = connect(clock=clock(by))
    create_event(wrong, identifier="by-a-wrong-clock", **keywords)
    wrong.close()


def test_credits_that_a_wrong_clock_let_expire_are_available_again(
    connect: Connect,
) -> None:
    store = connect(clock=clock())
    create_meter(store)
    grant(store, 1_000, expires_at=NOW + 30 * DAY)
    spoil(connect)
    assert balance(store) == {"usd": (0, 0)}
    assert apply(store, "in_1", period_end=NOW) == []

    made = store.log_time.repair(NOW)

    assert (made.after, made.position, made.event_count) == (2, 5, 1)
    assert made.invoices == ("in_1",)
    assert balance(store) == {"usd": (1_000, 1_000)}
    assert told(apply(store, "in_1", period_end=NOW, replace=True)) == [
        ("credits_applied", -100)
    ]
    assert balance(store) == {"usd": (900, 900)}
    assert apply(store, "in_1", period_end=NOW, replace=True)
    assert store.position == 7
    assert store.verify().problems == ()
    store.rebuild()
    assert store.verify().problems == ()
    assert balance(store) == {"usd": (900, 900)}
