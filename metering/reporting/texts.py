"""Columns as strings, for files that have no types.

Times are local times of a zone with its offset, as RFC 3339 has them; quantities are in
their shortest form, without an exponent; what has parts is JSON.
"""

from datetime import UTC, timedelta, tzinfo
from decimal import Decimal

import msgspec
import numpy as np
import pyarrow as pa

from ledger.usage.arrow import compute as pc
from ledger.usage.columns import column_of, numbers_of
from ledger.usage.quantities import format_quantity
from metering.arguments.clock import MICROSECOND, at_microseconds
from projections.windows import floor_to

_ENCODER = msgspec.json.Encoder(enc_hook=str, decimal_format="string")
# Within one, no zone changes its offset but at its ends, since 1973.
_QUARTER = 900_000_000
_MINUTE = 60_000_000


def texts_of(batch: pa.RecordBatch, zone: tzinfo) -> pa.RecordBatch:
    """Return a batch whose times, decimals and nested values are strings."""
    columns = [_texts(column, zone) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def schema_of_texts(schema: pa.Schema) -> pa.Schema:
    """Return the schema of what `texts_of` returns."""
    empty = pa.RecordBatch.from_arrays(
        [pa.array([], each.type) for each in schema], schema=schema
    )
    return texts_of(empty, UTC).schema


def _texts(column: pa.Array, zone: tzinfo) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return _times(column, zone)
    if pa.types.is_decimal(column.type):
        return _quantities(column)
    if pa.types.is_map(column.type):
        return pa.array([_json(dict(each)) for each in column.to_pylist()], pa.string())
    if pa.types.is_nested(column.type):
        return pa.array([_json(each) for each in column.to_pylist()], pa.string())
    return column


def _json(value: object) -> str:
    return _ENCODER.encode(value).decode()


def _quantities(column: pa.Array) -> pa.Array:
    """Write quantities; Arrow writes those with an exponent that are near 0."""
    written = pc.replace_substring_regex(column.cast(pa.string()), r"\.?0+$", "")
    if not pc.any(pc.match_substring(written, "E")).as_py():
        return written

    def text(value: Decimal | None) -> str | None:
        return None if value is None else format_quantity(value)

    return pa.array([text(each) for each in column.to_pylist()], pa.string())


def _times(column: pa.Array, zone: tzinfo) -> pa.Array:
    assert column.null_count == 0, "every row of a report has its times"
    instants = numbers_of(column.cast(pa.int64()))
    quarters, numbers = np.unique(instants // _QUARTER, return_inverse=True)
    offsets = np.array([_offset(int(each) * _QUARTER, zone) for each in quarters])
    after = np.array(
        [_offset((int(each) + 1) * _QUARTER - 1, zone) for each in quarters]
    )
    shifts = offsets[numbers] if len(quarters) else np.zeros(0, np.int64)
    for row in np.flatnonzero((offsets != after)[numbers]) if len(quarters) else ():
        shifts[row] = _offset(int(instants[row]), zone)
    local = column_of(instants + shifts).view(pa.timestamp("us"))
    written = pc.strftime(local, format="%Y-%m-%dT%H:%M:%S")
    # Microseconds where there are any, else milliseconds.
    written = pc.replace_substring_regex(written, r"(\.\d{3})000$", r"\1")
    ends, kinds = np.unique(shifts, return_inverse=True)
    names = pa.array([_offset_name(int(each)) for each in ends], pa.string())
    suffixes = names.take(column_of(kinds.astype(np.int64)))
    return pc.binary_join_element_wise(written, suffixes, "")


def _offset(instant: int, zone: tzinfo) -> int:
    """Return by how much local time is ahead of UTC, in whole minutes as microseconds.

    Zones had seconds once, which RFC 3339 has no place for.
    """
    offset = at_microseconds(instant).astimezone(zone).utcoffset() or timedelta(0)
    return floor_to(offset // MICROSECOND, _MINUTE)


def _offset_name(offset: int) -> str:
    if offset == 0:
        return "Z"
    hours, minutes = divmod(abs(offset) // _MINUTE, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"
