"""Corrected events: which correction cancelled an event, and what stands in its place."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ledger.log import Log
from projections.corrections.queries import CorrectionQueries
from projections.kernels.corrections import CorrectionRecord


class CorrectedEvents:
    """What corrections of a log say of cancellations.

    Args:
        records: the corrections, in the order of the log.
    """

    def __init__(self, records: Sequence[CorrectionRecord]) -> None:
        self._records = records
        self._starts = np.array([each.position for each in records], np.int64)

    @classmethod
    def of(cls, log: Log) -> "CorrectedEvents":
        """Read the corrections of a log."""
        with log.read() as connection:
            return cls(CorrectionQueries(connection).in_order())

    def columns(self, cancellation: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """Return of each cancellation (int64 positions, 0 is none) what it is part of.

        Returns:
            The id of the correction, and the position of the replacement; null where
            there is none.
        """
        ids: list[str | None] = [None] * len(cancellation)
        successors: list[int | None] = [None] * len(cancellation)
        if self._records:
            at = self._starts.searchsorted(cancellation, "right") - 1
            for row in np.flatnonzero((cancellation > 0) & (at >= 0)).tolist():
                record, by = self._records[at[row]], int(cancellation[row])
                if by <= record.last_position:
                    ids[row] = record.correction_id
                    successors[row] = record.replacement_of(by)
        return pa.array(ids, pa.string()), pa.array(successors, pa.int64())
