"""Files: every format, compressed or not, read alike."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import (
    columns,
    counted,
    identifiers,
    payloads,
    rejections,
    table,
    total,
)

CSV = b"""event_name,identifier,stripe_customer_id,value,model
tokens,a,cus_1,1.50,large
tokens,b,cus_1,2e0,
tokens,c,cus_1,five,small
tokens,d,cus_2,4,"say ""hi"", twice
or more"
"""
NDJSON = rb"""{"event_name": "tokens", "identifier": "a", "stripe_customer_id": "cus_1", "value": 1.50, "model": "large"}
{"event_name": "tokens", "identifier": "b", "payload": {"stripe_customer_id": "cus_1", "value": "2e0"}}
{"event_name": "tokens", "identifier": "c", "stripe_customer_id": "cus_1", "value": "five", "model": "small"}
{"value": 4, "stripe_customer_id": "cus_2", "identifier": "d", "event_name": "tokens", "model": "say \"hi\", twice\nor more"}
"""
ROWS: list[dict[str, object]] = [
    {
        "identifier": "a",
        "stripe_customer_id": "cus_1",
        "value": "1.50",
        "model": "large",
    },
    {"identifier": "b", "stripe_customer_id": "cus_1", "value": "2e0"},
    {
        "identifier": "c",
        "stripe_customer_id": "cus_1",
        "value": "five",
        "model": "small",
    },
    {
        "identifier": "d",
        "stripe_customer_id": "cus_2",
        "value": "4",
        "model": 'say "hi", twice\nor more',
    },
]


def rows() -> pa.Table:
    return table({"event_name": "tokens", **row} for row in ROWS)


def write_arrow_file(path: Path) -> None:
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, rows().schema) as file,
    ):
        file.write_table(rows(), max_chunksize=3)


def write_arrow_stream(path: Path) -> None:
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_stream(sink, rows().schema) as stream,
    ):
        stream.write_table(rows(), max_chunksize=3)


def zstd(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def gzip_in_members(content: bytes) -> bytes:
    middle = len(content) // 2
    return gzip.compress(content[:middle]) + gzip.compress(content[middle:])


WRITERS: dict[str, Callable[[Path], object]] = {
    "usage.csv": lambda path: path.write_bytes(CSV),
    "usage.CSV": lambda path: path.write_bytes(CSV),
    "usage.2026-03-01.csv": lambda path: path.write_bytes(CSV),
    "windows.csv": lambda path: path.write_bytes(
        b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n").replace(b"\r\nor", b"\nor")
    ),
    "open-ended.csv": lambda path: path.write_bytes(CSV.rstrip()),
    "usage.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV)),
    "usage.CSV.GZ": lambda path: path.write_bytes(gzip.compress(CSV)),
    "members.csv.gz": lambda path: path.write_bytes(gzip_in_members(CSV)),
    "padded.csv.gz": lambda path: path.write_bytes(
        gzip_in_members(CSV) + bytes(3_000_000)
    ),
    "usage.csv.zst": lambda path: path.write_bytes(zstd(CSV)),
    "usage.ndjson": lambda path: path.write_bytes(NDJSON),
    "usage.jsonl": lambda path: path.write_bytes(NDJSON),
    "windows.ndjson": lambda path: path.write_bytes(
        b"\xef\xbb\xbf" + NDJSON.replace(b"\n", b"\r\n")
    ),
    "open-ended.ndjson": lambda path: path.write_bytes(NDJSON.rstrip()),
    "usage.ndjson.gz": lambda path: path.write_bytes(gzip.compress(NDJSON)),
    "members.jsonl.gz": lambda path: path.write_bytes(gzip_in_members(NDJSON)),
    "padded.ndjson.gz": lambda path: path.write_bytes(gzip.compress(NDJSON) + bytes(9)),
    "usage.jsonl.zst": lambda path: path.write_bytes(zstd(NDJSON)),
    "usage.parquet": lambda path: pq.write_table(rows(), path),
    "groups.parquet": lambda path: pq.write_table(
        rows(), path, row_group_size=3, compression="zstd", use_dictionary=True
    ),
    "file.arrow": write_arrow_file,
    "stream.arrow": write_arrow_stream,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_any_format_brings_the_same_events(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    WRITERS[name](path)

    receipt = store.meter_events.ingest(path, now=True)
    again = store.meter_events.ingest(str(path), now=True)

    assert rejections(receipt) == [(2, "c", "meter_event_invalid_value")]
    assert counted(receipt) == (3, 0, 1)
    assert counted(again) == (0, 3, 1)
    assert identifiers(store) == ["a", "b", "d"]
    assert payloads(store) == [
        {"stripe_customer_id": "cus_1", "value": "1.5", "model": "large"},
        {"stripe_customer_id": "cus_1", "value": "2"},
        {
            "stripe_customer_id": "cus_2",
            "value": "4",
            "model": 'say "hi", twice\nor more',
        },
    ]


ANONYMOUS = b"event_name,stripe_customer_id,value\n" + b"tokens,cus_1,1\n" * 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("usage.csv", ANONYMOUS),
        ("usage.csv.gz", gzip.compress(ANONYMOUS, mtime=0)),
        (
            "usage.ndjson",
            b'{"event_name": "tokens", "stripe_customer_id": "cus_1", "value": 1}\n'
            * 3,
        ),
    ],
)
def test_a_file_without_identifiers_ingested_twice_counts_once(
    store: metering.Metering,
    tokens: metering.Meter,
    tmp_path: Path,
    name: str,
    content: bytes,
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / name).write_bytes(content)

    first = store.meter_events.ingest(tmp_path / name, now=True)
    again = store.meter_events.ingest(tmp_path / "elsewhere" / name, now=True)

    assert counted(first) == (3, 0, 0)
    assert counted(again) == (0, 3, 0)
    assert len(set(identifiers(store))) == 3
    assert total(store, tokens) == 3


def test_a_parquet_file_without_identifiers_ingested_twice_counts_once(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.parquet"
    anonymous = rows().drop_columns(["identifier"])
    pq.write_table(anonymous, path)

    store.meter_events.ingest(path, now=True)
    again = store.meter_events.ingest(path, now=True)

    assert counted(again) == (0, 3, 1)
    assert total(store, tokens) == 3.5


def test_another_file_without_identifiers_is_other_usage(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    for turn in range(2):
        path = tmp_path / f"{turn}.csv"
        path.write_bytes(ANONYMOUS + b"tokens,cus_2,%d\n" % turn)
        store.meter_events.ingest(path, now=True)

    assert total(store, tokens) == 6


HEADER = b"event_name,stripe_customer_id,value"
LINE = b'{"event_name": "tokens", "stripe_customer_id": "cus_1", "value": 1}\n'
LONG_LINE = LINE.replace(b"cus_1", b"c" * 3_000_000)
ONE = {"stripe_customer_id": "cus_1", "value": "1"}
EXACT = "123456789012345678.123456789012"

Rejected = list[tuple[int, str | None, str]]
"""Row, identifier and code of each."""

READ: dict[str, tuple[str, bytes, Rejected, list[dict[str, str]]]] = {
    "blank lines of csv are no rows": (
        "csv",
        b"\n" + HEADER + b"\n\ntokens,cus_1,1\n\n\ntokens,cus_1,2\n\n",
        [],
        [ONE, {**ONE, "value": "2"}],
    ),
    "lines of csv may end as on old computers": (
        "csv", ANONYMOUS.replace(b"\n", b"\r"), [], [ONE] * 3,
    ),
    **{
        f"a csv header that ends in {ending!r} has no rows below it": (
            "csv", HEADER + ending, [], [],
        )
        for ending in (b"", b"\n", b"\r\n")
    },
    **{
        f"the csv header {header!r} makes no numbers of the texts below it": (
            "csv", HEADER + b"," + header + b"\ntokens,cus_1,1,007\n", [],
            [{**ONE, name: "007"}],
        )
        for header, name in (
            (b"code ", "code "),
            (b'"code "', "code "),
            (b'"the\ncode"', "the\ncode"),
            (b'"code, if any"', "code, if any"),
            (b"", ""),
        )
    },
    "csv of malformed rows alone reports them all": (
        "csv", HEADER + b"\ntokens\ntokens,cus_1\n",
        [(0, None, "row_invalid"), (1, None, "row_invalid")], [],
    ),
    "a csv line longer than any text may be is rejected alone": (
        "csv",
        ANONYMOUS + b"tokens,cus_1," + b"1" * 3_000_000 + b"\ntokens,cus_1,1\n",
        [(3, None, "parameter_too_long")],
        [ONE] * 4,
    ),
    "bytes of csv that are not utf8 reject their row only": (
        "csv", ANONYMOUS + b"tokens,caf\xe9,1\ntokens,cus_1,1\n",
        [(3, None, "invalid_characters")], [ONE] * 4,
    ),
    "numbers of json keep all their digits": (
        "ndjson",
        b'{"event_name": "tokens", "stripe_customer_id": 12345678901234567890123,'
        b' "value": ' + EXACT.encode() + b', "ratio": 0.1000}\n',
        [],
        [{
            "stripe_customer_id": "12345678901234567890123",
            "value": EXACT,
            "ratio": "0.1000",
        }],
    ),
    "blank lines of json are no rows but count as lines": (
        "ndjson", b"\n" + LINE + b"  \r\n" + b"{\n" + LINE + b"\n\n",
        [(3, None, "row_invalid")], [ONE] * 2,
    ),
    "a json line that is too long is rejected alone": (
        "ndjson", LINE + LONG_LINE + LINE, [(1, None, "row_invalid")], [ONE] * 2,
    ),
    "an empty json file has no rows": ("ndjson", b"", [], []),
}  # fmt: skip


@pytest.mark.parametrize("read", READ)
def test_every_row_of_a_file_is_an_event_or_is_rejected(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path, read: str
) -> None:
    ending, content, rejected, kept = READ[read]
    path = tmp_path / f"usage.{ending}"
    path.write_bytes(content)

    receipt = store.meter_events.ingest(path, now=True)

    assert rejections(receipt) == rejected
    assert counted(receipt) == (len(kept), 0, len(rejected))
    assert payloads(store) == kept
    assert store.position == 1 + len(kept)


def test_an_empty_csv_cell_is_no_cell_and_a_quoted_one_is_an_empty_text(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(
        b"event_name,identifier,stripe_customer_id,value,model\n"
        b'tokens,,cus_1,1,\ntokens,named,cus_1,1,""\ntokens,"",cus_1,1,\n'
    )

    receipt = store.meter_events.ingest(path, now=True)

    assert rejections(receipt) == [(2, "", "parameter_invalid_string_empty")]
    assert [each.get("model") for each in payloads(store)] == [None, ""]
    assert identifiers(store)[0].endswith("-0")


def test_no_cell_of_a_csv_file_is_taken_for_a_number_or_for_nothing(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(
        b"event_name,identifier,stripe_customer_id,value,a,b,c\n"
        b"tokens,007,0012,1.50,NA,null,1.10\n"
        b"tokens,null,nobody,1,nan,true,0x10\n"
    )

    store.meter_events.ingest(path, now=True)

    assert identifiers(store) == ["007", "null"]
    assert payloads(store) == [
        {"stripe_customer_id": "0012", "value": "1.5", "a": "NA", "b": "null", "c": "1.10"},
        {"stripe_customer_id": "nobody", "value": "1", "a": "nan", "b": "true", "c": "0x10"},
    ]  # fmt: skip


NULLS = (
    b"event_name,stripe_customer_id,value,a,b,c\n"
    b'tokens,cus_1,1,NULL,\\N,""\n'
    b'tokens,cus_1,1,"NULL","\\N",\n'
    b"tokens,cus_1,1,-,null,NA\n"
    b"tokens,NULL,1,,,\n"
    b'tokens,"NULL",1,,,\n'
    b'tokens,"null",1,,,\n'
    b"tokens,cus_1,NULL,,,\n"
)
NO_CUSTOMER = "meter_event_no_customer_defined"


def test_null_is_spelled_without_quotes_in_csv_and_names_no_customer(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(NULLS)

    receipt = store.meter_events.ingest(path, now=True)

    assert rejections(receipt) == [
        (3, None, NO_CUSTOMER),
        (4, None, NO_CUSTOMER),
        (5, None, NO_CUSTOMER),
        (6, None, "meter_event_invalid_value"),
    ]
    messages = receipt.rejections["message"].to_pylist()
    assert messages[0] == "Customer mapping key stripe_customer_id not found in payload"
    assert messages[1].startswith("Invalid customer 'NULL': null is spelled so")
    assert payloads(store) == [
        {**ONE, "c": ""},
        {**ONE, "a": "NULL", "b": "\\N"},
        {**ONE, "a": "-", "b": "null", "c": "NA"},
    ]
    assert receipt.left_out == {}


def test_other_spellings_of_null_take_the_place_of_the_usual_ones(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(NULLS)

    receipt = store.meter_events.ingest(path, null_values=["-", "NA"], now=True)

    assert rejections(receipt) == [(6, None, "meter_event_invalid_value")]
    assert [each["stripe_customer_id"] for each in payloads(store)[3:]] == [
        "NULL",
        "NULL",
        "null",
    ]
    assert payloads(store)[:3] == [
        {**ONE, "a": "NULL", "b": "\\N", "c": ""},
        {**ONE, "a": "NULL", "b": "\\N"},
        {**ONE, "b": "null"},
    ]


@pytest.mark.parametrize("value", ["1", "1e0"])
def test_a_customer_is_no_spelling_of_null_in_rows_and_columns(
    store: metering.Metering, tokens: metering.Meter, value: str
) -> None:
    customers = ["NULL", "cus_1", "\\N", "Null", "null"]
    rows = columns(5, stripe_customer_id=customers, value=[value] * 5)

    for source in (rows, rows.to_pylist()):
        receipt = store.meter_events.ingest(source)

        assert rejections(receipt) == [(at, None, NO_CUSTOMER) for at in (0, 2, 4)]
    receipt = store.meter_events.ingest(rows, null_values=())
    assert receipt.accepted == 5


@pytest.mark.parametrize("given", ["NULL", [5], ["x" * 501], None])
def test_spellings_of_null_that_are_none_are_refused(
    store: metering.Metering, tokens: metering.Meter, given: Any
) -> None:
    with refused(None, None, "null_values"):
        store.meter_events.ingest([], null_values=given)


@pytest.mark.parametrize("name", ["usage.parquet", "file.arrow", "stream.arrow"])
def test_a_columnar_file_without_rows_is_no_error(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    empty = rows().schema.empty_table()
    if name == "usage.parquet":
        pq.write_table(empty, path)
    else:
        opener = pa.ipc.new_file if name == "file.arrow" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, opener(sink, empty.schema) as writer:
            writer.write_table(empty)

    assert counted(store.meter_events.ingest(path, now=True)) == (0, 0, 0)
