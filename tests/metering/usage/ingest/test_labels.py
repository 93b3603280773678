"""Labels: what lies beside the usage becomes strings, or is left out and counted."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from metering import Columns
from tests.metering.usual_usage import (
    PAYLOAD,
    columns,
    counted,
    create_meter,
    payloads,
    rejections,
)

AT_NINE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TOKYO = timezone(timedelta(hours=9))

SPELLED: list[tuple[pa.DataType, object, str]] = [
    (pa.bool_(), True, "true"),
    (pa.bool_(), False, "false"),
    (pa.int64(), -5, "-5"),
    (pa.uint64(), 2**64 - 1, "18446744073709551615"),
    (pa.float64(), 0.1, "0.1"),
    (pa.float64(), 200.0, "200.0"),
    (pa.float64(), 1e-7, "0.0000001"),
    (pa.float64(), 1e22, "10000000000000000000000"),
    (pa.float64(), 9.999999999999999e-06, "0.000009999999999999999"),
    (pa.decimal128(9, 3), Decimal("1.500"), "1.500"),
    (pa.decimal128(9, 7), Decimal("0.0000001"), "0.0000001"),
    (pa.date32(), date(2026, 3, 1), "2026-03-01"),
    (pa.date64(), date(2026, 3, 1), "2026-03-01"),
    (pa.timestamp("s", "UTC"), AT_NINE, "2026-03-01T09:30:00Z"),
    (pa.timestamp("ms", "Asia/Tokyo"), AT_NINE.astimezone(TOKYO), "2026-03-01T09:30:00Z"),
    (
        pa.timestamp("us", "UTC"),
        AT_NINE.replace(microsecond=120_000),
        "2026-03-01T09:30:00.12Z",
    ),
    (
        pa.timestamp("ns"),
        datetime(2026, 3, 1, 9, 30, 0, 1),  # noqa: DTZ001  # a label may have no zone
        "2026-03-01T09:30:00.000001",
    ),
    (pa.time32("s"), time(9, 30), "09:30:00"),
    (pa.time64("us"), time(9, 30, 0, 500), "09:30:00.0005"),
    (pa.duration("s"), timedelta(days=1), "PT86400S"),
    (pa.duration("us"), timedelta(microseconds=-1_500_000), "-PT1.5S"),
    (pa.uuid(), UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (pa.list_(pa.int64()), [1, None, 3], "[1,null,3]"),
    (pa.list_(pa.float64(), 2), [1.0, 1e-7], "[1.0,0.0000001]"),
    (pa.large_list(pa.decimal128(5, 2)), [Decimal("1.50")], "[1.50]"),
    (pa.list_(pa.timestamp("us", "UTC")), [AT_NINE], '["2026-03-01T09:30:00Z"]'),
    (
        pa.struct([("b", pa.string()), ("a", pa.struct([("c", pa.bool_())]))]),
        {"b": 'é "\n\0', "a": {"c": True}},
        '{"b":"é \\"\\n\\u0000","a":{"c":true}}',
    ),
    (pa.struct([]), {}, "{}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "text"), SPELLED)
def test_a_value_has_one_string_in_a_dict_and_in_a_column(
    store: metering.Metering,
    tokens: metering.Meter,
    kind: pa.DataType,
    value: object,
    text: str,
) -> None:
    cells = pa.array([None, value, value], kind)
    dicts = columns(3).to_pylist()
    for row, cell in zip(dicts, [None, value, value], strict=True):
        row["label"] = cell
    # The last row is not plain, and is looked at by itself.
    spoilt = columns(3, label=cells, value=["1", "1", "1e0"])
    encoded = columns(3, label=cells.dictionary_encode()) if can_encode(kind) else dicts

    for source in (dicts, columns(3, label=cells), spoilt, encoded):
        receipt = store.meter_events.ingest(source)

        assert rejections(receipt) == []
        assert receipt.left_out == {}
    assert [each.get("label") for each in payloads(store)] == [None, text, text] * 4


def can_encode(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind) and kind != pa.uuid()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.50"),
        (Decimal("1e3"), "1000"),
        ([Decimal("1e3"), 10**30], "[1000,1000000000000000000000000000000]"),
        ((1, "a", [None]), '[1,"a",[null]]'),
        ({1: "a"}, '{"1":"a"}'),
        ({"at": AT_NINE, "on": date(2026, 3, 1)}, '{"at":"2026-03-01T09:30:00Z","on":"2026-03-01"}'),
    ],
)  # fmt: skip
def test_a_value_that_only_objects_have_is_a_string_too(
    store: metering.Metering, tokens: metering.Meter, value: object, text: str
) -> None:
    [row] = columns().to_pylist()

    store.meter_events.ingest([{**row, "label": value}])

    assert [each["label"] for each in payloads(store)] == [text]


NESTED: list[Any] = []
for _ in range(10_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "value",
    [
        "x" * 501,
        "a\0",
        "\ud800",
        b"bytes",
        object(),
        float("nan"),
        float("-inf"),
        Decimal("NaN"),
        10**5000,
        Decimal("1e600"),
        [1] * 251,
        ["a", b"bytes"],
        {"a": float("nan")},
        {"a": "\ud800"},
        {None: 1},
        {1: "a", "1": "b"},
        NESTED,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_string_that_fits_is_left_out_and_counted(
    store: metering.Metering, tokens: metering.Meter, value: object
) -> None:
    [row] = columns().to_pylist()

    receipt = store.meter_events.ingest([{**row, "label": value, "model": "large"}])

    assert counted(receipt) == (1, 0, 0)
    assert receipt.left_out == {"label": 1}
    assert payloads(store) == [{**PAYLOAD, "model": "large"}]


@pytest.mark.parametrize(
    "cells",
    [
        pa.array(["x" * 501, None, "y"]),
        pa.array(["a\0", None, "y"]).dictionary_encode(),
        pa.array([float("nan"), None, 1.0]),
        pa.array([float("inf"), None, 1.0], pa.float32()),
        pa.array([["x" * 500], None, ["y"]]),
        pa.array([[float("nan")], None, [1.0]]),
        pa.array([{"a": b"b"}, None, {"a": None}]),
        pa.array([[("a", 1), ("a", 2)], None, [("a", 1)]], pa.map_("string", "int8")),
        pa.array([2**60, None, 0], pa.timestamp("s")),
        pa.array([2**30, None, 0], pa.date32()),
    ],
    ids=lambda cells: str(cells.type),
)
def test_a_cell_that_does_not_fit_costs_neither_its_row_nor_its_neighbours(
    store: metering.Metering, tokens: metering.Meter, cells: pa.Array
) -> None:
    # As columns, and where the value makes each row be looked at by itself.
    for value in ("1", "1e0"):
        receipt = store.meter_events.ingest(columns(3, label=cells, value=[value] * 3))

        assert counted(receipt) == (3, 0, 0)
        assert receipt.left_out == {"label": 1}
    kept = ["label" in each for each in payloads(store)]
    assert kept == [False, False, True] * 2


@pytest.mark.parametrize("kind", [pa.binary(), pa.month_day_nano_interval()])
def test_a_column_without_strings_is_left_out_and_counted(
    store: metering.Metering, tokens: metering.Meter, kind: pa.DataType
) -> None:
    cell = b"bytes" if kind == pa.binary() else (1, 2, 3)
    cells = pa.array([cell, None, cell], kind)

    receipt = store.meter_events.ingest(columns(3, label=cells))

    assert receipt.left_out == {"label": 2}
    assert payloads(store) == [PAYLOAD] * 3


def not_utf8(text: bytes) -> pa.Array:
    lengths = pa.py_buffer(b"\0\0\0\0" + len(text).to_bytes(4, "little"))
    return pa.Array.from_buffers(pa.string(), 1, [None, lengths, pa.py_buffer(text)])


def test_text_that_is_not_utf8_is_left_out_and_never_stored(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    bad, good = columns(label=not_utf8(b"\xff\xfe")), columns(label=["x"])

    receipt = store.meter_events.ingest(pa.concat_tables([good, bad, good]))

    assert counted(receipt) == (3, 0, 0)
    assert receipt.left_out == {"label": 1}
    assert [each.get("label") for each in payloads(store)] == ["x", None, "x"]
    assert store.verify().ok


def as_dicts(payload: dict[str, object]) -> object:
    return [{"event_name": "tokens", "payload": payload}]


def as_flat_dicts(payload: dict[str, object]) -> object:
    return [{"event_name": "tokens", **payload}]


def as_json(payload: dict[str, object]) -> object:
    pairs = ",".join(f'"{key}":{text}' for key, text in written(payload))
    return pa.table({"event_name": ["tokens"], "payload": [f"{{{pairs}}}"]})


def written(payload: dict[str, object]) -> list[tuple[str, str]]:
    return [
        (key.replace("\0", "\\u0000"), "null" if text is None else f'"{text}"')
        for key, text in payload.items()
    ]


def as_map(payload: dict[str, object]) -> object:
    maps = pa.array([[*payload.items()]], pa.map_(pa.string(), pa.string()))
    return pa.table({"event_name": ["tokens"], "payload": maps})


def as_struct(payload: dict[str, object]) -> object:
    return pa.table({"event_name": ["tokens"], "payload": pa.array([payload])})


@pytest.mark.parametrize(
    "spelled", [as_dicts, as_flat_dicts, as_json, as_map, as_struct]
)
def test_every_shape_of_a_payload_leaves_out_the_same(
    store: metering.Metering,
    tokens: metering.Meter,
    spelled: Callable[[dict[str, object]], object],
) -> None:
    payload: dict[str, object] = {
        **PAYLOAD,
        "model": "large",
        "prompt": "x" * 501,
        "region": None,
        "k" * 101: "a name that is too long",
        "": "a key like any other",
    }

    receipt = store.meter_events.ingest(spelled(payload), now=True)

    assert counted(receipt) == (1, 0, 0)
    assert receipt.left_out == {"k" * 99 + "…": 1, "prompt": 1}
    assert payloads(store) == [
        {**PAYLOAD, "model": "large", "": "a key like any other"}
    ]


@pytest.mark.parametrize("value", ["1", "1e0"])
def test_only_what_was_accepted_is_counted(
    store: metering.Metering, tokens: metering.Meter, value: str
) -> None:
    rows = columns(
        identifier=["a", "a", "b", "c"],
        value=[value, value, "five", "2"],
        prompt=["x" * 501] * 4,
        note=[None, None, None, "y" * 501],
    )

    receipt = store.meter_events.ingest(rows)

    assert counted(receipt) == (2, 1, 1)
    assert receipt.left_out == {"prompt": 2, "note": 1}
    assert list(receipt.left_out) == ["prompt", "note"]
    assert store.meter_events.ingest(rows).left_out == {}


def test_a_receipt_names_a_hundred_keys_and_counts_the_others_together(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    [row] = columns().to_pylist()
    rows = [{**row, f"key-{number:03}": b"bytes"} for number in range(150)]

    left_out = store.meter_events.ingest(rows).left_out

    assert len(left_out) == 101
    assert left_out["…"] == 50
    assert sum(left_out.values()) == 150


def test_a_name_that_cannot_be_written_is_shown_as_far_as_it_can(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    [row] = columns().to_pylist()
    unusual: dict[Any, object] = {"\ud800": "a", 5: "b", None: "c", 10**5000: "d"}

    receipt = store.meter_events.ingest([{**row, **unusual}])

    assert receipt.left_out == {
        "5": 1,
        "?": 1,
        "None": 1,
        "an integer of 16610 bits": 1,
    }
    assert payloads(store) == [PAYLOAD]


@pytest.mark.parametrize("formula", ["sum", "count"])
def test_a_value_is_a_label_where_the_meter_needs_none(
    store: metering.Metering, formula: str
) -> None:
    create_meter(store, formula=formula)
    rows = columns(2, value=pa.array([True, None]))
    needs_value = formula == "sum"

    if needs_value:
        with pytest.raises(metering.SourceError, match="'value' has type bool"):
            store.meter_events.ingest(rows)
    else:
        assert counted(store.meter_events.ingest(rows)) == (2, 0, 0)
        assert [each.get("value") for each in payloads(store)] == ["true", None]


def test_a_column_of_which_only_some_rows_need_another_type_fails_these_alone(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    create_meter(store, "sizes", value_settings={"event_payload_key": "size"})
    rows = columns(
        event_name=["tokens", "sizes", "tokens"],
        size=pa.array([[1], [2], None]),
        identifier=["a", "b", "c"],
    )

    receipt = store.meter_events.ingest(rows)

    assert rejections(receipt) == [(1, "b", "payload_invalid")]
    assert "payload[size]" in receipt.rejections["message"][0].as_py()
    assert "found list<item: int64>" in receipt.rejections["message"][0].as_py()
    assert [each.get("size") for each in payloads(store)] == ["[1]", None]


@pytest.mark.parametrize("cell", [True, {"of": "1"}, ["1"]])
@pytest.mark.parametrize("key", ["stripe_customer_id", "value"])
def test_the_customer_and_the_value_stay_strict(
    store: metering.Metering, tokens: metering.Meter, key: str, cell: object
) -> None:
    [good] = columns(model=["large"]).to_pylist()

    receipt = store.meter_events.ingest([good, {**good, key: cell}])

    assert rejections(receipt) == [(1, None, "payload_invalid")]


@pytest.mark.parametrize("is_columnar", [True, False])
@pytest.mark.parametrize(
    ("named", "code"),
    [
        ({"customer": "who"}, "meter_event_no_customer_defined"),
        ({"value": "size"}, "meter_event_invalid_value"),
    ],
)
def test_null_in_a_named_column_is_not_looked_for_elsewhere(
    store: metering.Metering,
    tokens: metering.Meter,
    named: dict[str, Any],
    code: str,
    *,
    is_columnar: bool,
) -> None:
    rows = [
        {"event_name": "tokens", **PAYLOAD, "who": "cus_2", "size": "2"},
        {"event_name": "tokens", **PAYLOAD, "who": None, "size": None},
        {"event_name": "tokens", **PAYLOAD},
    ]

    receipt = store.meter_events.ingest(
        pa.Table.from_pylist(rows) if is_columnar else rows,
        columns=Columns(**named),
        now=True,
    )

    assert rejections(receipt) == [(1, None, code), (2, None, code)]
    for message in receipt.rejections["message"].to_pylist():
        assert message.endswith("the column that was named for it is null in this row")


def test_a_named_column_of_nothing_rejects_every_row(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    receipt = store.meter_events.ingest(
        columns(2, who=pa.nulls(2)), columns=Columns(customer="who")
    )

    code = "meter_event_no_customer_defined"
    assert rejections(receipt) == [(0, None, code), (1, None, code)]


def test_nested_columns_of_a_parquet_file_come_as_they_went(
    store: metering.Metering, tokens: metering.Meter, tmp_path: Path
) -> None:
    path = tmp_path / "usage.parquet"
    table = columns(
        3,
        usage=[{"in": 1, "out": [1.5]}, None, {"in": None, "out": []}],
        tags=pa.array([[("b", "2"), ("a", "1")], [], None], pa.map_("string", "string")),
        ratio=[0.1, None, 1.0],
        cached=[True, None, False],
    )  # fmt: skip
    pq.write_table(table, path)

    receipt = store.meter_events.ingest(path)

    assert rejections(receipt) == []
    assert payloads(store) == [
        {**PAYLOAD, "usage": '{"in":1,"out":[1.5]}', "tags": '{"b":"2","a":"1"}', "ratio": "0.1", "cached": "true"},
        {**PAYLOAD, "tags": "{}"},
        {**PAYLOAD, "usage": '{"in":null,"out":[]}', "ratio": "1.0", "cached": "false"},
    ]  # fmt: skip
