"""An Arrow stream is judged by what its messages say, before any is unpacked."""

import pyarrow as pa
import pytest

from metering.usage.ingest.bounds.arrow_sizes import arrow_sizes
from metering.usage.ingest.bounds.limits import BODY_BATCHES_MAX


def test_a_stream_of_too_many_batches_is_refused() -> None:
    batch = pa.record_batch({"value": pa.nulls(1)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        for _ in range(BODY_BATCHES_MAX + 1):
            writer.write_batch(batch)

    with pytest.raises(pa.ArrowInvalid, match=f"more than {BODY_BATCHES_MAX} batches"):
        arrow_sizes(sink.getvalue())
