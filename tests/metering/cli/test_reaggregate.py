"""``metering reaggregate``: usage recomputed, and what another definition would change."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.cli.running import run
from tests.metering.usual_usage import create_event, create_meter

DAY = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(place: Path) -> Path:
    """The path of a store of two customers, half of their events sealed."""
    with metering.connect(place, clock=metering.FixedClock(DAY)) as m:
        create_meter(m)
        for number in range(8):
            create_event(
                m,
                identifier=f"event-{number}",
                timestamp=DAY - number * timedelta(hours=5),
                payload={
                    "stripe_customer_id": f"cus_{number % 2}",
                    "value": f"{number}.5",
                    "model": ("small", "large")[number % 2],
                    "size": str(number * 10),
                },
            )
            if number == 3:
                m.seal()
    return place


def test_usage_is_a_table(store: Path) -> None:
    result = run("reaggregate", "--window", "month", "--timezone", "Europe/Berlin")

    assert result.exit_code == 0
    header, _, *rows = result.stdout.splitlines()
    assert header.split() == [
        "meter", "customer", "window_start", "window_end", "value", "event_count",
        "event_name",
    ]  # fmt: skip
    assert [row.split()[1] for row in rows] == ["cus_0", "cus_0", "cus_1"]
    assert "2025-02-28 23:00:00" in rows[1]


def test_sql_is_text_for_any_duckdb(store: Path) -> None:
    with metering.connect(store) as m:
        m.seal()
    asked = ["--window", "month", "--by", "size", "--formula", "max"]

    written = run("reaggregate", *asked, "--sql")
    refused = run("reaggregate", "--sql", "--diff", "--formula", "max")

    assert written.exit_code == 0
    with duckdb.connect() as theirs, metering.connect(store) as m:
        theirs.execute("SET TimeZone = 'UTC'")
        found = theirs.sql(written.stdout).to_arrow_table()
        assert found.equals(
            m.reaggregate(window="month", group_by="size", formula="max")
        )
    assert found.num_rows == 8
    assert "leave --diff" in refused.stderr


def test_usage_is_exact_json(store: Path) -> None:
    result = run(
        "reaggregate",
        "--by",
        "model",
        "--where",
        "model=large",
        "--window",
        "week",
        "--json",
    )

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["model"], row["event_count"]) for row in rows] == [("large", 4)]
    assert '"value":18,' in result.stdout


def test_usage_is_written_to_files(store: Path, tmp_path: Path) -> None:
    for name in ("usage.parquet", "usage.csv"):
        result = run("reaggregate", "--output", tmp_path / name)

        assert result.exit_code == 0
        assert name in result.stdout

    table = pq.read_table(tmp_path / "usage.parquet")
    with (tmp_path / "usage.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == table.num_rows
    assert [row["customer"] for row in rows] == table["customer"].to_pylist()


def test_what_would_change_is_told_by_customer(store: Path) -> None:
    result = run("reaggregate", "--value-key", "size", "--diff", "--window", "month")

    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[1:] for row in rows if "cus_" in " ".join(row)] == [
        ["cus_0", "2", "14", "120", "106"],
        ["cus_1", "1", "18", "160", "142"],
    ]
    assert "2 customers would change in 3 windows, by 248 in all" in result.stdout


def test_nothing_would_change(store: Path) -> None:
    result = run("reaggregate", "--formula", "sum", "--diff")

    assert result.stdout == "Nothing would change.\n"


def test_customers_and_meters_are_filters(store: Path) -> None:
    result = run(
        "reaggregate", "--window", "month", "--json",
        "--where", "customer=cus_1", "--where", "meter=tokens",
    )  # fmt: skip

    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {row["customer"] for row in rows} == {"cus_1"}
    assert sum(row["event_count"] for row in rows) == 4


def test_a_column_that_is_no_filter_says_what_to_use(store: Path) -> None:
    result = run("reaggregate", "--where", "timestamp=2025-03-01")

    assert result.exit_code == 1
    assert "start_time" in result.stderr


@pytest.fixture
def large(store: Path) -> Path:
    """The same store, in which the sizes of cus_1 are too large to be added up."""
    with metering.connect(store, clock=metering.FixedClock(DAY)) as m:
        payload = {"stripe_customer_id": "cus_1", "value": "1", "size": "9" * 26}
        for _ in range(2):
            create_event(m, payload=payload)
    return store


def test_a_sum_that_is_too_large_is_one_line(large: Path) -> None:
    result = run("reaggregate", "--value-key", "size")

    assert result.exit_code == 1
    assert "The usage of customer 'cus_1' on meter mtr_" in result.stderr


def test_a_sum_that_is_too_large_can_be_left_out(large: Path) -> None:
    words = ["reaggregate", "--value-key", "size", "--skip-too-large"]

    on_screen = run(*words, "--start", "2025-03-01")
    in_json = run(*words, "--start", "2025-03-01", "--json")

    assert "1 sum left out, of too many digits" in on_screen.stdout
    [line] = [
        json.loads(line) for line in in_json.stdout.splitlines() if "cus_1" in line
    ]
    assert (line["value"], line["event_count"]) == (None, 2)


def test_a_comparison_needs_every_sum(large: Path) -> None:
    result = run("reaggregate", "--value-key", "size", "--diff", "--skip-too-large")

    assert result.exit_code == 2
    assert "--skip-too-large" in result.stderr
