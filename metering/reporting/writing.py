"""Writing: the rows of a report as CSV or Parquet, in portions of equal size.

The bytes follow from the rows alone, however they come: in segments, in passages or one
by one.
"""

from collections.abc import Iterable, Iterator
from datetime import tzinfo

import pyarrow as pa

from ledger.facts.reports import ReportForm
from ledger.usage.arrow import csv, parquet
from metering.reporting.files import ReportSink
from metering.reporting.texts import schema_of_texts, texts_of

_ROWS_AT_A_TIME = 16_384


def write_report(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    form: ReportForm,
    zone: tzinfo,
    sink: ReportSink,
) -> int:
    """Write rows, and return how many there are.

    Args:
        batches: have all columns of the schema, and may have others.
        schema: the columns to be written, in order.
        form: how they are written.
        zone: in which times are shown.
        sink: takes the bytes.
    """
    chosen = (batch.select(schema.names) for batch in batches)
    portions = _portions(chosen, schema)
    if form is ReportForm.PARQUET:
        return _write_parquet(portions, _in_zone(schema, zone), sink)
    return _write_csv(portions, schema, zone, sink)


def _write_csv(
    portions: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    zone: tzinfo,
    sink: ReportSink,
) -> int:
    rows = 0
    with (
        pa.PythonFile(sink, "w") as file,
        csv.CSVWriter(file, schema_of_texts(schema)) as writer,
    ):
        for portion in portions:
            writer.write_batch(texts_of(portion, zone))
            rows += portion.num_rows
    return rows


def _write_parquet(
    portions: Iterable[pa.RecordBatch], schema: pa.Schema, sink: ReportSink
) -> int:
    rows = 0
    with (
        pa.PythonFile(sink, "w") as file,
        parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for portion in portions:
            writer.write_batch(portion.cast(schema))
            rows += portion.num_rows
    return rows


def _in_zone(schema: pa.Schema, zone: tzinfo) -> pa.Schema:
    """Return a schema whose times are shown in a zone."""
    return pa.schema(
        [
            each.with_type(pa.timestamp("us", str(zone)))
            if pa.types.is_timestamp(each.type)
            else each
            for each in schema
        ]
    )


def _portions(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Put rows together anew, equally many each time but the last."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, _ROWS_AT_A_TIME - count)
            held.append(piece)
            count += piece.num_rows
            start += piece.num_rows
            if count == _ROWS_AT_A_TIME:
                yield _together(held, schema)
                held, count = [], 0
    if held:
        yield _together(held, schema)


def _together(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    table = pa.Table.from_batches(batches, schema).combine_chunks()
    [batch] = table.to_batches()
    return batch
