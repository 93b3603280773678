"""``metering usage``: everyone's usage on the screen, as lines of JSON, and in files."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import metering
from tests.metering.cli.running import assert_fails, lines, run
from tests.metering.usual_usage import create_event

DAY = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands find their store."""
    path = tmp_path / "store"
    monkeypatch.setenv("METERING_STORE", str(path))
    return path


@pytest.fixture(autouse=True)
def tokens(place: Path) -> str:
    """The id of the meter of a store of two customers, half of its events sealed."""
    with metering.connect(place, clock=metering.FixedClock(DAY)) as m:
        meter = m.meters.create(
            display_name="Tokens of all models",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        for number in range(8):
            create_event(
                m,
                timestamp=DAY - number * timedelta(hours=5),
                payload={
                    "stripe_customer_id": f"cus_{number % 2}",
                    "value": f"{number}.5",
                },
            )
            if number == 3:
                m.seal()
        return meter.id


def test_a_line_fits_a_terminal_and_names_the_meter() -> None:
    result = run("usage")

    assert result.exit_code == 0
    when, header, _, *rows = result.stdout.splitlines()
    assert when == "As of position 9, windows by their start in UTC"
    assert header.split() == [
        "meter", "event_name", "customer", "window", "value", "events",
    ]  # fmt: skip
    assert [" ".join(row.split()) for row in rows[:2]] == [
        "Tokens of all models tokens cus_0 2025-02-27 6.5 1",
        "Tokens of all models tokens cus_0 2025-02-28 7 2",
    ]
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_total_is_one_window_from_bound_to_bound() -> None:
    result = run("usage", "--total", "--start", "2025-02-28", "--customer", "cus_1")

    when, header, _, row = result.stdout.splitlines()
    assert when == "2025-02-28 00:00:00 to 2025-03-01 01:00:00 UTC, as of position 9"
    assert "window" not in header
    assert row.split()[-4:] == ["tokens", "cus_1", "5", "2"]


def test_json_has_every_column_and_digit(tokens: str) -> None:
    first, *_ = lines("usage", "--window", "month", "--timezone", "Asia/Kolkata")

    assert first == {
        "meter": tokens,
        "customer": "cus_0",
        "window_start": "2025-01-31T18:30:00Z",
        "window_end": "2025-02-28T18:30:00Z",
        "value": Decimal("13.5"),
        "event_count": 3,
        "event_name": "tokens",
        "display_name": "Tokens of all models",
    }


def test_usage_is_written_to_files(tmp_path: Path, place: Path) -> None:
    for name in ("usage.parquet", "usage.csv"):
        assert run("usage", "--output", tmp_path / name).exit_code == 0

    written = pq.read_table(tmp_path / "usage.parquet")
    with (tmp_path / "usage.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with metering.connect(place, create=False) as m:
        table = m.usage()
    assert written.drop(["display_name"]).equals(table)
    assert written.schema.metadata[b"position"] == b"9"
    assert [row["customer"] for row in rows] == table.column("customer").to_pylist()
    assert {row["display_name"] for row in rows} == {"Tokens of all models"}


def test_a_meter_that_is_not_there_is_one_line() -> None:
    assert_fails(run("usage", "--meter", "calls"), "calls")


def test_a_total_has_no_windows() -> None:
    result = run("usage", "--total", "--window", "day")

    assert result.exit_code == 2
    assert "--total" in result.stderr
