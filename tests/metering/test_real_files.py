"""Files of others load as they are, by one command each, and sum up to the digit."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.cli.running import run
from tests.metering.doors.place import Place, served_place

FILES = Path(__file__).parents[1] / "data" / "senders"
TRACE = Path(__file__).parents[3] / "shared" / "data" / "azure_llm_code_2023.csv"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "usage")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with served_place(tmp_path) as served:
        yield served


def ingested(store: str, file: Path, *options: str) -> dict[str, object]:
    """What one command says of a file; it may make its meter."""
    meter = ("--event-name", "tokens", "--create-meter", "sum")
    result = run(
        *("ingest", file, "--store", store, "--json", "--backfill"), *meter, *options
    )
    assert result.exit_code == 0, result.output
    (report,) = json.loads(result.stdout)
    return {
        key: each
        for key, each in report.items()
        if key in {"accepted", "duplicates", "rejected", "left_out", "rounded"}
    }


def sums(store: str) -> dict[str, Decimal]:
    """Everything that ever counted, by customer."""
    with metering.connect(store) as m:
        return summed(m)


def summed(m: metering.Metering) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for row in m.reaggregate(window="month").to_pylist():
        found[row["customer"]] = found.get(row["customer"], Decimal(0)) + row["value"]
    return found


def events(store: str) -> list[metering.MeterEvent]:
    with metering.connect(store) as m:
        return list(m.meter_events.list())


def test_a_trace_of_a_language_model(store: str) -> None:
    said = ingested(
        store,
        FILES / "azure_llm_code_2023.csv",
        *("--timestamp-column", "TIMESTAMP", "--timezone", "UTC"),
        *("--value-column", "ContextTokens", "--customer", "cus_1"),
    )

    assert said == receipt(accepted=40)
    assert sums(store) == {"cus_1": 105_353}
    first = events(store)[0]
    assert first.timestamp == datetime(2023, 11, 16, 18, 17, 3, 979_960, UTC)
    assert first.payload["GeneratedTokens"] == "10"


@pytest.mark.skipif(not TRACE.exists(), reason="the whole trace is not here")
def test_the_whole_trace(store: str) -> None:
    said = ingested(
        store,
        TRACE,
        *("--timestamp-column", "TIMESTAMP", "--timezone", "UTC"),
        *("--value-column", "ContextTokens", "--customer", "cus_1"),
    )

    assert said == receipt(accepted=8_819)
    assert sums(store) == {"cus_1": 18_059_974}


def test_a_trace_with_lists_and_milliseconds(store: str) -> None:
    said = ingested(
        store,
        FILES / "serving_trace.jsonl",
        *("--timestamp-unit", "ms", "--value-column", "input_length"),
        *("--customer", "cus_1"),
    )

    # One of the lists has 599 characters, and no other more than 500.
    assert said == receipt(accepted=20, left_out={"hash_ids": 1})
    assert sums(store) == {"cus_1": 292_663}
    found = events(store)
    assert (
        found[0].payload["hash_ids"]
        == "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23]"
    )
    assert found[-1].timestamp == datetime(1970, 1, 1, 0, 0, 3, 250_000, UTC)


def test_an_export_of_costs(store: str) -> None:
    said = ingested(
        store,
        FILES / "focus_export.csv",
        *("--timestamp-column", "ChargePeriodStart", "--timezone", "UTC"),
        *("--customer-column", "SubAccountId", "--value-column", "BilledCost"),
    )

    # Of one charge nobody is the customer: it is a tax on the whole account.
    assert said == receipt(accepted=35, rejected=1, left_out={"Tags": 5})
    assert sums(store) == {
        "sub-0": Decimal("17.3451977237"),
        "sub-1": Decimal("36.0816460478"),
        "sub-2": Decimal("39.8672484180"),
        "sub-3": Decimal("19.9460096012"),
    }
    # What is null is not there.
    assert "ChargeClass" not in events(store)[0].payload


def test_a_log_of_spend(store: str) -> None:
    said = ingested(
        store,
        FILES / "spend_log.jsonl",
        *("--timestamp-column", "startTime", "--customer-column", "user"),
        *("--value-column", "spend", "--identifier-column", "request_id"),
        *("--rounding", "half_even"),
    )

    assert said == receipt(accepted=24, rounded=8)
    assert sums(store) == {
        "user-0": Decimal("0.004977582333"),
        "user-1": Decimal("0.005473024"),
        "user-2": Decimal("0.006683211667"),
    }
    payload = events(store)[1].payload
    assert (payload["stream"], payload["request_tags"]) == ("true", '["prod","eu"]')
    assert "completionStartTime" not in payload


def test_a_log_of_spend_is_never_rounded_unasked(store: str) -> None:
    said = ingested(
        store,
        FILES / "spend_log.jsonl",
        *("--timestamp-column", "startTime", "--customer-column", "user"),
        *("--value-column", "spend", "--identifier-column", "request_id"),
    )

    assert said == receipt(accepted=16, rejected=8)


def test_events_of_a_gateway(place: Place) -> None:
    place.store.meters.create(
        display_name="Tokens",
        event_name="litellm_tokens",
        default_aggregation={"formula": "sum"},
        value_settings={"event_payload_key": "total_tokens"},
    )
    body = (FILES / "gateway_events.json").read_bytes()

    def post() -> tuple[int, int]:
        kind = "application/cloudevents-batch+json"
        answered = place.http.ask(
            "POST", "/metering/v1/meter_events", body, Content_Type=kind
        )
        assert answered.status == 200, answered.body
        return answered.json["accepted"], answered.json["duplicates"]

    assert post() == (12, 0)
    assert post() == (0, 12)
    assert summed(place.store) == {"user-0": 8_219, "user-1": 10_883, "user-2": 12_832}
    first = next(iter(place.store.meter_events.list()))
    assert first.payload["stream"] == "true"
    assert first.payload["usage"] == (
        '{"prompt_tokens_details":{"cached_tokens":0},"service_tier":null}'
    )
    assert "cost" not in first.payload


def test_a_parquet_file_of_every_kind_of_column(store: str, tmp_path: Path) -> None:
    """As pandas and Spark write them: doubles, nanoseconds, dictionaries, nested ones."""
    at = 1_767_225_600_123_456_789
    table = pa.table(
        {
            "at": pa.array([at, at + 1_000, None], pa.timestamp("ns", "UTC")),
            "who": pa.array(["acme", "beta", "acme"]).dictionary_encode(),
            "cost": pa.array([0.1, 1e-05, 2.5], pa.float64()),
            "tags": pa.array([{"team": "a", "n": 1}, None, {"team": "b", "n": None}]),
            "ids": pa.array([[1, 2], [], None], pa.list_(pa.int64())),
            "ratio": pa.array([0.5, None, 1e22], pa.float32()),
            "cached": pa.array([True, False, None]),
        }
    )
    file = tmp_path / "usage.parquet"
    pq.write_table(table, file)

    said = ingested(
        store,
        file,
        *("--timestamp-column", "at", "--customer-column", "who"),
        *("--value-column", "cost"),
    )

    # One row has no time, which is never taken for now.
    assert said == receipt(accepted=2, rejected=1)
    assert sums(store) == {"acme": Decimal("0.1"), "beta": Decimal("0.00001")}
    acme, beta = events(store)
    assert acme.timestamp == datetime(2026, 1, 1, 0, 0, 0, 123_456, UTC)
    assert acme.payload == {
        "stripe_customer_id": "acme",
        "value": "0.1",
        "tags": '{"team":"a","n":1}',
        "ids": "[1,2]",
        "ratio": "0.5",
        "cached": "true",
    }
    assert beta.payload == {
        "stripe_customer_id": "beta",
        "value": "0.00001",
        "ids": "[]",
        "cached": "false",
    }


def receipt(
    accepted: int,
    rejected: int = 0,
    left_out: dict[str, int] | None = None,
    rounded: int = 0,
) -> dict[str, object]:
    return {
        "accepted": accepted,
        "duplicates": 0,
        "rejected": rejected,
        "left_out": left_out or {},
        "rounded": rounded,
    }
