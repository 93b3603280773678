"""Folding: events become cells, the same way in the tail and in runs.

The key of an event is made of its meter, its customer and its hour; the event is added
to the cell with that key. A cancellation carries what it takes away, and has a key too.
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from ledger.facts.adjustments import AdjustmentFact, MeterEventRestored
from ledger.usage.columns import TIMESTAMP, WORD, numbers_of, timestamps_of
from ledger.usage.quantities import QUANTITY
from projections.kernels.usage.keys import customer_keys, meter_keys
from projections.kernels.usage.lasts import Lasts
from projections.kernels.usage.series import CellShape
from projections.kernels.usage.totals import Totals
from projections.windows import HOUR


class Coded(msgspec.Struct, frozen=True, kw_only=True):
    """Events or cancellations with the keys of their cells: columns of equal length.

    Attributes:
        key: uint64, of the cell.
        has_lasts: bool, whether it is a cell of lasts.
        timestamp: int64, microseconds since 1970 UTC.
        value: quantities, null where there is none.
    """

    key: np.ndarray
    has_lasts: np.ndarray
    timestamp: np.ndarray
    value: pa.Array

    @classmethod
    def of(
        cls,
        batch: pa.RecordBatch,
        shapes: Sequence[CellShape],
        meters: Sequence[int] | np.ndarray,
        customers: Sequence[int] | np.ndarray,
    ) -> "Coded":
        """Return rows with the keys of their cells.

        Args:
            batch: columns event_name, customer, timestamp and value of usage.
            shapes: of the cells of each event name in its dictionary.
            meters: the code of each event name in its dictionary.
            customers: the code of each customer in its dictionary.
        """
        names = numbers_of(batch.column("event_name").indices)
        timestamp = timestamps_of(batch)
        begins = timestamp
        if any(shape.length != HOUR for shape in shapes):
            lengths = np.array([shape.length for shape in shapes], np.int64)[names]
            begins = timestamp - timestamp % lengths
        key = (begins // HOUR).view(np.uint64)
        key |= meter_keys(meters, [shape.is_windowed for shape in shapes])[names]
        key |= customer_keys(customers)[numbers_of(batch.column("customer").indices)]
        has_lasts = np.array([shape.has_lasts for shape in shapes], bool)[names]
        return cls(
            key=key,
            has_lasts=has_lasts,
            timestamp=timestamp,
            value=batch.column("value"),
        )


def fold_events(
    coded: Coded, positions: Callable[[], np.ndarray]
) -> tuple[Totals, Lasts]:
    """Fold events into cells, sorted by key.

    Args:
        coded: the events.
        positions: returns their positions (int64), if they matter.
    """
    if not coded.has_lasts.any():
        return Totals.combine([Totals.of_events(coded.key, coded.value)]), Lasts.none()
    totals = Totals.of_events(*_picked(coded, ~coded.has_lasts))
    key, value = _picked(coded, coded.has_lasts)
    timestamp = coded.timestamp[coded.has_lasts]
    lasts = Lasts.of_events(key, timestamp, positions()[coded.has_lasts], value)
    return Totals.combine([totals]), Lasts.combine([lasts])


def fold_cancellations(coded: Coded, are_restored: np.ndarray) -> tuple[Totals, Lasts]:
    """Fold cancellations into cells, sorted by key; some restore their event (bool)."""
    has = coded.has_lasts
    totals = Totals.of_cancellations(*_picked(coded, ~has), are_restored[~has])
    lasts = Lasts.of_cancellations(coded.key[has], are_restored[has])
    return Totals.combine([totals]), Lasts.combine([lasts])


def cancellation_batch(facts: Sequence[AdjustmentFact]) -> pa.RecordBatch:
    """Return what cancellations take away, in the columns of events."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array([fact.event_name for fact in facts], WORD),
            pa.array([fact.customer for fact in facts], WORD),
            pa.array([fact.timestamp for fact in facts], pa.int64()).view(TIMESTAMP),
            pa.array([fact.value for fact in facts], QUANTITY),
        ],
        ["event_name", "customer", "timestamp", "value"],
    )


def restored_of(facts: Sequence[AdjustmentFact]) -> np.ndarray:
    """Return which adjustments restore their event (bool)."""
    return np.array([isinstance(fact, MeterEventRestored) for fact in facts], bool)


def _picked(coded: Coded, is_picked: np.ndarray) -> tuple[np.ndarray, pa.Array]:
    rows = np.flatnonzero(is_picked)
    return coded.key[rows], coded.value.take(pa.array(rows))
