"""Events that break a rule: which code, which field, and nothing recorded."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import NOW, PAYLOAD, create_event, create_meter, total

MICROSECOND = timedelta(microseconds=1)


REFUSED_EVENTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"event_name": "words"}, "no_meter", "event_name", "'words'"),
    ({"event_name": ""}, "no_meter", "event_name", "''"),
    ({"event_name": None}, "parameter_missing", "event_name", "string"),
    ({"event_name": 5}, "parameter_invalid", "event_name", "found int"),
    ({"event_name": "n" * 101}, "parameter_too_long", "event_name", "100 characters"),
    ({"event_name": "a\0"}, "invalid_characters", "event_name", "NUL"),
    ({"event_name": "closed"}, "archived_meter", "event_name", "inactive"),
    (
        {"identifier": ""},
        "parameter_invalid_string_empty",
        "identifier",
        "1 to 100 characters",
    ),
    ({"identifier": "i" * 101}, "parameter_too_long", "identifier", "100 characters"),
    ({"identifier": "🚕" * 101}, "parameter_too_long", "identifier", "101 characters"),
    ({"identifier": "a\0b"}, "invalid_characters", "identifier", "NUL"),
    ({"identifier": "\ud83d"}, "invalid_characters", "identifier", "surrogate"),
    ({"identifier": 5}, "parameter_invalid", "identifier", "found int"),
    (
        {"timestamp": NOW - timedelta(days=35) - MICROSECOND},
        "timestamp_too_far_in_past",
        "timestamp",
        "35 days in past. Expected a timestamp greater than or equal to 2026-01-25T12:",
    ),
    ({"timestamp": -1}, "timestamp_too_far_in_past", "timestamp", "35 days"),
    (
        {"timestamp": NOW + timedelta(minutes=5) + MICROSECOND},
        "timestamp_in_future",
        "timestamp",
        "in the future. Expected a timestamp less than or equal to 2026-03-01T12:05:",
    ),
    (
        {"timestamp": datetime(2026, 3, 1, 12)},  # noqa: DTZ001  # Naive on purpose.
        "timestamp_invalid",
        "timestamp",
        "aware",
    ),
    ({"timestamp": "yesterday"}, "timestamp_invalid", "timestamp", "ISO 8601"),
    ({"timestamp": ""}, "timestamp_invalid", "timestamp", "ISO 8601"),
    ({"timestamp": "2026-02-30"}, "timestamp_invalid", "timestamp", "2026-02-30"),
    ({"timestamp": 10**30}, "timestamp_invalid", "timestamp", "seconds since 1970"),
    ({"timestamp": 1.5}, "timestamp_too_far_in_past", "timestamp", "35 days"),
    ({"timestamp": float("inf")}, "timestamp_invalid", "timestamp", "no year"),
    (
        {"timestamp": 1_772_359_200_000},
        "timestamp_invalid",
        "timestamp",
        "in milliseconds it is 2026-03-01T10:00:00.000Z; give seconds",
    ),
    ({"timestamp": date(2026, 3, 1)}, "timestamp_invalid", "timestamp", "not a time"),
    ({"timestamp": True}, "timestamp_invalid", "timestamp", "True"),
    ({"payload": None}, "payload_invalid", "payload", "keys and values"),
    ({"payload": [("value", "1")]}, "payload_invalid", "payload", "found list"),
    (
        {"payload": {"value": "1"}},
        "meter_event_no_customer_defined",
        "payload[stripe_customer_id]",
        "stripe_customer_id",
    ),
    (
        {"payload": {"stripe_customer_id": "", "value": "1"}},
        "meter_event_no_customer_defined",
        "payload[stripe_customer_id]",
        "stripe_customer_id",
    ),
    (
        {"payload": {"stripe_customer_id": "cus_1"}},
        "meter_event_invalid_value",
        "payload[value]",
        "value not found",
    ),
    (
        {"payload": {"stripe_customer_id": "c" * 501, "value": "1"}},
        "parameter_too_long",
        "payload[stripe_customer_id]",
        "500 characters",
    ),
    (
        {"payload": {**PAYLOAD, "model": "x" * 501}},
        "parameter_too_long",
        "payload[model]",
        "500 characters",
    ),
    (
        {"payload": {**PAYLOAD, "value": 10**5000}},
        "parameter_too_long",
        "payload[value]",
        "500 characters",
    ),
    (
        {"payload": {**PAYLOAD, "k" * 101: "x"}},
        "parameter_too_long",
        "payload",
        "100 characters",
    ),
    (
        {"payload": {**PAYLOAD, "model": "a\0"}},
        "invalid_characters",
        "payload[model]",
        "NUL",
    ),
    (
        {"payload": {**PAYLOAD, "model": "\udfff"}},
        "invalid_characters",
        "payload[model]",
        "surrogate",
    ),
    (
        {"payload": {**PAYLOAD, "model\0": "x"}},
        "invalid_characters",
        "payload",
        "NUL",
    ),
    ({"payload": {**PAYLOAD, 5: "x"}}, "parameter_invalid", "payload", "found int"),
]


@pytest.mark.parametrize(("changes", "code", "param", "rule"), REFUSED_EVENTS)
def test_an_event_that_breaks_a_rule_is_refused_and_told_which(
    store: metering.Metering,
    tokens: metering.Meter,
    changes: dict[str, Any],
    code: str,
    param: str,
    rule: str,
) -> None:
    store.meters.deactivate(create_meter(store, "closed").id)
    before = store.position

    with refused(code, param, rule, kind=metering.MeterEventInvalidError):
        create_event(store, **changes)

    assert store.position == before


@pytest.mark.parametrize(
    "value", [True, False, None, {"a": "1"}, ["1"], b"1", object()]
)
@pytest.mark.parametrize("key", ["value", "stripe_customer_id", "model"])
def test_a_payload_value_that_is_no_text_nor_number_is_refused(
    store: metering.Metering, tokens: metering.Meter, value: Any, key: str
) -> None:
    with refused(
        "payload_invalid", f"payload[{key}]", key, kind=metering.MeterEventInvalidError
    ):
        create_event(store, payload={**PAYLOAD, key: value})


@pytest.mark.parametrize("customer", [5.0, float("nan"), Decimal("5.0")])
def test_a_number_with_a_point_names_no_customer(
    store: metering.Metering, tokens: metering.Meter, customer: float | Decimal
) -> None:
    key = "stripe_customer_id"
    row = {"event_name": "tokens", key: customer, "value": 1}
    kind = pa.decimal128(9, 1) if isinstance(customer, Decimal) else pa.float64()
    value = type(customer)(1)
    in_maps = pa.array(
        [[(key, customer), ("value", value)]], pa.map_(pa.string(), kind)
    )
    sources = [
        [row],
        pa.Table.from_pylist([row]),
        pa.table({"event_name": ["tokens"], "payload": in_maps}),
    ]

    with refused("payload_invalid", f"payload[{key}]", "a whole number"):
        create_event(store, payload={key: customer, "value": "1"})
    receipts = [store.meter_events.ingest(source, now=True) for source in sources]

    assert [receipt.rejections["code"].to_pylist() for receipt in receipts] == [
        ["payload_invalid"]
    ] * 3


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "five", "+5", ".5", "5.", " 5", "5 ", "5\n", "1_000", "1,5", "0x10",
        "1e18", "1e-13", "1e400", "NaN", "Infinity", "\u0663", "\uff11\uff12", "--1",
        "1" + "0" * 18, "0.0000000000001",
        float("nan"), float("-inf"), 1e18, 1e-13, 0.1 + 0.2,
        Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+18"), 10**18,
    ],
)  # fmt: skip
def test_a_value_that_is_no_plain_number_is_refused(
    store: metering.Metering, tokens: metering.Meter, value: str | float | Decimal
) -> None:
    with pytest.raises(metering.MeterEventInvalidError) as refusal:
        create_event(store, payload={"stripe_customer_id": "cus_1", "value": value})

    assert refusal.value.code == "meter_event_invalid_value"
    assert refusal.value.param == "payload[value]"
    assert refusal.value.message.startswith("Invalid value '")


def test_both_ends_of_the_time_that_is_taken_belong_to_it(
    store: metering.Metering, tokens: metering.Meter
) -> None:
    oldest = create_event(store, timestamp=NOW - timedelta(days=35))
    newest = create_event(store, timestamp=NOW + timedelta(minutes=5))

    assert oldest.timestamp == datetime(2026, 1, 25, 12, tzinfo=UTC)
    assert newest.timestamp == datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


def test_a_refused_event_does_not_use_its_identifier_up(
    store: metering.Metering,
) -> None:
    meter = create_meter(store)

    with pytest.raises(metering.MeterEventInvalidError):
        create_event(
            store,
            payload={"stripe_customer_id": "cus_1", "value": "x"},
            identifier="req-1",
        )
    corrected = create_event(store, identifier="req-1")

    assert not corrected.duplicate
    assert total(store, meter) == 1
