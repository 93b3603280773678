"""Pieces: the rows of each meter, and of no other, however many there are."""

import numpy as np
import pyarrow as pa

from ledger.usage.columns import TIMESTAMP, WORD
from ledger.usage.quantities import QUANTITY
from projections.alerts.pieces import pieces_by_meter


def test_more_meters_than_two_bytes_count_keep_their_rows_apart() -> None:
    count = (1 << 16) + 1_000
    numbers = pa.array(np.arange(count))
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([f"m{number}" for number in range(count)], WORD),
            pa.array([f"cus_{number}" for number in range(count)], WORD),
            numbers.view(TIMESTAMP),
            pa.array(np.arange(count, dtype=np.int32)).cast(QUANTITY),
        ],
        ["event_name", "customer", "timestamp", "value"],
    )

    pieces = pieces_by_meter(batch, np.arange(10, count + 10), {"m5", "m65541"})

    assert sorted(pieces) == ["m5", "m65541"]
    for name, piece in pieces.items():
        number = int(name[1:])
        assert piece.position.tolist() == [number + 10]
        assert piece.names[int(piece.code[0])].as_py() == f"cus_{number}"
        assert piece.timestamp.tolist() == [number]
