"""Own the spellings of a batch: the same rows as dicts and as Arrow of every shape.

Each form also spells timestamps its own way. A batch that a form cannot hold (lone
surrogates in Arrow, a payload key called `timestamp` in a flat table, a NUL in a
column's name) takes the nearest form that can, so that every form may be asked for
with every batch.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal, get_args

import pyarrow as pa

from tests.oracles.usage import Row, text_of

Form = Literal[
    "dicts", "flat dicts", "map table", "map reader", "struct table", "json table",
    "flat table", "flat batches", "flat capsule",
]  # fmt: skip
FORMS: tuple[Form, ...] = get_args(Form)
OWN_COLUMNS = {"event_name", "identifier", "timestamp", "payload"}


@dataclass(frozen=True)
class Capsule:
    """Arrow data of an unknown library: nothing but the C stream."""

    reader: pa.RecordBatchReader

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.reader.__arrow_c_stream__(requested_schema)


def as_source(rows: Sequence[Row], form: Form, cuts: Sequence[int]) -> object:
    """Spell the rows so that `ingest` takes them, `cuts` sizing the record batches."""
    named = "".join(keys(rows))
    if form.startswith("flat") and (OWN_COLUMNS & {*keys(rows)} or "\0" in named):
        form = "dicts" if form == "flat dicts" else "map table"
    if not form.endswith("dicts") and not all(is_encodable(row) for row in rows):
        form = "dicts"
    if form == "dicts":
        return [nested_dict(row) for row in rows]
    if form == "flat dicts":
        return (flat_dict(row) for row in rows)
    schema = SCHEMAS[form](rows)
    batches = [TO_BATCH[form](chunk, schema) for chunk in cut(rows, cuts)]
    if form == "map reader":
        return pa.RecordBatchReader.from_batches(schema, batches)
    if form == "flat capsule":
        return Capsule(pa.RecordBatchReader.from_batches(schema, iter(batches)))
    table = pa.Table.from_batches(batches, schema)
    if form == "flat batches":
        return table.combine_chunks().to_reader(max_chunksize=max([*cuts, 1]))
    return table


def cut(rows: Sequence[Row], sizes: Sequence[int]) -> Iterator[Sequence[Row]]:
    """The rows in pieces of these sizes, over and over; in one piece without sizes."""
    start, turn = 0, 0
    while start < len(rows):
        size = sizes[turn % len(sizes)] if sizes else len(rows)
        yield rows[start : start + size]
        start, turn = start + size, turn + 1


def is_encodable(row: Row) -> bool:
    texts = [row.identifier or "", *row.payload, *map(str, row.payload.values())]
    return not any("\ud800" <= each <= "\udfff" for each in "".join(texts))


def nested_dict(row: Row) -> dict[str, object]:
    """As a program holds it: whole seconds as a number, other times as a datetime."""
    whole = row.timestamp is not None and row.timestamp.microsecond == 0
    timestamp: object = row.timestamp
    if whole and row.timestamp is not None:
        timestamp = int(row.timestamp.timestamp())
    return without_nothing(row, timestamp) | {"payload": dict(row.payload)}


def flat_dict(row: Row) -> dict[str, object]:
    """As JSON lines hold it: times are text with a Z."""
    timestamp = row.timestamp and naive_text(row.timestamp) + "Z"
    return without_nothing(row, timestamp) | dict(row.payload)


def without_nothing(row: Row, timestamp: object) -> dict[str, object]:
    fields: dict[str, object] = {"event_name": row.event_name}
    if row.identifier is not None:
        fields["identifier"] = row.identifier
    if timestamp is not None:
        fields["timestamp"] = timestamp
    return fields


def naive_text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()


def distant_text(moment: datetime) -> str:
    offset = timezone(timedelta(hours=-3, minutes=-30))
    return moment.astimezone(offset).isoformat(sep=" ")


def keys(rows: Sequence[Row]) -> list[str]:
    return sorted({key for row in rows for key in row.payload})


def map_schema(rows: Sequence[Row]) -> pa.Schema:
    names = pa.dictionary(pa.int32(), pa.string())
    payload = pa.map_(pa.string(), pa.string())
    return own_schema(names, pa.timestamp("us", tz="UTC"), payload)


def struct_schema(rows: Sequence[Row]) -> pa.Schema:
    payload = pa.struct([(key, pa.string()) for key in keys(rows)])
    return own_schema(pa.string(), pa.timestamp("ns", tz="America/St_Johns"), payload)


def json_schema(rows: Sequence[Row]) -> pa.Schema:
    return own_schema(pa.large_string(), pa.string(), pa.string())


def own_schema(name: Any, timestamp: Any, payload: Any) -> pa.Schema:
    return pa.schema(
        [
            ("event_name", name),
            ("identifier", pa.string()),
            ("timestamp", timestamp),
            ("payload", payload),
        ]
    )


def flat_schema(rows: Sequence[Row]) -> pa.Schema:
    columns = [(key, pa.string()) for key in keys(rows)]
    fixed = [("event_name", pa.string()), ("identifier", pa.large_string())]
    return pa.schema([*fixed, ("timestamp", pa.string()), *columns])


def to_batch(
    rows: Sequence[Row],
    schema: pa.Schema,
    timestamp: Callable[[datetime], object],
    payload: Callable[[Row], object],
) -> pa.RecordBatch:
    records = [
        {
            "event_name": row.event_name,
            "identifier": row.identifier,
            "timestamp": None if row.timestamp is None else timestamp(row.timestamp),
            "payload": payload(row),
        }
        for row in rows
    ]
    return pa.RecordBatch.from_pylist(records, schema)


def texts(row: Row) -> dict[str, str]:
    """A program that has decimals writes them out, without an exponent."""
    return {key: text_of(value) for key, value in row.payload.items()}


def map_batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    return to_batch(rows, schema, lambda each: each, lambda row: [*texts(row).items()])


def struct_batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    return to_batch(rows, schema, lambda each: each, texts)


def json_batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    return to_batch(rows, schema, naive_text, lambda row: json.dumps(texts(row)))


def flat_batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    records = [
        without_nothing(row, row.timestamp and distant_text(row.timestamp)) | texts(row)
        for row in rows
    ]
    return pa.RecordBatch.from_pylist(records, schema)


SCHEMAS: dict[Form, Callable[[Sequence[Row]], pa.Schema]] = {
    "map table": map_schema,
    "map reader": map_schema,
    "struct table": struct_schema,
    "json table": json_schema,
    "flat table": flat_schema,
    "flat batches": flat_schema,
    "flat capsule": flat_schema,
}
TO_BATCH: dict[Form, Callable[[Sequence[Row], pa.Schema], pa.RecordBatch]] = {
    "map table": map_batch,
    "map reader": map_batch,
    "struct table": struct_batch,
    "json table": json_batch,
    "flat table": flat_batch,
    "flat batches": flat_batch,
    "flat capsule": flat_batch,
}
