"""Pieces of pending usage: events or cancellations of one meter, in few bytes each.

Columns are as narrow as their numbers. They are widened a piece at a time, which fits in
the processor's caches, as all of them would not.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ledger.usage.columns import numbers_of, timestamps_of
from projections.kernels.usage.decimals import narrowed, words_of

_CODES_OF_TWO_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPiece:
    """At least one row of one meter, positions ascending.

    Attributes:
        names: at least the customers of the rows.
        code: index of each row's customer among the names.
        first: the first position.
        offset: of each row's position from the first.
        timestamp: int64, of the event, microseconds since 1970 UTC.
        words: int64, words by rows: the event's value in units, in one word where that
            holds all values; 0 for none.
        cancelled: int64, position of the event that each row cancels, negative where the
            row restores it; None where the rows are events.
    """

    names: pa.Array
    code: np.ndarray
    first: int
    offset: np.ndarray
    timestamp: np.ndarray
    words: np.ndarray
    cancelled: np.ndarray | None

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.code)

    @property
    def are_events(self) -> bool:
        """Whether the rows are events, and not cancellations."""
        return self.cancelled is None

    @property
    def position(self) -> np.ndarray:
        """Position of each row's event, or of its cancellation (int64)."""
        return self.offset + np.int64(self.first)

    @property
    def event_position(self) -> np.ndarray:
        """Position of each row's event (int64)."""
        return self.position if self.cancelled is None else np.abs(self.cancelled)

    @property
    def is_taken(self) -> np.ndarray:
        """Which rows take an event away (bool)."""
        if self.cancelled is None:
            return np.zeros(len(self), bool)
        is_taken: np.ndarray = self.cancelled > 0
        return is_taken

    def where(self, are_picked: np.ndarray) -> "PendingPiece":
        """Return some of the rows (bool)."""
        return replace(
            self,
            code=self.code[are_picked],
            offset=self.offset[are_picked],
            timestamp=self.timestamp[are_picked],
            words=self.words[:, are_picked],
            cancelled=None if self.cancelled is None else self.cancelled[are_picked],
        )


def pieces_by_meter(
    batch: pa.RecordBatch,
    position: np.ndarray,
    event_names: Collection[str],
    cancelled: np.ndarray | None = None,
) -> dict[str, PendingPiece]:
    """Return the rows of some meters, by event name.

    Args:
        batch: columns event_name, customer, timestamp and value of usage.
        position: int64, ascending, of each row.
        event_names: of the meters.
        cancelled: see `PendingPiece`.
    """
    encoded, customer = batch.column("event_name"), batch.column("customer")
    names: list[str] = encoded.dictionary.to_pylist()
    if not any(name in event_names for name in names):
        return {}
    codes = numbers_of(encoded.indices)
    # NumPy sorts two bytes by counting, which is many times faster.
    narrow = codes.astype(np.uint16) if len(names) <= _CODES_OF_TWO_BYTES else codes
    order = np.argsort(narrow, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    customers = customer.dictionary
    code, timestamp = _narrow(numbers_of(customer.indices)), timestamps_of(batch)
    words = narrowed(words_of(batch.column("value")))
    pieces = {}
    for name, rows in zip(names, np.split(order, ends[:-1]), strict=True):
        if len(rows) and name in event_names:
            first = int(position[rows[0]])
            pieces[name] = PendingPiece(
                names=customers,
                code=code[rows],
                first=first,
                offset=_narrow(position[rows] - first),
                timestamp=timestamp[rows],
                words=np.stack([word[rows] for word in words]),
                cancelled=None if cancelled is None else cancelled[rows],
            )
    return pieces


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """Return numbers of 0 or more in as few bytes as the greatest needs."""
    return numbers.astype(np.min_scalar_type(int(numbers.max())))
