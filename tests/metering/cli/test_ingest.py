import gzip
import json
import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

import metering
from tests.metering.cli.running import assert_fails, assert_malformed, document, run
from tests.metering.usual_usage import columns, identifiers, payloads

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
    *("--timestamp-column", "when", "--timezone", "UTC", "--customer-column", "who"),
    *("--value-column", "how much"),
)


def ingest(*arguments: str | Path) -> Result:
    return run("ingest", *arguments)


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
def test_trace_becomes_a_meter_for_each_value_column(place: Path) -> None:
    shared = (
        *("--timestamp-column", "TIMESTAMP", "--timezone", "UTC"),
        *("--customer", "cus_1", "--backfill"),
    )
    totals = {"context_tokens": "ContextTokens", "generated_tokens": "GeneratedTokens"}

    for expected in (8819, 0), (0, 8819):
        for event_name, column in totals.items():
            named = ("--event-name", event_name, "--value-column", column)
            (report,) = document(
                "ingest", TRACE, *shared, *named, "--create-meter", "sum"
            )
            assert (report["accepted"], report["duplicates"]) == expected
            assert report["rejected"] == 0

    trace = pyarrow.csv.read_csv(TRACE)
    with metering.connect(place) as m:
        for meter in m.meters.list():
            (summary,) = m.meters.event_summaries(
                meter.id,
                customer="cus_1",
                start_time="2023-11-16",
                end_time="2023-11-17",
            )
            values = trace.column(totals[meter.event_name]).to_pylist()
            assert summary.aggregated_value == sum(values)


def test_good_rows_are_kept_and_bad_rows_told(place: Path, events_csv: Path) -> None:
    result = ingest(events_csv, *NAMED)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["file", "accepted", "duplicates", "rejected", "rows/s"]
    assert lines[2].split()[:4] == ["events.csv", "2", "0", "2"]
    assert lines[3] == "events.csv: 2 rejected"
    assert lines[6].split()[:2] == ["2", "meter_event_no_customer_defined"]
    assert lines[7].split()[:2] == ["3", "meter_event_invalid_value"]
    with metering.connect(place) as m:
        events = list(m.meter_events.list())
    assert [event.payload["value"] for event in events] == ["12.5", "1000"]
    assert events[0].timestamp.microsecond == 123456


def test_everything_rejected_is_a_failure_with_a_remedy(
    place: Path, events_csv: Path
) -> None:
    unknown = ingest(events_csv, "--event-name", "other", "--now")
    recent = [each for each in NAMED if each != "--backfill"]
    too_old = ingest(events_csv, *recent)

    assert unknown.exit_code == too_old.exit_code == 1
    assert "no_meter" in unknown.stdout
    assert "--create-meter" in unknown.stdout
    assert "timestamp_too_far_in_past" in too_old.stdout
    assert "--backfill" in too_old.stdout


def test_meter_with_another_formula_is_not_replaced(
    place: Path, events_csv: Path
) -> None:
    ingest(events_csv, *NAMED)

    result = ingest(events_csv, *NAMED, "--create-meter", "count")

    assert_fails(result, "'tokens'", "formula sum, not count")


@pytest.mark.parametrize("ending", ["parquet", "csv", "ndjson"])
def test_rejections_are_written_to_a_file(
    ending: str, place: Path, events_csv: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"rejections.{ending}"

    ingest(events_csv, *NAMED, "--rejections", path)

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


def test_fault_in_the_middle_of_a_file_keeps_what_came_before(
    place: Path, truncated: Path
) -> None:
    named = ("--event-name", "calls", "--customer", "cus_1", "--value-column", "times")

    options = ("--now", "--identity", "row")
    result = ingest(truncated, *named, "--create-meter", "sum", *options)

    assert_fails(result, "calls.ndjson.gz")
    found = re.search(r"the first ([\d,]+) rows are done and kept", result.stderr)
    assert found is not None
    kept = int(found[1].replace(",", ""))
    assert 50_000 <= kept < 150_000
    with metering.connect(place) as m:
        assert m.position == kept + 1  # With the meter.


def test_rows_that_are_known_by_a_file_that_cannot_be_read_whole_are_not_recorded(
    place: Path, truncated: Path
) -> None:
    named = ("--event-name", "calls", "--customer", "cus_1", "--value-column", "times")

    result = ingest(truncated, *named, "--create-meter", "sum", "--now")

    assert_fails(result, "calls.ndjson.gz")
    with metering.connect(place) as m:
        assert list(m.meter_events.list()) == []


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (
            "file",
            "Without an identifier: 4 rows, told apart by the file and their place",
        ),
        ("row", "Without an identifier: 4 rows, told apart by what they say"),
    ],
)
def test_screen_says_how_rows_without_identifiers_are_told_apart(
    place: Path, events_csv: Path, identity: str, words: str
) -> None:
    result = ingest(events_csv, *NAMED, "--identity", identity)

    assert words in " ".join(result.stdout.split())


