"""The clock: the only place that reads the time."""

import threading
from datetime import UTC, datetime, timedelta
from time import time_ns
from typing import Protocol

from ledger.errors import StoreDamagedError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """A source of the time."""

    def now(self) -> datetime:
        """Return the time, as an aware datetime in UTC."""


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the time, as an aware datetime in UTC."""
        return datetime.now(UTC)


def is_system_clock(clock: Clock) -> bool:
    """Whether a clock is this machine's; any other is an affair of who gives it."""
    return type(clock) is SystemClock


def system_time() -> int:
    """Return the time of this machine, microseconds since 1970 UTC."""
    return time_ns() // 1_000


def now_of(clock: Clock) -> int:
    """Return the time of a clock, microseconds since 1970 UTC."""
    # Every answer asks: no datetime is made to be counted.
    return system_time() if is_system_clock(clock) else microseconds(clock.now())


class FixedClock:
    """A time that stands still until it is moved, for tests and simulations."""

    def __init__(self, now: datetime) -> None:
        """Stop the clock at an aware datetime."""
        self._lock = threading.Lock()
        self.set(now)

    def now(self) -> datetime:
        """Return the time, as an aware datetime in UTC."""
        return self._now

    def set(self, now: datetime) -> None:
        """Move the clock to an aware datetime, forwards or backwards."""
        assert now.tzinfo is not None, "a clock's time is aware"
        self._now = now.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Move the clock by some time."""
        with self._lock:
            self.set(self._now + by)


def microseconds(instant: datetime) -> int:
    """Return the microseconds from 1970 UTC to an aware datetime."""
    return (instant - EPOCH) // MICROSECOND


def at_microseconds(count: int) -> datetime:
    """Return microseconds since 1970 as an aware datetime in UTC.

    Raises:
        StoreDamagedError: no calendar has that instant, so no store was given it.
    """
    try:
        return EPOCH + timedelta(microseconds=count)
    except OverflowError as error:
        reason = f"{count} microseconds from 1970 are beyond every calendar"
        raise StoreDamagedError("a time", reason) from error


def at_or_none(count: int | None) -> datetime | None:
    """Return the datetime of an instant that there may not be."""
    return None if count is None else at_microseconds(count)
