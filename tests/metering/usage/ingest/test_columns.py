"""Columns of sources: types, names, constants, and cells that are not there."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import metering
from metering import Columns, Constant
from tests.metering.usual_usage import (
    columns,
    counted,
    create_meter,
    identifiers,
    payloads,
    rejections,
    total,
)

AT_NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_rows_without_identifiers_all_count(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    for source in (columns(3), columns(2, identifier=[None, None])):
        store.meter_events.ingest(source)
    store.meter_events.ingest(columns(2, identifier=pa.nulls(2)))

    assert len(set(identifiers(store))) == 7
    assert total(store, tokens) == 7


def test_a_column_of_nothing_is_a_column_without_cells(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    receipt = store.meter_events.ingest(
        columns(2, timestamp=pa.nulls(2), identifier=pa.nulls(2), model=pa.nulls(2)),
        now=True,
    )

    assert counted(receipt) == (2, 0, 0)
    assert payloads(store) == [{"stripe_customer_id": "cus_1", "value": "1"}] * 2


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("event_name", "parameter_missing"),
        ("stripe_customer_id", "meter_event_no_customer_defined"),
        ("value", "meter_event_invalid_value"),
    ],
)
def test_a_needed_column_of_nothing_rejects_every_row(
    store: metering.Metering, tokens: metering.Meter, column: str, code: str
) -> None:
    receipt = store.meter_events.ingest(columns(2, **{column: pa.nulls(2)}))

    assert rejections(receipt) == [(0, None, code), (1, None, code)]


def test_of_a_part_of_a_table_its_own_strings_are_judged(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    table = columns(6, identifier=["a\0", "b", "c\0", "d", "e\0", "f"])

    parts = [
        store.meter_events.ingest(table.slice(start, count))
        for start, count in ((1, 1), (1, 2), (3, 1), (3, 3))
    ]

    assert [counted(receipt) for receipt in parts] == [
        (1, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1),
    ]  # fmt: skip
    assert identifiers(store) == ["b", "d", "f"]


def test_numbers_may_name_things_in_columns(
    store: metering.Metering,
) -> None:
    meter = create_meter(store, "5")
    rows = pa.table(
        {
            "event_name": pa.array([5, 5], pa.int8()),
            "identifier": pa.array([1, 2], pa.uint64()),
            "stripe_customer_id": pa.array([42, 42]),
            "value": ["1", "1e1"],
        }
    )

    receipt = store.meter_events.ingest(rows, now=True)

    assert rejections(receipt) == []
    assert identifiers(store) == ["1", "2"]
    assert total(store, meter, "42") == 11


@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal32(9, 3),
        pa.decimal64(18, 3),
        pa.decimal128(38, 12),
        pa.decimal128(38, 20),
        pa.decimal256(76, 12),
        pa.decimal256(76, 40),
        pa.int8(),
        pa.int64(),
        pa.uint64(),
        pa.string(),
    ],
    ids=str,
)
def test_values_may_be_of_every_exact_type(
    store: metering.Metering, tokens: metering.Meter, kind: pa.DataType
) -> None:
    exact = ["7", "-2", "0"] if pa.types.is_signed_integer(kind) else ["7", "2", "0"]
    fraction = pa.types.is_decimal(kind) or pa.types.is_string(kind)
    numbers = [Decimal(each) + (Decimal("0.125") if fraction else 0) for each in exact]
    cells = [str(each) if pa.types.is_string(kind) else each for each in numbers]
    values = pa.array([*cells, None], kind)

    receipt = store.meter_events.ingest(columns(value=values))

    assert rejections(receipt) == [(3, None, "meter_event_invalid_value")]
    assert total(store, tokens) == sum(numbers)


def test_a_decimal_with_digits_that_cannot_be_kept_is_rejected_and_not_rounded(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    numbers = [Decimal("1E-12"), Decimal("1E-13"), Decimal("0.5"), Decimal("1E+17")]
    values = pa.array(numbers, pa.decimal256(60, 13))

    receipt = store.meter_events.ingest(columns(value=values))

    assert rejections(receipt) == [(1, None, "meter_event_invalid_value")]
    assert total(store, tokens) == Decimal("100000000000000000.500000000001")


def test_a_decimal_of_negative_scale_is_the_number_that_it_means(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    values = pa.array([Decimal(1200), Decimal(100)], pa.decimal128(5, -2))

    store.meter_events.ingest(columns(value=values))

    assert total(store, tokens) == 1300


def test_numbers_under_further_keys_are_written_with_all_their_digits(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    small = pa.array([Decimal("0.0000001"), Decimal(0)], pa.decimal128(20, 7))

    # A row that is not plain comes the other way, and is written the same.
    store.meter_events.ingest(columns(2, size=small, value=["1", "1e0"]))
    store.meter_events.ingest(columns(2, size=small, value=["1e0", "1"]))

    assert [each["size"] for each in payloads(store)] == [
        "0.0000001",
        "0.0000000",
        "0.0000001",
        "0.0000000",
    ]


def test_other_columns_are_payload_only_where_there_is_no_payload_column(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    given = {"stripe_customer_id": "cus_1", "value": "1"}
    rows = [{"event_name": "tokens", "payload": given, "model": 1.5, "value": "9"}]

    from_dicts = store.meter_events.ingest(rows, now=True)
    from_table = store.meter_events.ingest(
        pa.table(
            {
                "event_name": ["tokens"],
                "payload": pa.array(
                    [[*given.items()]], pa.map_(pa.string(), pa.string())
                ),
                "model": [1.5],
                "value": ["9"],
            }
        ),
        now=True,
    )

    assert counted(from_dicts) == counted(from_table) == (1, 0, 0)
    assert payloads(store) == [given, given]


TRACE: list[dict[str, Any]] = [
    {"TIMESTAMP": "2026-03-01 09:00:00.6805900", "who": "acme", "In": 374, "Out": 44, "id": 1},
    {"TIMESTAMP": "2026-03-01 09:00:01.0000000", "who": "acme", "In": 396, "Out": 109, "id": 2},
]  # fmt: skip


@pytest.mark.parametrize("is_columnar", [True, False])
def test_columns_of_other_names_and_constants_are_told(
    store: metering.Metering, tokens: metering.Meter, *, is_columnar: bool
) -> None:
    words = create_meter(
        store,
        "words",
        customer_mapping={"event_payload_key": "account"},
        value_settings={"event_payload_key": "size"},
    )
    rows = pa.Table.from_pylist(TRACE) if is_columnar else TRACE

    for name, value in (("tokens", "In"), ("words", "Out")):
        store.meter_events.ingest(
            rows,
            columns=Columns(
                event_name=Constant(name),
                timestamp="TIMESTAMP",
                customer="who",
                value=value,
                payload_keys=("id",),
            ),
            timezone="UTC",
        )

    assert total(store, tokens, "acme") == 770
    assert total(store, words, "acme") == 153
    events = list(store.meter_events.list())
    assert events[0].timestamp == datetime(2026, 3, 1, 9, 0, 0, 680590, tzinfo=UTC)
    assert events[0].payload == {
        "stripe_customer_id": "acme",
        "value": "374",
        "id": "1",
    }
    assert events[2].payload == {"account": "acme", "size": "44", "id": "1"}


@pytest.mark.parametrize("is_columnar", [True, False])
def test_customer_and_value_may_be_constants(
    store: metering.Metering, tokens: metering.Meter, *, is_columnar: bool
) -> None:
    rows = [{**row, "id": str(row["id"])} for row in TRACE]

    store.meter_events.ingest(
        pa.Table.from_pylist(rows) if is_columnar else rows,
        columns=Columns(
            event_name=Constant("tokens"),
            identifier="id",
            customer=Constant("cus_1"),
            value=Constant("2.5"),
            timestamp="TIMESTAMP",
            payload_keys=(),
        ),
        timezone="UTC",
    )

    assert total(store, tokens) == 5
    assert identifiers(store) == ["1", "2"]
    assert payloads(store) == [{"stripe_customer_id": "cus_1", "value": "2.5"}] * 2


@pytest.mark.parametrize("is_columnar", [True, False])
def test_a_column_may_have_several_meanings(
    store: metering.Metering, tokens: metering.Meter, *, is_columnar: bool
) -> None:
    rows = [{"id": "42"}]

    store.meter_events.ingest(
        pa.Table.from_pylist(rows) if is_columnar else rows,
        columns=Columns(
            event_name=Constant("tokens"), identifier="id", customer="id", value="id"
        ),
        now=True,
    )

    assert identifiers(store) == ["42"]
    assert payloads(store) == [{"stripe_customer_id": "42", "value": "42"}]


def test_a_payload_column_may_have_another_name(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    rows = [
        {"event_name": "tokens", "what": {"stripe_customer_id": "cus_1", "value": "1"}}
    ]

    store.meter_events.ingest(rows, columns=Columns(payload="what"), now=True)
    store.meter_events.ingest(
        pa.Table.from_pylist(rows), columns=Columns(payload="what"), now=True
    )

    assert total(store, tokens) == 2


def test_a_timestamp_column_named_otherwise_leaves_timestamp_to_the_payload(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    rows = columns(when=["2026-03-01T09:00:00Z"], timestamp=["as it was"])

    store.meter_events.ingest(rows, columns=Columns(timestamp="when"))

    [event] = store.meter_events.list()
    assert event.timestamp == AT_NINE
    assert event.payload["timestamp"] == "as it was"
