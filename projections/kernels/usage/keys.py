"""Keys of usage cells: one 64-bit number for a meter, a customer and an hour.

From the highest bit, a key holds whether the meter is pre-aggregated, the meter's code,
the customer's code, and the hour since 1970. Cells sorted by key lie series by series,
hour by hour.
"""

from collections.abc import Sequence

import numpy as np

HOUR_BITS = 21
CUSTOMER_BITS = 27
METER_BITS = 15
WINDOWED = np.uint64(1 << 63)
HOURS = np.uint64((1 << HOUR_BITS) - 1)
CUSTOMERS = np.uint64(((1 << CUSTOMER_BITS) - 1) << HOUR_BITS)

_LARGE_GROUP = 16


def meter_keys(
    codes: Sequence[int] | np.ndarray, is_windowed: Sequence[bool]
) -> np.ndarray:
    """Return the part of a key for each of some meters."""
    keys = np.asarray(codes, np.uint64)
    assert not (keys >> np.uint64(METER_BITS)).any(), "too many meters"
    keys = keys << np.uint64(CUSTOMER_BITS + HOUR_BITS)
    with_windows: np.ndarray = keys | np.where(is_windowed, WINDOWED, np.uint64(0))
    return with_windows


def customer_keys(codes: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the part of a key for each of some customers."""
    keys = np.asarray(codes, np.uint64)
    assert not (keys >> np.uint64(CUSTOMER_BITS)).any(), "too many customers"
    shifted: np.ndarray = keys << np.uint64(HOUR_BITS)
    return shifted


def series_key(meter: int, customer: int, *, is_windowed: bool) -> int:
    """Return the key of hour 0 of a series; add an hour to get its key."""
    # Called for one key at a time: plain numbers are faster than arrays.
    codes = meter << CUSTOMER_BITS | customer
    return is_windowed << 63 | codes << HOUR_BITS


def recode(keys: np.ndarray, meters: np.ndarray, customers: np.ndarray) -> np.ndarray:
    """Return keys (uint64) with other codes.

    Args:
        keys: any keys.
        meters: the new code of each meter, by its old code.
        customers: the new code of each customer, by its old code.
    """
    recoded: np.ndarray = keys & (WINDOWED | HOURS)
    recoded |= meter_keys(meters, [False])[meters_of(keys)]
    recoded |= customer_keys(customers)[customers_of(keys)]
    return recoded


def meters_of(keys: np.ndarray) -> np.ndarray:
    """Return the codes of meters (int64) in keys."""
    codes = keys >> np.uint64(CUSTOMER_BITS + HOUR_BITS)
    return (codes & np.uint64((1 << METER_BITS) - 1)).astype(np.int64)


def customers_of(keys: np.ndarray) -> np.ndarray:
    """Return the codes of customers (int64) in keys."""
    codes = keys >> np.uint64(HOUR_BITS)
    return (codes & np.uint64((1 << CUSTOMER_BITS) - 1)).astype(np.int64)


def rows_of_meter(keys: np.ndarray, meter: int, *, is_windowed: bool) -> slice:
    """Return the rows of all series of one meter.

    Args:
        keys: uint64, ascending.
        meter: code of the meter.
        is_windowed: whether it is pre-aggregated.
    """
    first = series_key(meter, 0, is_windowed=is_windowed)
    last = first + (1 << CUSTOMER_BITS + HOUR_BITS) - 1
    low = int(keys.searchsorted(np.uint64(first)))
    return slice(low, int(keys.searchsorted(np.uint64(last), side="right")))


def rows_of_many(
    keys: np.ndarray,
    meter: int,
    customers: np.ndarray,
    hours: np.ndarray,
    *,
    is_windowed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of many series of one meter.

    Args:
        keys: uint64, ascending.
        meter: code of the meter.
        customers: int64, the code of each series' customer, -1 for none.
        hours: int64, two by series: the first hour, and the one after the last.
        is_windowed: whether the meter is pre-aggregated.

    Returns:
        The rows, series by series, and the index of each row's series (uint64).
    """
    known = np.flatnonzero(customers >= 0)
    first, end = hours[:, known].astype(np.uint64)
    begins = customer_keys(customers[known])
    begins |= np.uint64(series_key(meter, 0, is_windowed=is_windowed))
    starts = np.searchsorted(keys, begins + first)
    counts = np.searchsorted(keys, begins + end) - starts
    rows = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    rows += np.arange(len(rows))
    return rows, np.repeat(known, counts).astype(np.uint64)


def groups(
    keys: Sequence[np.ndarray],
) -> tuple[np.ndarray, np.ndarray | slice, np.ndarray]:
    """Sort keys, and group equal ones.

    Args:
        keys: parts of one column of keys.

    Returns:
        The keys, ascending; the stable order that sorts what belongs to them; and where
        each group of equal keys starts.
    """
    key = np.concatenate(keys) if len(keys) > 1 else keys[0]
    order: np.ndarray | slice = slice(None)
    if (key[1:] < key[:-1]).any():
        # A stable sort merges parts that are sorted already.
        order = np.argsort(key, kind="stable")
        key = key[order]
    is_first = np.empty(len(key), bool)
    is_first[:1] = True
    np.not_equal(key[1:], key[:-1], out=is_first[1:])
    return key, order, np.flatnonzero(is_first)


def added(column: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Add up each group of neighbours in a column (int64) whose sums have 64 bits.

    To begin a group takes `np.add.reduceat` as long as to add ten numbers. Small groups
    are differences of a running sum: it wraps around, and they come out right.

    Args:
        column: any numbers.
        starts: where each group starts, see `groups`.
    """
    if len(starts) * _LARGE_GROUP < len(column):
        large: np.ndarray = np.add.reduceat(column, starts)
        return large
    running = np.cumsum(column)
    reached = running.take(np.append(starts[1:], len(column)) - 1)
    sums: np.ndarray = np.diff(reached, prepend=0)
    return sums


def signs_of(count: int, are_restored: np.ndarray | None) -> np.ndarray:
    """Return -1 for each cancelled event, and 1 for one that is restored (int64)."""
    signs = np.full(count, -1)
    if are_restored is not None:
        signs[are_restored] = 1
    return signs
