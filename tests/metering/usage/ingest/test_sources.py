"""Sources: the same rows from tables, streams and dicts of every shape."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

import metering
from tests.conftest import Connect
from tests.metering.usual_usage import (
    NOW,
    columns,
    counted,
    create_meter,
    identifiers,
    payloads,
    rejections,
    table,
    total,
)

AT_NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
FLAT: list[dict[str, object]] = [
    {
        "event_name": "tokens",
        "identifier": "a",
        "timestamp": "2026-03-01T09:00:00Z",
        "stripe_customer_id": "cus_1",
        "value": "1.50",
        "model": "large",
    },
    {
        "event_name": "tokens",
        "identifier": "b",
        "timestamp": "2026-03-01T10:00:00Z",
        "stripe_customer_id": "cus_2",
        "value": "1e1",
        "model": None,
    },
    {
        "event_name": "words",
        "identifier": "a",
        "timestamp": None,
        "stripe_customer_id": "cus_1",
        "value": None,
        "model": "",
    },
]
OWN = ("event_name", "identifier", "timestamp")
STORED = [
    ("tokens", "a", AT_NINE, {"stripe_customer_id": "cus_1", "value": "1.5", "model": "large"}),
    (
        "tokens",
        "b",
        datetime(2026, 3, 1, 10, tzinfo=UTC),
        {"stripe_customer_id": "cus_2", "value": "10"},
    ),
    ("words", "a", NOW, {"stripe_customer_id": "cus_1", "model": ""}),
]  # fmt: skip


@dataclass(frozen=True)
class Capsule:
    """Arrow data of an unknown library: nothing but the stream."""

    data: pa.Table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.data.__arrow_c_stream__(requested_schema)


def payload(row: dict[str, object]) -> dict[str, object]:
    return {
        key: text for key, text in row.items() if key not in OWN and text is not None
    }


def nested(row: dict[str, object]) -> dict[str, object]:
    own = {key: row[key] for key in OWN}
    return {**own, "payload": payload(row)}


def flat_table() -> pa.Table:
    return table(FLAT)


def with_payload(column: pa.Array) -> pa.Table:
    return flat_table().select(OWN).append_column("payload", column)


def map_table(kind: pa.DataType) -> pa.Table:
    return with_payload(
        pa.array([[*payload(row).items()][::-1] for row in FLAT], pa.map_(kind, kind))
    )


def map_table_of_dictionaries() -> pa.Table:
    pairs = [pair for row in FLAT for pair in payload(row).items()]
    ends = [len(payload(row)) for row in FLAT]
    offsets = pa.array([sum(ends[:turn]) for turn in range(len(FLAT) + 1)], pa.int32())
    keys, texts = zip(*pairs, strict=True)
    return with_payload(
        pa.MapArray.from_arrays(
            offsets,
            pa.array(keys).dictionary_encode(),
            pa.array(texts).dictionary_encode(),
        )
    )


def struct_table() -> pa.Table:
    names = ("stripe_customer_id", "value", "model")
    return with_payload(
        pa.array(
            [payload(row) for row in FLAT],
            pa.struct([(name, pa.string()) for name in names]),
        )
    )


def json_table() -> pa.Table:
    return with_payload(pa.array([json.dumps(payload(row)) for row in FLAT]))


def cast(kind: pa.DataType) -> pa.Table:
    flat = flat_table()
    return flat.cast(pa.schema([(name, kind) for name in flat.column_names]))


def dictionaries() -> pa.Table:
    flat = flat_table()
    return pa.table(
        {name: flat[name].dictionary_encode() for name in flat.column_names}
    )


def parts_with_other_dictionaries() -> pa.Table:
    parts = [dictionaries().slice(row, 1).combine_chunks() for row in range(len(FLAT))]
    encoded = [
        pa.table({name: part[name].cast(pa.string()).dictionary_encode()
                  for name in part.column_names})
        for part in parts
    ]  # fmt: skip
    return pa.concat_tables(encoded)


def batch_of(source: pa.Table) -> pa.RecordBatch:
    return source.combine_chunks().to_batches()[0]


def typed_table() -> pa.Table:
    instants = [AT_NINE, datetime(2026, 3, 1, 10, tzinfo=UTC), None]
    values = pa.array([Decimal("1.50"), Decimal(10), None], pa.decimal128(10, 2))
    names = flat_table().column_names
    return (
        flat_table()
        .set_column(names.index("timestamp"), "timestamp", pa.array(instants))
        .set_column(names.index("value"), "value", values)
    )


def polars_frame() -> object:
    pl = pytest.importorskip("polars")
    return pl.DataFrame(flat_table())


def polars_categories() -> object:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(flat_table())
    return frame.with_columns(
        pl.col("event_name", "stripe_customer_id", "model").cast(pl.Categorical),
        pl.col("timestamp").str.to_datetime(time_zone="UTC"),
        pl.col("value").cast(pl.Decimal(20, 3), strict=False).fill_null(
            pl.when(pl.col("value") == "1e1").then(pl.lit(10).cast(pl.Decimal(20, 3)))
        ),
    )  # fmt: skip


def polars_structs() -> object:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(flat_table())
    return frame.select(
        *OWN, pl.struct("stripe_customer_id", "value", "model").alias("payload")
    )


def flat_dicts() -> Iterator[dict[str, object]]:
    yield from FLAT


SOURCES: dict[str, Callable[[], object]] = {
    "flat table": flat_table,
    "table in chunks": lambda: pa.concat_tables(
        flat_table().slice(row, 1) for row in range(3)
    ),
    "slice of a table": lambda: pa.concat_tables(
        [columns(5, model=["x"] * 5).select(["event_name"]), flat_table()],
        promote_options="default",
    ).slice(5),
    "record batch": lambda: batch_of(flat_table()),
    "reader": lambda: flat_table().to_reader(max_chunksize=2),
    "reader of batches without rows": lambda: pa.RecordBatchReader.from_batches(
        flat_table().schema,
        [
            batch_of(flat_table())[:0],
            batch_of(flat_table()),
            batch_of(flat_table())[:0],
        ],
    ),
    "stream of an unknown library": lambda: Capsule(flat_table()),
    "large strings": lambda: cast(pa.large_string()),
    "string views": lambda: cast(pa.string_view()),
    "dictionaries": dictionaries,
    "chunks with other dictionaries": parts_with_other_dictionaries,
    "reader of other dictionaries": lambda: Capsule(parts_with_other_dictionaries()),
    "timestamps and decimals": typed_table,
    "maps": lambda: map_table(pa.string()),
    "maps of large strings": lambda: map_table(pa.large_string()),
    "maps of string views": lambda: map_table(pa.string_view()),
    "maps of dictionaries": map_table_of_dictionaries,
    "reader of maps": lambda: map_table(pa.string()).to_reader(max_chunksize=1),
    "structs": struct_table,
    "json": json_table,
    "json in a dictionary": lambda: with_payload(
        json_table()["payload"].dictionary_encode()
    ),
    "nested dicts": lambda: [nested(row) for row in FLAT],
    "flat dicts": lambda: FLAT,
    "generator": flat_dicts,
    "tuple": lambda: tuple(FLAT),
    "dicts with json": lambda: [
        {**nested(row), "payload": json.dumps(payload(row))} for row in FLAT
    ],
    "polars": polars_frame,
    "polars categories": polars_categories,
    "polars structs": polars_structs,
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_rows_become_the_same_events_whatever_holds_them(
    store: metering.Metering, tokens: metering.Meter, source: str
) -> None:
    create_meter(store, "words", formula="count")

    receipt = store.meter_events.ingest(SOURCES[source](), now=True)

    assert counted(receipt) == (3, 0, 0)
    assert rejections(receipt) == []
    assert (receipt.first_position, receipt.last_position) == (3, 5)
    assert [
        (each.event_name, each.identifier, each.timestamp, each.payload)
        for each in store.meter_events.list()
    ] == STORED


@pytest.mark.dialect
@pytest.mark.parametrize("source", ["maps", "nested dicts"])
def test_ingested_events_are_stored_and_summed_on_every_database(
    connect: Connect, clock: metering.FixedClock, source: str
) -> None:
    store, other = connect(clock=clock), connect(clock=clock)
    tokens, words = create_meter(store), create_meter(store, "words", formula="count")

    store.meter_events.ingest(SOURCES[source](), now=True)
    again = other.meter_events.ingest(SOURCES[source](), now=True)

    assert counted(again) == (0, 3, 0)
    assert (again.first_position, again.last_position) == (None, None)
    for connection in (store, other):
        assert total(connection, tokens) == Decimal("1.5")
        assert total(connection, tokens, "cus_2") == 10
        assert total(connection, words) == 1
        assert identifiers(connection) == ["a", "b", "a"]


def test_several_meters_with_keys_and_formulas_of_their_own_share_a_table(
    store: metering.Metering,
) -> None:
    sums = create_meter(store, "sums")
    counts = create_meter(store, "counts", formula="count")
    lasts = create_meter(
        store,
        "lasts",
        formula="last",
        customer_mapping={"event_payload_key": "account"},
        value_settings={"event_payload_key": "size"},
    )
    rows: list[dict[str, object]] = [
        {"event_name": "sums", "stripe_customer_id": "cus_1", "value": "1", "size": "x"},
        {"event_name": "lasts", "account": "cus_1", "size": "5", "value": "not read"},
        {"event_name": "counts", "stripe_customer_id": "cus_1", "value": "not read"},
        {"event_name": "lasts", "account": "cus_1", "value": "1"},
        {"event_name": "sums", "account": "cus_1", "value": "1"},
        {"event_name": "sums", "stripe_customer_id": "cus_1", "value": "2", "account": "a"},
        {"event_name": "lasts", "account": "cus_1", "size": "7"},
        {"event_name": "counts", "stripe_customer_id": "cus_1"},
    ]  # fmt: skip

    receipt = store.meter_events.ingest(table(rows), now=True)

    assert rejections(receipt) == [
        (3, None, "meter_event_invalid_value"),
        (4, None, "meter_event_no_customer_defined"),
    ]
    assert [total(store, meter) for meter in (sums, counts, lasts)] == [3, 2, 7]
    assert payloads(store)[:2] == [
        {"stripe_customer_id": "cus_1", "value": "1", "size": "x"},
        {"account": "cus_1", "size": "5", "value": "not read"},
    ]
