"""``metering reaggregate``: usage recomputed, and what another definition would change."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

import metering
from metering.cli.app import app

DAY = datetime(2025, 3, 1, tzinfo=UTC)


def reaggregate(store: Path, *arguments: str | Path) -> Result:
    words = ["reaggregate", *arguments, "--store", store]
    return CliRunner().invoke(app, [str(each) for each in words])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The path of a store of two customers, half of their events sealed."""
    path = tmp_path / "store"
    with metering.connect(path, clock=metering.FixedClock(DAY)) as m:
        m.meters.create(
            display_name="Tokens",
            event_name="tokens",
            default_aggregation={"formula": "sum"},
        )
        for number in range(8):
            m.meter_events.create(
                event_name="tokens",
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
    return path


def test_usage_is_a_table(store: Path) -> None:
    result = reaggregate(store, "--window", "month", "--timezone", "Europe/Berlin")

    assert result.exit_code == 0
    header, _, *rows = result.stdout.splitlines()
    assert header.split() == [
        "meter", "customer", "window_start", "window_end", "value", "event_count",
    ]  # fmt: skip
    assert [row.split()[1] for row in rows] == ["cus_0", "cus_0", "cus_1"]
    assert "2025-02-28 23:00:00" in rows[1]


def test_usage_is_exact_json(store: Path) -> None:
    result = reaggregate(
        store, "--by", "model", "--where", "model=large", "--window", "week", "--json"
    )

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["model"], row["event_count"]) for row in rows] == [("large", 4)]
    assert '"value":18,' in result.stdout


def test_usage_is_written_to_files(store: Path, tmp_path: Path) -> None:
    for name in ("usage.parquet", "usage.csv"):
        result = reaggregate(store, "--output", tmp_path / name)

        assert result.exit_code == 0
        assert name in result.stdout

    table = pq.read_table(tmp_path / "usage.parquet")
    with (tmp_path / "usage.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == table.num_rows
    assert [row["customer"] for row in rows] == table["customer"].to_pylist()


def test_what_would_change_is_told_by_customer(store: Path) -> None:
    result = reaggregate(store, "--value-key", "size", "--diff", "--window", "month")

    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[1:] for row in rows if "cus_" in " ".join(row)] == [
        ["cus_0", "2", "14", "120", "106"],
        ["cus_1", "1", "18", "160", "142"],
    ]
    assert "2 customers would change in 3 windows, by 248 in all" in result.stdout


def test_nothing_would_change(store: Path) -> None:
    result = reaggregate(store, "--formula", "sum", "--diff")

    assert result.stdout == "Nothing would change.\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--timezone", "Mars"), "Mars"),
        (("--meter", "calls"), "calls"),
        (("--as-of", "99"), "99"),
        (("--value-key", "model"), "'small'"),
        (("--by", "stripe_customer_id"), "stripe_customer_id"),
    ],
)
def test_what_cannot_be_answered_is_one_clear_line(
    store: Path, arguments: tuple[str, str], word: str
) -> None:
    result = reaggregate(store, *arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith("metering: ")
    assert result.stderr.count("\n") == 1
    assert word in result.stderr


@pytest.mark.parametrize(
    "arguments", [("--diff",), ("--where", "model"), ("--output", "usage.txt")]
)
def test_a_malformed_command_is_refused(
    store: Path, arguments: tuple[str, ...]
) -> None:
    assert reaggregate(store, *arguments).exit_code == 2
