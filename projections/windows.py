"""Windows of UTC time, in whole numbers: microseconds and hours since 1970.

Windows are half-open, ``[start, end)``. Nothing here knows of datetimes or time zones.
"""

from ledger.facts.meters import EventTimeWindow

HOUR = 3_600_000_000
DAY = 24 * HOUR

# From here on, in the year 2209, nothing is recorded: hours are kept in 21 bits.
END = (1 << 21) * HOUR

LENGTHS = {EventTimeWindow.HOUR: HOUR, EventTimeWindow.DAY: DAY}


def floor_to(instant: int, length: int) -> int:
    """Start of the window of a length that holds an instant."""
    return instant - instant % length


def ceil_to(instant: int, length: int) -> int:
    """Start of the first window of a length that does not begin before an instant."""
    return floor_to(instant + length - 1, length)
