"""A Parquet file is read as its pages are, whatever its footer claims."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import metering
from metering.usage.ingest.bounds.parquet_sizes import (
    RowGroup,
    batches_of,
    plan_of_file,
)


def test_rows_that_are_claimed_and_in_no_page_are_no_rows() -> None:
    sink = io.BytesIO()
    schema = pa.schema([("label", pa.string())])
    with pq.ParquetWriter(sink, schema) as writer:
        writer.write_table(schema.empty_table())
    content = pa.py_buffer(sink.getvalue())

    def opened(dictionaries: Sequence[str]) -> pq.ParquetFile:
        return pq.ParquetFile(pa.BufferReader(content), read_dictionary=dictionaries)

    plan = plan_of_file(opened(()).metadata)
    claimed = RowGroup(rows=1 << 20, width=1, words={"label": 1 << 20})
    plan = replace(plan, groups=(claimed,) * opened(()).num_row_groups)

    assert plan.groups
    assert sum(batch.num_rows for batch in batches_of(plan, opened)) == 0


def test_a_file_that_another_takes_the_place_of_is_read_to_its_end(
    tmp_path: Path,
) -> None:
    # A piece has some 120 of them, for the length of a label that is left out.
    path, rows = tmp_path / "events.parquet", 900
    table = pa.table(
        {
            "event_name": ["tokens"] * rows,
            "identifier": [f"{row}" for row in range(rows)],
            "stripe_customer_id": ["cus_1"] * rows,
            "value": [1] * rows,
            "label": ["x" * 100_000] * rows,
        }
    )
    pq.write_table(table, path, row_group_size=150)
    other = tmp_path / "other.parquet"
    pq.write_table(table.slice(0, 1), other)

    with metering.connect(str(tmp_path / "store")) as m:
        m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )

        def replaced(_: metering.IngestProgress) -> None:
            if other.exists():
                other.rename(path)

        receipt = m.meter_events.ingest(path, now=True, progress=replaced)

    assert receipt.accepted == rows
