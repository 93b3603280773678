import gzip
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import metering
from metering.cli.app import app
from tests.metering.cli.running import assert_fails

TRACE = Path(__file__).parents[4] / "shared" / "data" / "azure_llm_code_2023.csv"
CSV = """\
when,who,how much,model
2025-03-01 10:00:00.1234560,cus_1,12.5,large
2025-03-01 11:00:00,cus_2,1e3,large
2025-03-01 12:00:00,,7,small
2025-03-01 13:00:00,cus_1,"1,5",small
"""
NAMED = (
    *("--event-name", "tokens", "--create-meter", "sum", "--backfill"),
    *("--timestamp-column", "when", "--customer-column", "who"),
    *("--value-column", "how much"),
)


def ingest(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["ingest", *(str(each) for each in arguments)])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "store"


@pytest.fixture
def events_csv(tmp_path: Path) -> Path:
    """A file that was not made for us, two of its four rows wrong."""
    path = tmp_path / "events.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


@pytest.fixture
def truncated(tmp_path: Path) -> Path:
    """A file whose end is lost, with more than a batch of rows before it."""
    path = tmp_path / "calls.ndjson.gz"
    row = f'{{"host": "{"a" * 80}", "times": "1"}}\n'
    path.write_bytes(gzip.compress(row.encode() * 150_000)[:-100])
    return path


@pytest.mark.skipif(not TRACE.exists(), reason="the trace is not part of the project")
def test_trace_becomes_a_meter_for_each_value_column(store: Path) -> None:
    shared = ("--timestamp-column", "TIMESTAMP", "--customer", "cus_1", "--backfill")
    totals = {"context_tokens": "ContextTokens", "generated_tokens": "GeneratedTokens"}

    for expected in (8819, 0), (0, 8819):
        for event_name, column in totals.items():
            named = ("--event-name", event_name, "--value-column", column)
            made = ("--create-meter", "sum", "--json", "--store", store)
            result = ingest(TRACE, *shared, *named, *made)

            (report,) = json.loads(result.stdout)
            assert (report["accepted"], report["duplicates"]) == expected
            assert report["rejected"] == 0

    trace = pyarrow.csv.read_csv(TRACE)
    with metering.connect(store) as m:
        for meter in m.meters.list():
            (summary,) = m.meters.event_summaries(
                meter.id,
                customer="cus_1",
                start_time="2023-11-16",
                end_time="2023-11-17",
            )
            values = trace.column(totals[meter.event_name]).to_pylist()
            assert summary.aggregated_value == sum(values)


def test_good_rows_are_kept_and_bad_rows_told(store: Path, events_csv: Path) -> None:
    result = ingest(events_csv, *NAMED, "--store", store)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["file", "accepted", "duplicates", "rejected", "rows/s"]
    assert lines[2].split()[:4] == ["events.csv", "2", "0", "2"]
    assert lines[3] == "events.csv: 2 rejected"
    assert lines[6].split()[:2] == ["2", "meter_event_no_customer_defined"]
    assert lines[7].split()[:2] == ["3", "meter_event_invalid_value"]
    with metering.connect(store) as m:
        events = list(m.meter_events.list())
    assert [event.payload["value"] for event in events] == ["12.5", "1000"]
    assert events[0].timestamp.microsecond == 123456


def test_files_are_reported_one_by_one(
    store: Path, events_csv: Path, tmp_path: Path
) -> None:
    table = pa.table(
        {
            "event_name": ["tokens", "tokens"],
            "identifier": ["a", "a"],
            "timestamp": ["2025-03-01T00:00:00Z", "2025-03-01T00:00:00Z"],
            "stripe_customer_id": ["cus_3", "cus_3"],
            "value": pa.array([Decimal("0.1"), Decimal("0.1")]),
        }
    )
    other = tmp_path / "other.parquet"
    pq.write_table(table, other)
    ingest(events_csv, *NAMED, "--store", store)

    result = ingest(other, other, "--backfill", "--json", "--store", store)

    first, second = json.loads(result.stdout)
    assert (first["accepted"], first["duplicates"]) == (1, 1)
    assert (second["accepted"], second["duplicates"]) == (0, 2)
    assert first["first_position"] == first["last_position"] == 4
    assert second["first_position"] is None


