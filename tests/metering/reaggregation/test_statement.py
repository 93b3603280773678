"""The statement of a re-aggregation gives its table in a DuckDB that knows nothing of us."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import metering
from tests.metering.refusals import refused
from tests.metering.usual_usage import cancel_event, create_event, create_meter

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FORMULAS = ("sum", "count", "last", "min", "max", "avg", "unique_count")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[metering.Metering]:
    """A store with a meter of each formula, one of them pre-aggregated, all sealed."""
    directory = tmp_path_factory.mktemp("stores") / "o'brien's [usage]"
    with metering.connect(directory, clock=metering.FixedClock(NOW)) as store:
        for formula in FORMULAS:
            create_meter(store, formula, formula)
        create_meter(store, "seats", "sum", event_time_window="day")
        store.meter_events.ingest(events(0))
        store.seal()
        store.meter_events.ingest(events(1))
        cancel_event(store, "1-7", FORMULAS[0])
        cancel_event(store, "0-15", "seats")
        store.seal()
        yield store


def events(part: int) -> pa.Table:
    names, rows = (*FORMULAS, "seats"), range(240)
    return pa.table(
        {
            "event_name": [names[n % 8] if n % 7 else FORMULAS[0] for n in rows],
            "identifier": [f"{part}-{n}" for n in rows],
            "timestamp": [NOW - timedelta(hours=n, minutes=13 * part) for n in rows],
            "stripe_customer_id": [("Zoë", "o'brien")[n // 4 % 2] for n in rows],
            "value": [f"{n % 5 - 2}.{n % 3}" for n in rows],
            "model": [("large", "it's", None)[n // 3 % 3] for n in rows],
            "price": [("1e-3", "0.5", "12")[n // 5 % 3] for n in rows],
        }
    )


def in_anyones_duckdb(query: str) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(query).to_arrow_table()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"window": "month", "timezone": "Europe/Berlin", "group_by": "model"},
        {"window": "hour", "timezone": "Asia/Kathmandu", "meters": FORMULAS[2:]},
        {"start_time": NOW - timedelta(days=5, minutes=7), "end_time": NOW},
        {"value_key": "price", "formula": "avg", "meters": ["sum", "seats"]},
        {"value_key": "model", "formula": "unique_count", "group_by": ["price"]},
        {"filters": {"model": ["it's", "none"], "customer": "o'brien"}},
        {"as_of": 200},
        {"filters": {"customer": "nobody"}},
    ],
    ids=lambda asked: " ".join(asked) or "nothing",
)
def test_a_statement_gives_the_table_of_the_re_aggregation(
    store: metering.Metering, asked: dict[str, Any]
) -> None:
    expected = store.reaggregate(**asked)

    found = in_anyones_duckdb(store.reaggregate_sql(**asked))

    assert found.equals(expected)
    assert found.num_rows or asked.get("filters") == {"customer": "nobody"}


def test_events_that_are_not_sealed_are_in_no_file(tmp_path: Path) -> None:
    with metering.connect(tmp_path / "usage") as store:
        create_meter(store)
        create_event(store)

        with refused(None, "as_of", "lie in no file yet", "seal"):
            store.reaggregate_sql()
        store.seal()
        sealed = store.position
        create_event(store)

        assert "read_parquet" in store.reaggregate_sql(as_of=sealed)


def test_a_store_without_meters_or_events_has_no_statement(tmp_path: Path) -> None:
    with metering.connect(tmp_path / "usage") as store:
        with refused(None, "meters", "there is none"):
            store.reaggregate_sql()

        create_meter(store)

        with refused(None, "as_of", "lie in no file yet"):
            store.reaggregate_sql()


def test_strings_are_the_same_whatever_they_hold(tmp_path: Path) -> None:
    key, word = "two\nlines' \u2028", "it's\r\n  \x85\\n"
    with metering.connect(tmp_path / "usage") as store:
        create_meter(store, word)
        create_meter(store)
        for event_name, value in ((word, word), (word, "other"), ("tokens", "other")):
            labels = {"stripe_customer_id": word, "value": "1", key: value}
            create_event(store, event_name, payload=labels)
        store.seal()
        asked: dict[str, Any] = {"group_by": key, "filters": {key: [word, "\0"]}}

        found = in_anyones_duckdb(store.reaggregate_sql(**asked))

        assert found.equals(store.reaggregate(**asked))
        assert found.column(key).to_pylist() == [word]
        assert found.column("event_name").to_pylist() == [word]
