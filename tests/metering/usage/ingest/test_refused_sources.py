"""Sources that cannot be read: one clear error, and nothing half-written."""

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from metering import Columns
from tests.metering.refusals import refused
from tests.metering.usual_usage import columns, total


@pytest.mark.parametrize(
    ("column", "cells", "kind"),
    [
        ("value", pa.array([True]), "bool"),
        ("value", pa.array([b"1"]), "binary"),
        ("stripe_customer_id", pa.array([True]), "bool"),
        ("stripe_customer_id", pa.array([["a"]]), "list"),
        ("value", pa.array([{"a": "b"}]), "struct"),
        ("value", pa.array([True]).dictionary_encode(), "bool"),
        ("identifier", pa.array([1.5]), "double"),
        ("identifier", pa.array([Decimal(1)]), "decimal"),
        ("event_name", pa.array([True]), "bool"),
        ("timestamp", pa.array([1], pa.time64("us")), "time64"),
        ("timestamp", pa.array([1], pa.duration("us")), "duration"),
        ("payload", pa.array([1]), "int64"),
        ("payload", pa.array([["a"]]), "list"),
        ("payload", pa.array([{"value": {"of": "1"}}]), "struct"),
        (
            "payload",
            pa.array([[(1, "1")]], pa.map_(pa.int64(), pa.string())),
            "int64",
        ),
    ],
)
@pytest.mark.parametrize("is_stream", [True, False])
def test_a_column_of_a_type_that_it_cannot_have_is_refused_by_name(
    store: metering.Metering,
    tokens: metering.Meter,
    column: str,
    cells: pa.Array,
    kind: str,
    *,
    is_stream: bool,
) -> None:
    rows = columns(**{column: cells})

    with pytest.raises(metering.SourceError) as refusal:
        store.meter_events.ingest(rows.to_reader() if is_stream else rows)

    assert refusal.value.code == "source_invalid"
    assert refusal.value.param == column
    assert f"Column {column!r}" in refusal.value.message
    assert kind in refusal.value.message
    assert "give" in refusal.value.message
    assert store.position == 1


def test_a_column_that_is_not_read_may_be_of_any_type(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    rows = columns(model=["large"], rate=[1.5], is_new=[True])

    receipt = store.meter_events.ingest(
        rows,
        columns=Columns(payload_keys=("stripe_customer_id", "value", "model")),
    )

    assert receipt.accepted == 1


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (Columns(event_name="name"), "name"),
        (Columns(identifier="id"), "id"),
        (Columns(timestamp="when"), "when"),
        (Columns(customer="who"), "who"),
        (Columns(value="how much"), "how much"),
        (Columns(payload="what"), "what"),
        (Columns(payload_keys=("model", "region")), "model"),
    ],
)
def test_a_missing_column_is_named_together_with_those_that_exist(
    store: metering.Metering, tokens: metering.Meter, given: Columns, name: str
) -> None:
    with pytest.raises(metering.SourceError) as refusal:
        store.meter_events.ingest(columns(), columns=given)

    assert refusal.value.param == name
    assert refusal.value.message == (
        f"The source has no column {name!r}; it has event_name, timestamp,"
        " stripe_customer_id, value"
    )
    assert store.position == 1


