"""Own when billing periods begin, by walking through the calendar."""

from collections.abc import Iterator
from datetime import datetime, timedelta


def starts(anchor: datetime, interval: str, count: int) -> Iterator[datetime]:
    """Yield the anchor and each start of a period after it."""
    if interval in {"day", "week"}:
        step = timedelta(days=count if interval == "day" else 7 * count)
        reached = anchor
        while True:
            yield reached
            reached += step
    year, month, passed = anchor.year, anchor.month, 0
    while True:
        if passed % (count if interval == "month" else 12 * count) == 0:
            yield _in_month(anchor, year, month)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        passed += 1


def period(
    anchor: datetime, interval: str, count: int, instant: datetime
) -> tuple[datetime, datetime]:
    """Return the period that holds an instant, which is not before the anchor."""
    before = anchor
    for start in starts(anchor, interval, count):
        if start > instant:
            return before, start
        before = start
    raise AssertionError("periods go on for ever")


def _in_month(anchor: datetime, year: int, month: int) -> datetime:
    """Return the anchor's day of a month, or the last day there is before it."""
    for day in range(anchor.day, 0, -1):
        try:
            return anchor.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    raise AssertionError("a month has a first day")
