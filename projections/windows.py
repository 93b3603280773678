"""Windows of UTC time, in whole numbers: microseconds and hours since 1970.

Windows are half-open, ``[start, end)``. Nothing here knows of datetimes or time zones.
"""

from ledger.facts.meters import EventTimeWindow

HOUR = 3_600_000_000
DAY = 24 * HOUR

# In the year 2209, where recorded time ends: hours are kept in 21 bits.
END = (1 << 21) * HOUR

LENGTHS = {EventTimeWindow.HOUR: HOUR, EventTimeWindow.DAY: DAY}


def recorded_span(start: int, end: int) -> tuple[int, int]:
    """Return the part of ``[start, end)`` in which something can be recorded.

    That is not before 1970, and not after what a key can hold. Nothing lies in bounds
    that are not ascending.
    """
    return max(start, 0), min(end, END)


def floor_to(instant: int, length: int) -> int:
    """Return the start of the window of a length that holds an instant."""
    return instant - instant % length


def ceil_to(instant: int, length: int) -> int:
    """Return the start of the first window of a length at or after an instant."""
    return floor_to(instant + length - 1, length)
