"""Small inputs that real files and senders resemble give what is written beside them.

They lie in `tests/data/doors`, and `tests/data/README.md` says what is right.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import metering
from tests.metering.cli.running import assert_fails, run
from tests.metering.doors.place import Place, served_place

INPUTS = Path(__file__).parents[1] / "data" / "doors"
BULK = "/metering/v1/meter_events"
CLOUD_EVENT = "application/cloudevents+json"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with served_place(tmp_path) as served:
        served.store.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        yield served


TOKENS = ("--event-name", "tokens")


def ingested(place: Place, name: str, *options: str) -> dict[str, Any]:
    result = run(
        *("ingest", INPUTS / name, "--store", place.target, "--json", "--backfill"),
        *options,
    )
    assert result.stdout, result.stderr
    (report,) = json.loads(result.stdout)
    return dict(report)


def counts(report: dict[str, Any]) -> tuple[int, int, int]:
    return report["accepted"], report["duplicates"], report["rejected"]


def events(place: Place) -> list[metering.MeterEvent]:
    return list(place.store.meter_events.list())


def values(place: Place) -> list[Decimal]:
    return [Decimal(each.payload["value"]) for each in events(place)]


def test_a_time_column_that_is_named_otherwise_is_never_taken_for_now(
    place: Place,
) -> None:
    result = run(
        *("ingest", INPUTS / "time_column_named_otherwise.csv", "--backfill"),
        *("--store", place.target, *TOKENS),
        *("--customer-column", "who", "--value-column", "tokens"),
    )

    assert_fails(result, "TIMESTAMP")
    assert events(place) == []


def test_a_time_column_that_is_named_is_read(place: Place) -> None:
    report = ingested(
        place,
        "time_column_named_otherwise.csv",
        *(*TOKENS, "--customer-column", "who", "--value-column", "tokens"),
        *("--timestamp-column", "TIMESTAMP", "--timezone", "UTC"),
    )

    assert counts(report) == (2, 0, 0)
    assert sum(values(place)) == 12
    assert [each.timestamp for each in events(place)] == [
        datetime(2024, 1, 15, 10, 0, 0, 123_456, UTC),
        datetime(2024, 1, 16, 11, 0, 0, 765_432, UTC),
    ]


def test_an_export_with_null_and_labels(place: Place) -> None:
    report = ingested(
        place,
        "export_with_null_and_labels.csv",
        *(*TOKENS, "--timestamp-column", "ChargePeriodStart", "--timezone", "UTC"),
        *("--customer-column", "SubAccountId", "--value-column", "BilledCost"),
    )

    assert counts(report) == (2, 0, 1)
    assert report["left_out"] == {"Tags": 1}
    (rejected,) = report["first_rejections"]
    assert rejected["code"] == "meter_event_no_customer_defined"
    assert sum(values(place)) == Decimal("-0.2499876544")


def test_a_trace_in_milliseconds(place: Place) -> None:
    report = ingested(
        place,
        "trace_in_milliseconds.jsonl",
        *(*TOKENS, "--timestamp-unit", "ms", "--customer", "cus_1"),
        *("--value-column", "input_length"),
    )

    # Two of its rows differ in nothing that is counted, and are two events.
    assert counts(report) == (3, 0, 0)
    assert sum(values(place)) == 248
    days = {each.timestamp.date() for each in events(place)}
    assert days == {datetime(2024, 10, 27, tzinfo=UTC).date()}


def test_a_spend_log_of_floats(place: Place) -> None:
    named = (
        *(*TOKENS, "--timestamp-column", "startTime", "--customer-column", "user"),
        *("--value-column", "spend", "--identifier-column", "request_id"),
    )

    strict = ingested(place, "spend_log_float.jsonl", *named)
    assert counts(strict) == (1, 0, 2)
    assert [each["row"] for each in strict["first_rejections"]] == [0, 1]
    assert values(place) == [Decimal("0.000077")]

    rounded = ingested(place, "spend_log_float.jsonl", *named, "--rounding=half_even")
    assert counts(rounded) == (2, 1, 0)
    assert rounded["rounded"] == 2
    assert sorted(values(place)) == [
        Decimal("0.00001"),
        Decimal("0.000077"),
        Decimal("0.001615"),
    ]


def test_a_cloud_event_of_a_gateway_in_both_modes(place: Place) -> None:
    body = (INPUTS / "cloudevent_of_a_gateway.json").read_bytes()
    attributes = json.loads(body)
    data = json.dumps(attributes.pop("data")).encode()
    kind = attributes.pop("datacontenttype")
    headers = {f"CE_{name.upper()}": each for name, each in attributes.items()}

    structured = place.http.ask("POST", BULK, body, Content_Type=CLOUD_EVENT)
    binary = place.http.ask("POST", BULK, data, Content_Type=kind, **headers)
    unknown = place.http.ask(
        "POST", BULK, body.replace(b'"tokens"', b'"tokenz"'), Content_Type=CLOUD_EVENT
    )

    assert structured.json["accepted"] == 1
    assert (binary.status, binary.json["duplicates"]) == (200, 1)
    assert (unknown.status, unknown.error["code"]) == (400, "no_meter")
    (event,) = events(place)
    assert event.timestamp == datetime(2026, 3, 1, 0, 0, 0, 123_456, UTC)
    assert event.payload == {
        "stripe_customer_id": "u1",
        "value": "12",
        "model": "m-large",
        "stream": "true",
        "usage": '{"in":2,"out":10}',
    }


def test_gzip_of_two_members_as_a_file_and_as_a_body(place: Place) -> None:
    report = ingested(place, "two_members.ndjson.gz")
    assert counts(report) == (2, 0, 0)

    body = (INPUTS / "two_members.ndjson.gz").read_bytes()
    coded = {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip"}
    answered = place.http.ask("POST", f"{BULK}?backfill=true", body, **coded)
    assert counts(answered.json) == (0, 2, 0)


def test_a_key_that_is_named_twice_is_refused(place: Place) -> None:
    body = (INPUTS / "key_named_twice.json").read_bytes()

    answered = place.http.post_json("/v2/billing/meter_events", body)

    assert answered.status == 400
    assert events(place) == []


@pytest.mark.parametrize(
    ("identity", "again"), [("row", (1, 2, 0)), ("file", (3, 0, 0))]
)
def test_an_export_that_grew(
    place: Place, identity: str, again: tuple[int, int, int]
) -> None:
    named = (*TOKENS, "--customer-column", "customer", "--identity", identity)

    assert counts(ingested(place, "grown_1.csv", *named)) == (2, 0, 0)
    assert counts(ingested(place, "grown_2.csv", *named)) == again
