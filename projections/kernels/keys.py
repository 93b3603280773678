"""Keys of usage cells: one 64-bit number for a meter, a customer and an hour.

From its highest bit, a key is: whether the meter is pre-aggregated, the meter's code,
the customer's code, and the hour since 1970. Cells sorted by key lie series by series,
and hour by hour within one.
"""

from collections.abc import Sequence

import numpy as np

HOUR_BITS = 21
CUSTOMER_BITS = 27
METER_BITS = 15
WINDOWED = np.uint64(1 << 63)
HOURS = np.uint64((1 << HOUR_BITS) - 1)


def meter_keys(codes: Sequence[int], is_windowed: Sequence[bool]) -> np.ndarray:
    """Make the part of a key that says which meter, for each of some meters."""
    assert not codes or max(codes) < 1 << METER_BITS, "too many meters in one tail"
    keys = np.array(codes, np.uint64) << np.uint64(CUSTOMER_BITS + HOUR_BITS)
    return keys | np.where(is_windowed, WINDOWED, np.uint64(0))


def customer_keys(codes: Sequence[int]) -> np.ndarray:
    """Make the part of a key that says which customer, for each of some customers."""
    assert not codes or max(codes) < 1 << CUSTOMER_BITS, (
        "too many customers in one tail"
    )
    return np.array(codes, np.uint64) << np.uint64(HOUR_BITS)


def groups(keys: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring equal keys together.

    Args:
        keys: parts of one column of keys.

    Returns:
        The keys in ascending order; for each where it was in the parts, one behind the
        other, first come first; and where each group of equal keys starts.
    """
    key = np.concatenate(keys) if len(keys) > 1 else keys[0]
    # Stable, so that parts which are sorted are merged and not sorted again.
    order = np.argsort(key, kind="stable")
    key = key[order]
    is_first = np.empty(len(key), bool)
    is_first[:1] = True
    np.not_equal(key[1:], key[:-1], out=is_first[1:])
    return key, order, np.flatnonzero(is_first)
