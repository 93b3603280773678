"""Own what the tests of kernels and tail draw: entries of usage, and plain sums of them.

The model adds up with Python's own numbers in dicts, one entry after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from ledger.usage.quantities import QUANTITY
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.totals import Totals
from tests.ledger.usage_rows import decimal_of, units

PLAIN_KEYS = [0, 1, 2, (1 << 63) - 1]
WINDOWED_KEYS = [1 << 63, (1 << 63) + 1, (1 << 64) - 1]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An event, or the cancellation of one; without a value it counts as 0."""

    key: int
    units: int | None
    timestamp: int
    position: int
    is_cancellation: bool = False


def entries(size_max: int = 20) -> st.SearchStrategy[list[Entry]]:
    """Events at different positions, and cancellations of some of them."""
    drawn = st.lists(
        st.tuples(
            st.sampled_from(PLAIN_KEYS + WINDOWED_KEYS),
            st.none() | units(),
            st.integers(0, 3) | st.integers(0, 2**53),
            st.booleans(),
        ),
        max_size=size_max,
    )
    return drawn.map(_with_positions)


def _with_positions(
    drawn: list[tuple[int, int | None, int, bool]],
) -> list[Entry]:
    made = []
    for position, (key, count, timestamp, is_cancelled) in enumerate(drawn, 1):
        event = Entry(key=key, units=count, timestamp=timestamp, position=position)
        made.append(event)
        if is_cancelled:
            cancellation = Entry(
                key=key, units=count, timestamp=0, position=0, is_cancellation=True
            )
            made.append(cancellation)
    return made


def decimals(counts: Iterable[int | None]) -> pa.Array:
    """A column of quantities, of counts of 10**-12."""
    return pa.array(
        [None if each is None else decimal_of(each) for each in counts], QUANTITY
    )


def units_of(value: Decimal | None) -> int:
    """Count the 10**-12 of a decimal with 12 fraction digits; without one, 0."""
    if value is None:
        return 0
    sign, digits, exponent = value.as_tuple()
    assert exponent == -12
    count = int("".join(map(str, digits)))
    return -count if sign else count


def totals_of(made: Sequence[Entry]) -> Totals:
    """Fold entries as a batch of events and one of cancellations would be."""
    events, cancellations = _split(made)
    return Totals.combine(
        [
            Totals.of_events(_keys(events), decimals(each.units for each in events)),
            Totals.of_cancellations(
                _keys(cancellations), decimals(each.units for each in cancellations)
            ),
        ]
    )


def lasts_of(made: Sequence[Entry]) -> Lasts:
    """Fold entries as a batch of events and one of cancellations would be."""
    events, cancellations = _split(made)
    return Lasts.combine(
        [
            Lasts.of_events(
                _keys(events),
                np.array([each.timestamp for each in events], np.int64),
                np.array([each.position for each in events], np.int64),
                decimals(each.units for each in events),
            ),
            Lasts.of_cancellations(_keys(cancellations)),
        ]
    )


def expected_totals(made: Iterable[Entry]) -> dict[int, tuple[int, int]]:
    """Count and sum of each key."""
    found: dict[int, tuple[int, int]] = {}
    for each in made:
        sign = -1 if each.is_cancellation else 1
        count, total = found.get(each.key, (0, 0))
        found[each.key] = count + sign, total + sign * (each.units or 0)
    return dict(sorted(found.items()))


def expected_lasts(made: Iterable[Entry]) -> dict[int, tuple[int, int, int, int]]:
    """Count of each key, and timestamp, position and units of its last event."""
    counts: dict[int, int] = {}
    latest: dict[int, tuple[int, int, int]] = {}
    for each in made:
        counts[each.key] = counts.get(each.key, 0) + (-1 if each.is_cancellation else 1)
        if each.is_cancellation:
            continue
        timestamp, position, _ = latest.get(each.key, (-1, 0, 0))
        is_windowed = each.key >= 1 << 63
        newer = (each.timestamp, each.position) > (timestamp, position)
        if each.position > position if is_windowed else newer:
            latest[each.key] = each.timestamp, each.position, each.units or 0
    return {key: (counts[key], *latest.get(key, (0, 0, 0))) for key in sorted(counts)}


def contents_of_totals(totals: Totals) -> dict[int, tuple[int, int]]:
    return {
        key: (count, totals.sum_units(at))
        for at, (key, count) in enumerate(
            zip(totals.key.tolist(), totals.count.tolist(), strict=True)
        )
    }


def contents_of_lasts(lasts: Lasts) -> dict[int, tuple[int, int, int, int]]:
    return {
        key: (
            int(lasts.count[at]),
            int(lasts.timestamp[at]),
            int(lasts.position[at]),
            lasts.value_units(at),
        )
        for at, key in enumerate(lasts.key.tolist())
    }


def _split(made: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    events = [each for each in made if not each.is_cancellation]
    return events, [each for each in made if each.is_cancellation]


def _keys(made: Sequence[Entry]) -> np.ndarray:
    return np.array([each.key for each in made], np.uint64)
