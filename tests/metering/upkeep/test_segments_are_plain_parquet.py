"""Segments are read by other engines as they are, to the same exact totals."""

import importlib
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import duckdb
import pyarrow as pa
import pytest

import metering

NOW = datetime(2026, 3, 2, tzinfo=UTC)
EVENTS = 3_000

Totals = dict[tuple[str, str], tuple[Decimal, int]]


@pytest.fixture
def segments(tmp_path: Path) -> Iterator[tuple[Path, Totals]]:
    """The files of a store of two segments, and the totals that it answers itself."""
    clock = metering.FixedClock(NOW)
    with metering.connect(tmp_path / "usage", clock=clock) as store:
        for name in ("tokens", "größe"):
            store.meters.create(
                display_name=name,
                event_name=name,
                default_aggregation={"formula": "sum"},
            )
        for part in range(2):
            store.meter_events.ingest(events(part))
            assert store.seal() == 1
        names = {meter.id: meter.event_name for meter in store.meters.list()}
        totals = {
            (names[row["meter"]], row["customer"]): (row["value"], row["event_count"])
            for row in store.reaggregate(window="month", start_time=0).to_pylist()
        }
        yield tmp_path / "usage" / "segments", totals


def events(part: int) -> pa.Table:
    numbers = range(part * EVENTS, (part + 1) * EVENTS)
    return pa.table(
        {
            "event_name": [("tokens", "größe")[n % 2] for n in numbers],
            "identifier": [f"event-{n}" for n in numbers],
            "timestamp": [NOW - timedelta(seconds=n % 3_000) for n in numbers],
            "stripe_customer_id": [f"cus_{n % 7}" for n in numbers],
            "value": [f"{n}.{n % 1_000:012}" for n in numbers],
            "model": [f"m{n % 3}" if n % 5 else "" for n in numbers],
        }
    )


@pytest.fixture
def pl() -> Iterator[ModuleType]:
    """Polars, after which an interrupt ends a wait again.

    As it is loaded it takes the signal for itself, and lets what waited wait on.
    """
    yield importlib.import_module("polars")
    signal.siginterrupt(signal.SIGINT, True)  # noqa: FBT003  # positional only


def test_polars_reads_the_same_totals(
    segments: tuple[Path, Totals], pl: ModuleType
) -> None:
    directory, totals = segments

    found = (
        pl.read_parquet(directory / "*.parquet", columns=COLUMNS)
        .group_by("event_name", "customer")
        .agg(pl.col("value").sum(), pl.len())
    )

    assert {
        (name, customer): (value, count)
        for name, customer, value, count in found.iter_rows()
    } == totals


def test_duckdb_reads_the_same_totals(segments: tuple[Path, Totals]) -> None:
    directory, totals = segments

    found = duckdb.execute(
        "SELECT event_name, customer, sum(value), count(*)"
        " FROM read_parquet($files) GROUP BY ALL",
        {"files": str(directory / "*.parquet")},
    ).fetchall()

    assert {(name, customer): rest for name, customer, *rest in found} == {
        key: list(total) for key, total in totals.items()
    }


def test_another_engine_reads_payloads_and_times(
    segments: tuple[Path, Totals],
) -> None:
    directory, _ = segments

    found = duckdb.execute(
        "SELECT payload['model'], count(*), max(epoch_us(timestamp))"
        " FROM read_parquet($files) GROUP BY 1 ORDER BY 1",
        {"files": str(directory / "*.parquet")},
    ).fetchall()

    latest = int(NOW.timestamp()) * 1_000_000
    assert [model for model, _, _ in found] == ["", "m0", "m1", "m2"]
    assert sum(count for _, count, _ in found) == 2 * EVENTS
    assert max(at for _, _, at in found) == latest


COLUMNS = ["event_name", "customer", "value"]
