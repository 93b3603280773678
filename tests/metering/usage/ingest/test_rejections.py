"""Rejections: each bad row with its number, identifier, code and reason; the rest kept."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

import metering
from tests.conftest import Connect
from tests.metering.usual_usage import (
    PAYLOAD,
    columns,
    counted,
    create_meter,
    identifiers,
    rejections,
    table,
    total,
)

BAD_CELLS: list[tuple[str, str | None, str]] = [
    ("event_name", None, "parameter_missing"),
    ("event_name", "nothing", "no_meter"),
    ("event_name", "closed", "archived_meter"),
    ("event_name", "n" * 101, "parameter_too_long"),
    ("event_name", "a\0", "invalid_characters"),
    ("identifier", "", "parameter_invalid_string_empty"),
    ("identifier", "i" * 101, "parameter_too_long"),
    ("identifier", "a\0", "invalid_characters"),
    ("timestamp", "soon", "timestamp_invalid"),
    ("timestamp", "2020-01-01T00:00:00Z", "timestamp_too_far_in_past"),
    ("timestamp", "2030-01-01T00:00:00Z", "timestamp_in_future"),
    ("stripe_customer_id", None, "meter_event_no_customer_defined"),
    ("stripe_customer_id", "", "meter_event_no_customer_defined"),
    ("stripe_customer_id", "c" * 501, "parameter_too_long"),
    ("stripe_customer_id", "a\0", "invalid_characters"),
    ("value", None, "meter_event_invalid_value"),
    ("value", "", "meter_event_invalid_value"),
    ("value", "five", "meter_event_invalid_value"),
    ("value", "1" * 27, "meter_event_invalid_value"),
    ("value", "1" * 501, "parameter_too_long"),
    ("value", "1\0", "invalid_characters"),
]


GOOD: dict[str, object] = {
    "event_name": "tokens",
    "timestamp": "2026-03-01T09:00:00Z",
    **PAYLOAD,
    "model": "large",
}


def spoilt_rows() -> list[dict[str, object]]:
    """A row for each bad cell, and a good one before each."""
    return [
        row
        for turn, (column, cell, _) in enumerate(BAD_CELLS)
        for row in (
            {**GOOD, "identifier": f"good-{turn}"},
            {**GOOD, "identifier": f"spoilt-{turn}", column: cell},
        )
    ]


def as_maps(rows: list[dict[str, object]]) -> pa.Table:
    own = ("event_name", "identifier", "timestamp")
    payloads = [
        [
            (key, cell)
            for key, cell in row.items()
            if key not in own and cell is not None
        ]
        for row in rows
    ]
    kind = pa.map_(pa.string(), pa.string())
    return table(rows).select(own).append_column("payload", pa.array(payloads, kind))


SHAPES: dict[str, Callable[[list[dict[str, object]]], object]] = {
    "table": table,
    "maps": as_maps,
    "dicts": list,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_bad_rows_are_reported_and_the_rows_around_them_are_kept(
    store: metering.Metering, tokens: metering.Meter, shape: str
) -> None:
    store.meters.deactivate(create_meter(store, "closed").id)

    receipt = store.meter_events.ingest(SHAPES[shape](spoilt_rows()))

    assert rejections(receipt) == [
        (2 * turn + 1, cell if column == "identifier" else f"spoilt-{turn}", code)
        for turn, (column, cell, code) in enumerate(BAD_CELLS)
    ]
    assert counted(receipt) == (21, 0, 21)
    assert identifiers(store) == [f"good-{turn}" for turn in range(21)]
    assert total(store, tokens) == 21


def test_the_reason_of_a_rejection_is_that_of_the_single_event(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    store.meters.deactivate(create_meter(store, "closed").id)
    own = ("event_name", "identifier", "timestamp")

    receipt = store.meter_events.ingest(table(spoilt_rows()))

    reasons = []
    for row in spoilt_rows()[1::2]:
        fields: dict[str, Any] = {name: row[name] for name in own}
        payload: Any = {
            key: cell
            for key, cell in row.items()
            if key not in own and cell is not None
        }
        with pytest.raises(metering.MeterEventInvalidError) as refusal:
            store.meter_events.create(**fields, payload=payload)
        reasons.append(refusal.value.message)
    assert receipt.rejections["message"].to_pylist() == reasons


def test_rejections_are_a_table_in_the_order_of_the_rows(
    connect: Connect, clock: metering.FixedClock
) -> None:
    store = connect(clock=clock)
    create_meter(store)

    receipt = store.meter_events.ingest(
        columns(
            event_name=["nothing", "tokens", "tokens", "tokens", "nothing"],
            identifier=["a", "b", "c", "b", "e"],
            value=["1", "1", "x", "2", "1"],
        )
    )

    assert receipt.rejections.schema == pa.schema(
        [
            pa.field("row", pa.int64(), nullable=False),
            pa.field("identifier", pa.string()),
            pa.field("code", pa.string(), nullable=False),
            pa.field("message", pa.string(), nullable=False),
        ]
    )
    assert rejections(receipt) == [
        (0, "a", "no_meter"),
        (2, "c", "meter_event_invalid_value"),
        (3, "b", "identifier_conflict"),
        (4, "e", "no_meter"),
    ]
    assert receipt.rejected == receipt.rejections.num_rows == 4


def test_without_rejections_the_table_is_empty_and_has_its_columns(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    receipt = store.meter_events.ingest(columns())

    assert receipt.rejections.column_names == ["row", "identifier", "code", "message"]
    assert receipt.rejections.num_rows == 0


def test_the_first_broken_rule_is_the_one_reported(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    names = ["event_name", "identifier", "timestamp", "stripe_customer_id", "value"]
    broken = dict(zip(names, ["nothing", "", "soon", "", "x"], strict=True))
    good = {**GOOD, "identifier": "a"}
    rows: list[dict[str, object]] = [
        {**broken, **{name: good[name] for name in names[:turn]}} for turn in range(5)
    ]

    for shape in SHAPES.values():
        receipt = store.meter_events.ingest(shape(rows))

        assert [code for _, _, code in rejections(receipt)] == [
            "no_meter",
            "parameter_invalid_string_empty",
            "timestamp_invalid",
            "meter_event_no_customer_defined",
            "meter_event_invalid_value",
        ]


def test_a_batch_of_bad_rows_records_nothing(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    receipt = store.meter_events.ingest(columns(2, value=["x", "y"]))

    assert counted(receipt) == (0, 0, 2)
    assert (receipt.first_position, receipt.last_position) == (None, None)
    assert store.position == 1


@pytest.mark.parametrize(
    "row",
    [5, None, "text", ["list"], ("event_name", "tokens"), object()],
    ids=lambda row: type(row).__name__,
)
def test_a_row_that_is_no_dict_is_rejected(
    store: metering.Metering, tokens: metering.Meter, row: object
) -> None:
    [good] = columns().to_pylist()

    receipt = store.meter_events.ingest([good, row, good])

    assert rejections(receipt) == [(1, None, "row_invalid")]
    assert type(row).__name__ in receipt.rejections["message"][0].as_py()
    assert receipt.accepted == 2


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, "meter_event_no_customer_defined"),
        ([], "payload_invalid"),
        (5, "payload_invalid"),
        ("{", "payload_invalid"),
        ("[]", "payload_invalid"),
        ("[" * 100_000, "payload_invalid"),
        ('{"stripe_customer_id": "cus_1", "value": NaN}', "payload_invalid"),
        ('{"value": 1, "stripe_customer_id": "c", "value": 1}', "payload_invalid"),
        ({**PAYLOAD, "value": [1.5]}, "payload_invalid"),
        ({**PAYLOAD, "value": True}, "payload_invalid"),
        ({**PAYLOAD, "value": None}, "payload_invalid"),
        ({**PAYLOAD, "value": "\ud800"}, "invalid_characters"),
        ({**PAYLOAD, "value": 10**5000}, "parameter_too_long"),
    ],
)
def test_a_payload_that_breaks_a_rule_rejects_its_row_only(
    store: metering.Metering, tokens: metering.Meter, payload: object, code: str
) -> None:
    good = {"event_name": "tokens", "payload": PAYLOAD}

    receipt = store.meter_events.ingest(
        [good, {**good, "payload": payload}, good], now=True
    )

    assert rejections(receipt) == [(1, None, code)]
    assert receipt.accepted == 2


def test_a_map_that_names_a_key_twice_is_rejected(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    good = [("value", "1"), ("stripe_customer_id", "cus_1")]
    kind = pa.map_(pa.string(), pa.string())

    receipt = store.meter_events.ingest(
        pa.table(
            {
                "event_name": ["tokens"] * 4,
                "payload": pa.array(
                    [
                        good,
                        [*good, ("value", "1")],
                        [*good, ("a", ""), ("a", "")],
                        None,
                    ],
                    kind,
                ),
            }
        ),
        now=True,
    )

    assert rejections(receipt) == [
        (1, None, "payload_invalid"),
        (2, None, "payload_invalid"),
        (3, None, "payload_invalid"),
    ]


def not_utf8(text: bytes) -> pa.Array:
    """Text as a careless writer leaves it: nobody checked that it is UTF-8."""
    lengths = pa.py_buffer(b"\0\0\0\0" + len(text).to_bytes(4, "little"))
    return pa.Array.from_buffers(pa.string(), 1, [None, lengths, pa.py_buffer(text)])


@pytest.mark.parametrize(
    "column", ["event_name", "identifier", "stripe_customer_id", "value"]
)
def test_text_that_is_not_utf8_is_rejected_and_never_stored(
    store: metering.Metering, tokens: metering.Meter, column: str
) -> None:
    bad = columns(**{column: not_utf8(b"\xff\xfe")})
    good = columns(**{column: columns(identifier=["y"])[column]})

    receipt = store.meter_events.ingest(pa.concat_tables([good, bad, good]))

    rejected = [(row, code) for row, _, code in rejections(receipt)]
    assert rejected == [(1, "invalid_characters")]
    assert [*store.meter_events.list()]
    assert store.verify().ok


@pytest.mark.parametrize("shape", SHAPES)
def test_an_identifier_that_cannot_be_reported_is_reported_as_far_as_it_can(
    store: metering.Metering, tokens: metering.Meter, shape: str
) -> None:
    rows = [{**GOOD, "identifier": "i" * 5000}]

    receipt = store.meter_events.ingest(SHAPES[shape](rows))

    [(row, identifier, code)] = rejections(receipt)
    assert (row, code) == (0, "parameter_too_long")
    assert identifier
    assert len(identifier) <= 200
    assert "i" * 5000 not in receipt.rejections["message"][0].as_py()


def test_half_a_surrogate_pair_is_rejected_with_a_report_that_can_be_read(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    [row] = columns(identifier=["a"]).to_pylist()

    receipt = store.meter_events.ingest(
        [{**row, "identifier": "\ud800"}, {**row, "event_name": "\udfff"}, row]
    )

    assert [(each[0], each[2]) for each in rejections(receipt)] == [
        (0, "invalid_characters"),
        (1, "invalid_characters"),
    ]
    assert receipt.accepted == 1