def test_a_source_without_event_names_is_refused(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("name,amount\ntokens,1\n")

    for source in (path, pa.table({"name": ["tokens"], "amount": ["1"]})):
        with pytest.raises(
            metering.SourceError, match="no column 'event_name'; it has name, amount"
        ):
            store.meter_events.ingest(source)


def test_columns_of_one_name_are_refused(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("event_name,value,stripe_customer_id,value\ntokens,1,cus_1,1\n")
    texts = pa.array(["1"])
    names = ["event_name", "value", "stripe_customer_id", "value"]

    for source in (path, pa.Table.from_arrays([texts] * 4, names)):
        with pytest.raises(metering.SourceError, match="several columns named value"):
            store.meter_events.ingest(source)
    assert store.position == 1


def test_fields_of_one_name_in_a_payload_are_refused(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    texts = [pa.array([text]) for text in ("cus_1", "1", "2")]
    names = ["stripe_customer_id", "value", "value"]
    payload = pa.StructArray.from_arrays(texts, names)

    with pytest.raises(metering.SourceError) as refusal:
        store.meter_events.ingest(
            pa.table({"event_name": ["tokens"], "payload": payload}), now=True
        )

    assert refusal.value.param == "payload"


@pytest.mark.parametrize(
    "source",
    [5, 1.5, None, True, b"usage.csv", object(), columns, metering],
    ids=lambda source: type(source).__name__,
)
def test_what_is_no_source_is_refused_with_what_would_be_one(
    store: metering.Metering, tokens: metering.Meter, source: object
) -> None:
    with pytest.raises(metering.SourceError) as refusal:
        store.meter_events.ingest(source)

    assert type(source).__name__ in refusal.value.message
    assert "iterable of dicts" in refusal.value.message


def test_a_single_dict_is_no_source(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    with pytest.raises(metering.SourceError, match="dict"):
        store.meter_events.ingest(
            {"event_name": "tokens", "stripe_customer_id": "cus_1", "value": 1}
        )


def test_a_stream_that_is_no_table_is_refused(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    with pytest.raises(metering.SourceError):
        store.meter_events.ingest(pa.chunked_array([["tokens"]]))


def test_a_stream_that_breaks_off_is_a_source_error(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    def broken() -> Any:
        yield columns().to_batches()[0]
        reason = "the line went dead"
        raise OSError(reason)

    reader = pa.RecordBatchReader.from_batches(columns().schema, broken())

    with pytest.raises(metering.SourceError, match="the line went dead"):
        store.meter_events.ingest(reader)


@pytest.mark.parametrize("is_columnar", [True, False])
def test_a_source_without_rows_is_no_error(
    store: metering.Metering, tokens: metering.Meter, *, is_columnar: bool
) -> None:
    empty = columns().schema.empty_table()
    calls: list[metering.IngestProgress] = []

    for source in (empty, empty.to_reader()) if is_columnar else ([], iter(())):
        receipt = store.meter_events.ingest(source, progress=calls.append)

        assert (receipt.accepted, receipt.duplicates, receipt.rejected) == (0, 0, 0)
        assert (receipt.first_position, receipt.last_position) == (None, None)
    assert store.position == 1


NOT_THERE, DIRECTORY = None, "a directory"
NAMES = ["usage.csv", "usage.ndjson", "usage.parquet", "usage.arrow"]
ROWS = b"event_name,value\ntokens,1\n"
UNREADABLE: list[tuple[str, bytes | str | None]] = [
    *((name, NOT_THERE) for name in (*NAMES, "usage.csv.gz", "nowhere/at/all.csv")),
    *((name, DIRECTORY) for name in (*NAMES, "usage")),
    *((f"empty.{ending}", b"") for ending in ("csv", "parquet", "arrow", "csv.gz")),
    ("text.parquet", ROWS * 100),
    ("text.arrow", ROWS * 100),
    ("text.csv.gz", ROWS),
    ("text.ndjson.zst", b'{"event_name": "tokens"}\n'),
    ("truncated.csv.gz", gzip.compress(ROWS * 999, mtime=0)[:-9]),
    (
        "truncated.second.csv.gz",
        gzip.compress(ROWS, mtime=0) + gzip.compress(ROWS, mtime=0)[:-9],
    ),
    ("followed.csv.gz", gzip.compress(ROWS, mtime=0) + ROWS),
    ("followed.ndjson.gz", gzip.compress(b"{}", mtime=0) + bytes(9) + b"more"),
    ("followed.csv.zst", bytes(pa.Codec("zstd").compress(ROWS, asbytes=True)) + ROWS),
    ("truncated.ndjson.gz", gzip.compress(b"{}\n" * 999, mtime=0)[:-9]),
]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["usage.csv", "usage.ndjson", "usage.csv.gz"])
def test_a_file_in_utf_16_is_named_as_such(
    store: metering.Metering,
    tokens: metering.Meter,
    tmp_path: Path,
    name: str,
    encoding: str,
) -> None:
    path = tmp_path / name
    content = ('{"a": 1}\n' if "json" in name else ROWS.decode()).encode(encoding)
    path.write_bytes(gzip.compress(content) if ".gz" in name else content)

    with pytest.raises(metering.SourceError) as refusal:
        store.meter_events.ingest(path)

    assert refusal.value.message == (
        f"Cannot read {path}: the text is UTF-16; send UTF-8"
    )


@pytest.mark.parametrize(("name", "content"), UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(
    store: metering.Metering,
    tokens: metering.Meter,
    tmp_path: Path,
    name: str,
    content: bytes | str | None,
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == DIRECTORY:
        path.mkdir()

    with pytest.raises(metering.SourceError) as refusal:
        store.meter_events.ingest(path)

    assert str(path) in refusal.value.message
    if isinstance(content, bytes):
        assert f"Cannot read {path}: " in refusal.value.message
    assert "\n" not in refusal.value.message
    assert store.position == 1


@pytest.mark.parametrize(
    "name", ["usage", "usage.txt", "usage.xlsx", "usage.gz", "usage.parquet.gz", ".csv"]
)
def test_a_file_whose_ending_says_nothing_is_refused_with_those_that_would(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(ROWS)

    with refused(None, None, name, ".parquet", ".csv", kind=metering.SourceError):
        store.meter_events.ingest(tmp_path / name)


@pytest.mark.parametrize("source", ["", "a\0b.csv"])
def test_a_path_that_cannot_be_is_a_source_error(
    store: metering.Metering, tokens: metering.Meter, source: str
) -> None:
    with pytest.raises(metering.SourceError):
        store.meter_events.ingest(source)


def test_a_parquet_file_cut_anywhere_is_refused(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(columns(100, model=[str(each) for each in range(100)]), whole)
    content = whole.read_bytes()
    path = tmp_path / "cut.parquet"

    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(metering.SourceError, match="Cannot read"):
            store.meter_events.ingest(path)

    assert store.position == 1


def test_a_parquet_file_damaged_in_the_middle_keeps_the_batches_before(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.parquet"
    rows = columns(120_000, identifier=[str(each) for each in range(120_000)])
    pq.write_table(rows, path, row_group_size=20_000, write_statistics=False)
    content = bytearray(path.read_bytes())
    damaged = pq.ParquetFile(path).metadata.row_group(5).column(3)
    start = damaged.dictionary_page_offset or damaged.data_page_offset
    content[start : start + damaged.total_compressed_size] = (
        b"\xff" * damaged.total_compressed_size
    )
    path.write_bytes(content)

    with pytest.raises(metering.SourceError, match="Cannot read"):
        store.meter_events.ingest(path)

    assert total(store, tokens) in {50_000, 100_000}
    pq.write_table(rows, path, row_group_size=20_000)
    assert store.meter_events.ingest(path).rejected == 0
    assert total(store, tokens) == 120_000


def test_ingesting_into_a_closed_store_is_an_error(
    clock: metering.FixedClock,
) -> None:
    with metering.connect(":memory:", clock=clock) as store:
        pass

    with pytest.raises(metering.StoreClosedError):
        store.meter_events.ingest(columns())


@pytest.mark.parametrize(
    "named",
    [
        {"value": "amont"},
        {"customer": "amont"},
        {"identifier": "amont"},
        {"timestamp": "amont"},
        {"event_name": "amont"},
        {"payload_keys": ("amont",)},
    ],
)
def test_a_key_that_no_row_has_is_refused(
    store: metering.Metering, tokens: metering.Meter, named: dict[str, Any]
) -> None:
    rows = [
        {"event_name": "tokens", "stripe_customer_id": "cus_1", "value": "1"},
        {"event_name": "tokens", "stripe_customer_id": "cus_1", "amount": "100"},
    ]

    with pytest.raises(metering.SourceError) as refused:
        store.meter_events.ingest(rows, columns=Columns(**named))

    assert str(refused.value) == (
        "The source has no column 'amont'; it has event_name, stripe_customer_id, value,"
        " amount"
    )
    assert list(store.meter_events.list()) == []
