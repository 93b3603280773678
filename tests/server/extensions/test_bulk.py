"""Rows in bulk: every format, each row's outcome, and what is done about faults."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

import metering
from metering.server.table import ROUTES
from tests.server.bulk import (
    ARROW,
    CLOUD_EVENTS,
    LONGEST_VALUE,
    NDJSON,
    PARQUET,
    PATH,
    arrow_of,
    ndjson_of,
    new_event_name,
    numbers_of,
    parquet_of,
    recorded,
    send,
    table_of,
    with_fault,
)
from tests.server.running import Server

FORMATS: list[tuple[str, Callable[[pa.Table], bytes]]] = [
    (ARROW, arrow_of),
    (PARQUET, parquet_of),
    (NDJSON, ndjson_of),
]
every_format = pytest.mark.parametrize(("kind", "written"), FORMATS)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": lambda body: (
        gzip.compress(body[:9]) + gzip.compress(body[9:]) + bytes(99)
    ),
    "zstd": lambda body: bytes(pa.Codec("zstd").compress(body, asbytes=True)),
}


@every_format
@pytest.mark.parametrize("encoding", COMPRESSIONS)
def test_rows_are_recorded_with_all_their_digits(
    server: Server, kind: str, written: Callable[[pa.Table], bytes], encoding: str
) -> None:
    name = new_event_name(server)
    body = written(table_of(name, [LONGEST_VALUE, Decimal("-0.000000000001")]))

    answered = send(
        server,
        kind,
        COMPRESSIONS[encoding](body),
        Content_Encoding=encoding,
    )

    told = answered.json
    first, last = told["first_position"], told["last_position"]
    assert told == {
        "object": "metering.ingest_receipt",
        "accepted": 2,
        "duplicates": 0,
        "rejected": 0,
        "cancelled": 0,
        "rounded": 0,
        "first_position": last - 1,
        "last_position": first + 1,
        "left_out": {},
        "rejections": [],
        "has_more_rejections": False,
    }
    assert int(answered.headers["metering-position"]) >= last
    assert [each.payload["value"] for each in recorded(server, name)] == [
        "123456789012345678.123456789012",
        "-0.000000000001",
    ]


@every_format
def test_the_receipt_is_that_of_the_library(
    server: Server,
    tmp_path: Path,
    kind: str,
    written: Callable[[pa.Table], bytes],
) -> None:
    name = new_event_name(server)
    identifiers = ["a", "b", "a", "a", None, "c" * 101]
    table = table_of(
        name,
        [1, 2, 1, 3, 4, 5],
        identifier=[each and f"{name}-{each}" for each in identifiers],
        stripe_customer_id=["cus_1"] * 4 + [None, "cus_1"],
    )
    with metering.connect(tmp_path / "usage") as store:
        store.meters.create(
            display_name="A meter",
            event_name=name,
            default_aggregation={"formula": "sum"},
        )
        expected = store.meter_events.ingest(table, now=True)

    answered = send(server, kind, written(table))

    assert numbers_of(answered) == (2, 1, 3)
    assert numbers_of(answered) == (
        expected.accepted,
        expected.duplicates,
        expected.rejected,
    )
    told, wanted = answered.json["rejections"], expected.rejections.to_pylist()
    # The positions that a conflict names are those of the store.
    plain = [each for each in told if each["code"] != "identifier_conflict"]
    assert plain == [each for each in wanted if each["code"] != "identifier_conflict"]
    assert [(each["row"], each["code"]) for each in told] == [
        (each["row"], each["code"]) for each in wanted
    ]


def test_a_line_that_is_no_json_is_a_rejected_row(server: Server) -> None:
    name = new_event_name(server)
    good = ndjson_of(table_of(name, [1]))

    answered = send(server, NDJSON, b"{\n\n" + good + b"\n[1]\n\xff\n")

    assert numbers_of(answered) == (1, 0, 3)
    rejections = answered.json["rejections"]
    assert [each["row"] for each in rejections] == [0, 3, 4]
    assert {each["code"] for each in rejections} == {"row_invalid"}


def test_numbers_in_json_are_taken_digit_by_digit(server: Server) -> None:
    name = new_event_name(server)
    line = b'{"event_name": "%s", "stripe_customer_id": "cus_1", "value": %s}'
    value = b"0.1000000000000000055511151231257827021181583404541015625"
    exact = b"9007199254740993.000000000001"

    answered = send(
        server,
        NDJSON,
        b"\n".join([line % (name.encode(), each) for each in (value, exact)]),
    )

    assert numbers_of(answered) == (1, 0, 1)
    assert [each.payload["value"] for each in recorded(server, name)] == [
        exact.decode()
    ]


def test_rejections_come_all_of_them_in_arrow(server: Server) -> None:
    name = new_event_name(server)
    customers = [None] * 1_001 + ["cus_1"]
    body = arrow_of(table_of(name, [1] * 1_002, stripe_customer_id=customers))

    in_json = send(server, ARROW, body)
    in_arrow = send(server, ARROW, body, Accept=ARROW)

    assert numbers_of(in_json) == (1, 0, 1_001)
    assert in_json.json["has_more_rejections"] is True
    assert len(in_json.json["rejections"]) == 1_000
    assert in_arrow.headers["content-type"] == ARROW
    assert "metering-position" in in_arrow.headers
    table = pa.ipc.open_stream(in_arrow.body).read_all()
    assert table.column("row").to_pylist() == list(range(1_001))
    assert table[:1_000].to_pylist() == in_json.json["rejections"]
    assert json.loads(table.schema.metadata[b"metering.ingest_receipt"]) == {
        "object": "metering.ingest_receipt",
        "accepted": 0,
        "duplicates": 1,
        "rejected": 1_001,
        "cancelled": 0,
        "rounded": 0,
        "first_position": None,
        "last_position": None,
        "left_out": {},
    }


def test_old_timestamps_are_taken_where_it_is_said(server: Server) -> None:
    name = new_event_name(server)
    body = arrow_of(table_of(name, [1], timestamp=[1_000_000_000]))

    assert numbers_of(send(server, ARROW, body)) == (0, 0, 1)
    assert numbers_of(send(server, ARROW, body, "?backfill=false")) == (0, 0, 1)
    assert numbers_of(send(server, ARROW, body, "?backfill=true")) == (1, 0, 0)


def test_columns_may_have_other_names(server: Server) -> None:
    name = new_event_name(server)
    table = table_of(name, [5]).rename_columns(["meter", "key", "who", "much"])
    query = (
        "?event_name_column=meter&identifier_column=key"
        "&customer_column=who&value_column=much&now=true"
    )

    assert numbers_of(send(server, ARROW, arrow_of(table), query)) == (1, 0, 0)
    (event,) = recorded(server, name)
    assert event.identifier == f"{name}-0"
    assert dict(event.payload) == {"stripe_customer_id": "cus_1", "value": "5"}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?backfill=yes", "backfill"),
        ("?payload_column=absent", "absent"),
        ("?columns=absent", "columns"),
        ("?expand[]=rejections", "expand"),
    ],
)
def test_a_query_that_says_something_else_is_refused(
    server: Server, query: str, param: str
) -> None:
    name = new_event_name(server)

    answered = send(server, ARROW, arrow_of(table_of(name, [1])), query)

    assert answered.status == 400
    assert answered.error["param"] == param
    assert recorded(server, name) == []


def bytes_after_the_end(name: str) -> bytes:
    return arrow_of(table_of(name, [1])) * 2


def text_that_is_no_utf_8(name: str) -> bytes:
    table = table_of(name, [1, 2], stripe_customer_id=["cus_1", "cus_2"])
    return with_fault(arrow_of(table))


def cut_stream(name: str) -> bytes:
    body = arrow_of(table_of(name, [1] * 120_000), rows_per_batch=40_000)
    return body[: len(body) * 9 // 10]


def offsets_beyond_the_text(name: str) -> bytes:
    body = arrow_of(table_of(name, [1, 2], stripe_customer_id=["c" * 77, "cus_2"]))
    offsets = b"".join(each.to_bytes(4, "little") for each in (0, 77, 82))
    assert body.count(offsets) == 1
    beyond = b"".join(each.to_bytes(4, "little") for each in (0, 1 << 30, 82))
    return body.replace(offsets, beyond)


def of_version_4(name: str) -> bytes:
    options = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4)
    return arrow_of(table_of(name, [Decimal(1)]), options=options)


def added_to(name: str) -> bytes:
    """A dictionary of which a later batch has one word more."""
    words = [
        pa.DictionaryArray.from_arrays(pa.array([at], pa.int32()), pa.array(each))
        for at, each in enumerate((["a"], ["a", "b"]))
    ]
    tables = [table_of(name, [Decimal(1)], model=each) for each in words]
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    return arrow_of(*tables, options=options)


def long_word(name: str) -> bytes:
    """A dictionary whose long word would be copied for each row."""
    words = pa.DictionaryArray.from_arrays(
        pa.array([0] * 10, pa.int32()), pa.array(["w" * 5_000])
    )
    return arrow_of(table_of(name, [Decimal(1)] * 10, model=words))


def cut_file(name: str) -> bytes:
    return parquet_of(table_of(name, [1, 2]))[:-10]


def booleans(name: str) -> bytes:
    return parquet_of(table_of(name, [1], value=pa.array([True])))


UNREADABLE = "Cannot read the body as "
PARAMS: dict[Callable[[str], bytes], str] = {long_word: "model", booleans: "value"}


@pytest.mark.parametrize(
    ("kind", "broken", "words"),
    [
        (ARROW, lambda _: b"not Arrow at all", UNREADABLE),
        (ARROW, lambda _: b"", UNREADABLE),
        (ARROW, text_that_is_no_utf_8, UNREADABLE),
        (ARROW, offsets_beyond_the_text, UNREADABLE),
        (ARROW, bytes_after_the_end, UNREADABLE),
        (ARROW, cut_stream, UNREADABLE),
        (ARROW, of_version_4, "write it in version 5"),
        (ARROW, added_to, "write each one whole"),
        (ARROW, long_word, "a string of column 'model' has 5000 bytes"),
        (PARQUET, lambda _: b"not Parquet at all", UNREADABLE),
        (PARQUET, lambda _: b"", UNREADABLE),
        (PARQUET, cut_file, UNREADABLE),
        (PARQUET, booleans, "Column 'value' has type bool, which cannot hold"),
        (CLOUD_EVENTS, lambda _: b"not JSON at all", UNREADABLE),
        (CLOUD_EVENTS, lambda _: b"", UNREADABLE),
    ],
)
def test_a_body_that_is_broken_is_told_apart(
    server: Server, kind: str, broken: Callable[[str], bytes], words: str
) -> None:
    name = new_event_name(server)

    answered = send(server, kind, broken(name))

    assert answered.status == 400
    assert answered.error["code"] == "source_invalid"
    assert answered.error.get("param") == PARAMS.get(broken)
    assert words in answered.error["message"]
    assert answered.error["message"].endswith("Nothing was recorded.")
    assert recorded(server, name) == []


def test_rows_before_a_fault_are_kept_and_counted(server: Server) -> None:
    name, kept = new_event_name(server), 50_000
    customers = ["cus_1"] * 119_999 + ["cus_2"]
    table = table_of(name, [1] * 120_000, stripe_customer_id=customers)

    answered = send(server, ARROW, with_fault(arrow_of(table, rows_per_batch=40_000)))

    assert answered.status == 400
    assert answered.error["message"].endswith(
        f"The first {kept} rows were taken before that: {kept} recorded,"
        " 0 recorded earlier, 0 rejected."
    )
    assert len(recorded(server, name)) == kept


@pytest.mark.parametrize("named", ["", "text/csv", "application/json"])
def test_any_other_media_type_is_refused_with_those_that_are_taken(
    server: Server, named: str
) -> None:
    answered = send(server, named, b"event_name")

    (route,) = [each for each in ROUTES if each.path == PATH and each.rows is not None]
    assert route.rows is not None
    assert answered.status == 415
    for each in route.rows.media_types:
        assert each in answered.error["message"]


@pytest.mark.parametrize("encoding", ["br", "zstd, gzip"])
def test_a_body_that_is_compressed_otherwise_is_refused(
    server: Server, encoding: str
) -> None:
    answered = send(server, NDJSON, b"{}", Content_Encoding=encoding)

    assert answered.status == 415
    assert answered.headers["accept-encoding"] == "gzip, zstd"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bytes_behind_a_compressed_body_are_not_lost_in_silence(
    server: Server, encoding: str
) -> None:
    body = COMPRESSIONS[encoding](b"{}") + b"{}"

    answered = send(server, NDJSON, body, Content_Encoding=encoding)

    assert answered.status == 400
    assert encoding in answered.error["message"]


def test_a_media_type_may_have_parameters(server: Server) -> None:
    name = new_event_name(server)
    kind = f"{NDJSON.upper()}; charset=utf-8"

    assert numbers_of(send(server, kind, ndjson_of(table_of(name, [1])))) == (1, 0, 0)


def test_the_position_counts_what_was_recorded(server: Server) -> None:
    name = new_event_name(server)
    with server.store() as store:
        (meter,) = [each for each in store.meters.list() if each.event_name == name]
    sent = send(server, PARQUET, parquet_of(table_of(name, [1, 2])))

    summaries = server.ask(
        "GET",
        f"/v1/billing/meters/{meter.id}/event_summaries?customer=cus_1"
        f"&start_time=0&end_time=4102444800",
        Metering_Min_Position=sent.headers["metering-position"],
    )

    (summary,) = msgspec.json.decode(summaries.body)["data"]
    assert summary["aggregated_value"] == 3


@pytest.mark.parametrize("zone", ["UTC+1", "Nowhere/City"])
def test_times_of_a_zone_that_is_none_are_instants(server: Server, zone: str) -> None:
    """Arrow counts from 1970 in UTC, whatever a zone is called that shows it."""
    name = new_event_name(server)
    times = pa.array([1_700_000_000] * 2, pa.timestamp("s", zone))
    table = table_of(name, [Decimal(1), None], timestamp=times)

    answered = send(server, ARROW, arrow_of(table), "?backfill=true")

    # Whether the rows are plain, as the first is, or looked at one by one.
    assert numbers_of(answered) == (1, 0, 1)
    [event] = server.ask("GET", f"{PATH}?event_name={name}").json["data"]
    assert event["timestamp"] == "2023-11-14T22:13:20.000Z"


def test_who_prefers_json_is_told_in_json(server: Server) -> None:
    body = ndjson_of(table_of(new_event_name(server), [Decimal(1)]))

    answered = send(server, NDJSON, body, Accept=f"application/json, {ARROW};q=0")

    assert answered.headers["content-type"] == "application/json"
    assert numbers_of(answered) == (1, 0, 0)