def test_report_of_one_file_survives_the_failure_of_the_next(
    place: Path, events_csv: Path, truncated: Path
) -> None:
    result = ingest(events_csv, truncated, *NAMED, "--json")

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
    options: list[str], place: Path, events_csv: Path
) -> None:
    assert_malformed(ingest(events_csv, *options))
    assert not place.exists()


def test_files_are_reported_one_by_one(
    place: Path, events_csv: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.parquet"
    values = pa.array([Decimal("0.1")] * 2)
    pq.write_table(
        columns(
            identifier=["a", "a"], timestamp=["2025-03-01T00:00:00Z"] * 2, value=values
        ),
        other,
    )
    ingest(events_csv, *NAMED)

    first, second = document("ingest", other, other, "--backfill")

    assert (first["accepted"], first["duplicates"]) == (1, 1)
    assert (second["accepted"], second["duplicates"]) == (0, 2)
    assert first["first_position"] == first["last_position"] == 4
    assert second["first_position"] is None


def test_constants_stand_for_columns_and_only_named_ones_are_kept(
    place: Path, tmp_path: Path
) -> None:
    path = tmp_path / "calls.ndjson"
    rows = [{"n": "1", "host": "a", "x": "y"}, {"n": "2", "host": "b", "x": "y"}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    constants = ("--event-name", "calls", "--customer", "cus_1", "--value", "0.25")
    named = ("--identifier-column", "n", "--payload-column", "host")

    result = ingest(path, *constants, *named, "--create-meter", "sum", "--now")

    assert result.exit_code == 0
    with metering.connect(place) as m:
        assert identifiers(m) == ["1", "2"]
        assert payloads(m) == [
            {"stripe_customer_id": "cus_1", "value": "0.25", "host": "a"},
            {"stripe_customer_id": "cus_1", "value": "0.25", "host": "b"},
        ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["events.csv", "nowhere.csv", *NAMED], ["nowhere.csv"]),
        (["directory.csv"], ["directory.csv"]),
        (["events.csv/events.csv"], ["events.csv"]),
        (["truncated.parquet"], ["truncated.parquet"]),
        (
            ["events.csv", "--event-name-column", "name"],
            ["'name'", "when, who, how much, model"],
        ),
        (["events.csv", *NAMED, "--rejections", "x.txt"], ["x.txt"]),
        (["events.csv", *NAMED, "--rejections", "no/x.csv"], ["no/x.csv"]),
        (["events.csv", *NAMED, "--rejections", "directory.csv"], ["is a directory"]),
    ],
)
def test_file_that_cannot_be_used_is_named_before_a_store_is_made(
    arguments: list[str],
    words: list[str],
    place: Path,
    events_csv: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(events_csv.parent)
    Path("directory.csv").mkdir()
    whole = Path("whole.parquet")
    pq.write_table(pa.table({"event_name": ["tokens"] * 1000}), whole)
    Path("truncated.parquet").write_bytes(whole.read_bytes()[:-10])

    assert_fails(ingest(*arguments), *words)
    assert not place.exists()


EXPORT = """\
ChargePeriodStart,SubAccountId,AvailabilityZone,BilledCost,Tags
2025-03-01T00:00:00Z,sub-1,NULL,0.5,"{""team"": ""a""}"
2025-03-01T00:00:00Z,sub-1,zone-1,-0.25,"%s"
2025-03-01T00:00:00Z,NULL,-,1,NULL
""" % ("x" * 900)  # It has enough braces.
COSTS = (
    *("--event-name", "cost", "--create-meter", "sum", "--backfill"),
    *("--timestamp-column", "ChargePeriodStart", "--customer-column", "SubAccountId"),
    *("--value-column", "BilledCost"),
)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A cut of an export of costs: nulls, JSON in quotes, and a cell that is too long."""
    path = tmp_path / "export.csv"
    path.write_text(EXPORT, encoding="utf-8")
    return path


def test_what_was_left_out_is_said_in_a_line(place: Path, export: Path) -> None:
    result = ingest(export, *COSTS)

    assert result.exit_code == 0
    said = "export.csv: left out of payloads, rows by key: Tags (1)"
    assert said in result.stdout.splitlines()
    with metering.connect(place) as m:
        assert payloads(m) == [
            {"stripe_customer_id": "sub-1", "value": "0.5", "Tags": '{"team": "a"}'},
            {
                "stripe_customer_id": "sub-1",
                "value": "-0.25",
                "AvailabilityZone": "zone-1",
            },
        ]


def test_what_was_left_out_is_in_the_document(place: Path, export: Path) -> None:
    (report,) = document("ingest", export, *COSTS)

    assert (report["accepted"], report["rejected"]) == (2, 1)
    assert report["left_out"] == {"Tags": 1}
    (first,) = report["first_rejections"]
    assert first["code"] == "meter_event_no_customer_defined"


def test_null_may_be_spelled_otherwise(place: Path, export: Path) -> None:
    (report,) = document("ingest", export, *COSTS, "--null", "-", "--null", "n/a")

    assert (report["accepted"], report["rejected"]) == (3, 0)
    with metering.connect(place) as m:
        *_, last = payloads(m)
    assert last == {"stripe_customer_id": "NULL", "value": "1", "Tags": "NULL"}