def test_constants_stand_for_columns(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "calls.ndjson"
    path.write_text(
        '{"n": "1", "host": "a"}\n{"n": "2", "host": "b"}\n', encoding="utf-8"
    )
    constants = ("--event-name", "calls", "--customer", "cus_1", "--value", "0.25")
    columns = ("--identifier-column", "n", "--payload-column", "host")

    result = ingest(
        path, *constants, *columns, "--create-meter", "sum", "--store", store
    )

    assert result.exit_code == 0
    with metering.connect(store) as m:
        events = list(m.meter_events.list())
    assert [event.identifier for event in events] == ["1", "2"]
    assert [event.payload for event in events] == [
        {"stripe_customer_id": "cus_1", "value": "0.25", "host": "a"},
        {"stripe_customer_id": "cus_1", "value": "0.25", "host": "b"},
    ]


def test_only_named_payload_columns_are_kept(store: Path, events_csv: Path) -> None:
    ingest(events_csv, *NAMED, "--payload-column", "when", "--store", store)

    with metering.connect(store) as m:
        first = next(m.meter_events.list())
    assert "model" not in first.payload


def test_everything_rejected_is_a_failure_with_a_remedy(
    store: Path, events_csv: Path
) -> None:
    unknown = ingest(events_csv, "--event-name", "other", "--store", store)
    recent = [each for each in NAMED if each != "--backfill"]
    too_old = ingest(events_csv, *recent, "--store", store)

    assert unknown.exit_code == too_old.exit_code == 1
    assert "no_meter" in unknown.stdout
    assert "--create-meter" in unknown.stdout
    assert "timestamp_too_far_in_past" in too_old.stdout
    assert "--backfill" in too_old.stdout


def test_meter_with_another_formula_is_not_replaced(
    store: Path, events_csv: Path
) -> None:
    ingest(events_csv, *NAMED, "--store", store)

    result = ingest(events_csv, *NAMED, "--create-meter", "count", "--store", store)

    assert_fails(result, "'tokens'", "formula sum, not count")


@pytest.mark.parametrize("ending", ["parquet", "csv", "ndjson"])
def test_rejections_are_written_to_a_file(
    ending: str, store: Path, events_csv: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"rejections.{ending}"

    ingest(events_csv, *NAMED, "--rejections", path, "--store", store)

    match ending:
        case "parquet":
            rows = pq.read_table(path).to_pylist()
        case "csv":
            rows = pyarrow.csv.read_csv(path).to_pylist()
        case _:
            rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["file"], row["row"], row["code"]) for row in rows] == [
        (str(events_csv), 2, "meter_event_no_customer_defined"),
        (str(events_csv), 3, "meter_event_invalid_value"),
    ]


@pytest.mark.parametrize("name", ["rejections.txt", "nowhere/rejections.csv"])
def test_rejections_that_cannot_be_written_stop_it_before_it_starts(
    name: str, store: Path, events_csv: Path, tmp_path: Path
) -> None:
    rejections = ("--rejections", tmp_path / name)

    result = ingest(events_csv, *NAMED, *rejections, "--store", store)

    assert_fails(result, name)
    assert not store.exists()


def test_file_that_is_not_there_is_named(store: Path, events_csv: Path) -> None:
    result = ingest(events_csv, "nowhere.csv", *NAMED, "--store", store)

    assert_fails(result, "nowhere.csv")
    assert not store.exists()


def test_directory_is_no_file(store: Path, tmp_path: Path) -> None:
    (tmp_path / "directory.csv").mkdir()

    assert_fails(ingest(tmp_path / "directory.csv", "--store", store), "directory.csv")


def test_path_through_a_file_is_refused(store: Path, events_csv: Path) -> None:
    assert_fails(ingest(events_csv / "events.csv", "--store", store), "events.csv")


def test_truncated_parquet_file_is_refused(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pq.write_table(pa.table({"event_name": ["tokens"] * 1000}), path)
    path.write_bytes(path.read_bytes()[:-10])

    assert_fails(ingest(path, "--store", store), "events.parquet")
    assert not store.exists()


def test_column_that_is_not_there_is_named_with_those_that_are(
    store: Path, events_csv: Path
) -> None:
    result = ingest(events_csv, "--event-name-column", "name", "--store", store)

    assert_fails(result, "'name'", "when, who, how much, model")
    assert not store.exists()


def test_fault_in_the_middle_of_a_file_keeps_what_came_before(
    store: Path, truncated: Path
) -> None:
    named = ("--event-name", "calls", "--customer", "cus_1", "--value-column", "times")

    result = ingest(truncated, *named, "--create-meter", "sum", "--store", store)

    assert_fails(result, "calls.ndjson.gz", "the first 50,000 rows are done and kept")
    with metering.connect(store) as m:
        assert m.position == 50_001


def test_report_of_one_file_survives_the_failure_of_the_next(
    store: Path, events_csv: Path, truncated: Path
) -> None:
    result = ingest(events_csv, truncated, *NAMED, "--json", "--store", store)

    assert_fails(result, "no column 'who'")
    assert [report["accepted"] for report in json.loads(result.stdout)] == [2]


@pytest.mark.parametrize(
    "options",
    [
        ["--event-name", "a", "--event-name-column", "b"],
        ["--customer", "a", "--customer-column", "b"],
        ["--value", "1", "--value-column", "b"],
        ["--create-meter", "sum"],
        ["--create-meter", "median", "--event-name", "a"],
    ],
    ids=" ".join,
)
def test_options_that_contradict_each_other_are_refused(
    options: list[str], store: Path, events_csv: Path
) -> None:
    assert ingest(events_csv, *options, "--store", store).exit_code == 2
    assert not store.exists()
