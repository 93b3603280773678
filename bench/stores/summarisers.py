"""Who can tell one customer's usage over thirty days: this project and two peers."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

import metering
from bench.measures import reader
from bench.stores import project
from bench.stores.usage import without_duplicates
from metering.cli.demo.traffic import (
    END,
    EVENT_NAMES,
    START,
    Traffic,
    Usage,
    customer_id,
)

Answer = list[tuple[datetime, Decimal]]

_START: Final = int(START.timestamp()) * 1_000_000
_END: Final = int(END.timestamp()) * 1_000_000


# Ranks of Zipf's law: a heavy customer makes 0.5 to 15 percent of the traffic, a
# middling one 0.01 to 0.1 percent.
RANKS: Final = {"heavy": range(20), "middling": range(100, 1_000)}


def drawn_customers(seed: int, customers: str, number: int) -> list[tuple[str, int]]:
    """Draw meters and ranks to ask for."""
    random = np.random.default_rng(seed)
    ranks = random.choice(np.array(RANKS[customers]), number, replace=False)
    meters = random.choice(np.array(EVENT_NAMES), number)
    return [(str(name), int(rank)) for name, rank in zip(meters, ranks, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What did a customer use on a meter over the thirty days of the traffic?

    Attributes:
        event_name: Of the meter.
        customer: Rank of the customer.
        hourly: By UTC hour, newest first and without empty hours, or as one total.
    """

    event_name: str
    customer: int
    hourly: bool


class Project:
    """This project on SQLite."""

    def __init__(self, directory: Path, traffic: Traffic) -> None:
        self._engine = metering.connect(directory)
        self._meters = project.create_meters(self._engine)
        receipt = self._engine.meter_events.ingest(
            reader(list(traffic.batches())), backfill=True
        )
        assert receipt.accepted == traffic.distinct

    def close(self) -> None:
        """Close the store."""
        self._engine.close()

    def summarise(self, question: Question) -> Sequence[metering.MeterEventSummary]:
        """Ask through the public door."""
        return self._engine.meters.event_summaries(
            self._meters[question.event_name].id,
            customer=customer_id(question.customer),
            start_time=START,
            end_time=END,
            value_grouping_window="hour" if question.hourly else None,
        )

    def answer(self, question: Question) -> Answer:
        """Keep start and value of each summary."""
        return [
            (summary.start_time, summary.aggregated_value)
            for summary in self.summarise(question)
        ]


class IndexedRowTable:
    """A row per event in SQLite, under an index that covers the question.

    Built without syncing and analysed; the page cache holds the index.
    """

    def __init__(self, path: Path, usage: Usage) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA synchronous = OFF",
            "PRAGMA cache_size = -1048576",
            _ROW_TABLE,
        ):
            self._connection.execute(statement)
        names = [EVENT_NAMES[meter] for meter in usage.meter.tolist()]
        customers = map(customer_id, usage.customer.tolist())
        values = (usage.timestamp.tolist(), usage.thousandths.tolist())
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO event VALUES (?, ?, ?, ?)",
            zip(names, customers, *values, strict=True),
        )
        self._connection.execute("COMMIT")
        self._connection.execute(_COVERING_INDEX)
        self._connection.execute("ANALYZE")

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    def summarise(self, question: Question) -> list[tuple[int, int]]:
        """Add up a range of the index; half-open, as everywhere."""
        statement = _HOURLY_ROWS if question.hourly else _TOTAL_ROWS
        customer = customer_id(question.customer)
        rows: list[tuple[int, int]] = self._connection.execute(
            statement, (question.event_name, customer, _START, _END)
        ).fetchall()
        return rows

    def answer(self, question: Question) -> Answer:
        """Make datetimes and decimals of the integers."""
        return [
            (_moment(hour, question), Decimal(total).scaleb(-3))
            for hour, total in self.summarise(question)
        ]


class DuckdbParquet:
    """One Parquet file sorted for the question, its metadata kept in memory."""

    def __init__(self, path: Path, traffic: Traffic) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET parquet_metadata_cache = true")
        batches = without_duplicates(traffic).batches()
        self._connection.register("usage", pa.Table.from_batches(list(batches)))
        sorted_usage = self._connection.sql(_SORTED)
        sorted_usage.write_parquet(str(path), compression="zstd")
        self._connection.unregister("usage")
        self._connection.read_parquet(str(path)).create_view("event")

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    def summarise(self, question: Question) -> list[tuple[int, Decimal]]:
        """Add up what row group statistics do not rule out."""
        statement = _HOURLY_PARQUET if question.hourly else _TOTAL_PARQUET
        customer = customer_id(question.customer)
        rows: list[tuple[int, Decimal]] = self._connection.execute(
            statement, [question.event_name, customer, _START, _END]
        ).fetchall()
        return rows

    def answer(self, question: Question) -> Answer:
        """Make datetimes of the integers."""
        return [
            (_moment(hour, question), total) for hour, total in self.summarise(question)
        ]


Summariser = Project | IndexedRowTable | DuckdbParquet
"""A store that is asked: `summarise` is timed, `answer` makes its answer comparable."""


def _moment(hour: int, question: Question) -> datetime:
    if question.hourly:
        return datetime.fromtimestamp(hour * 3600, tz=UTC)
    return START


_ROW_TABLE: Final = """
CREATE TABLE event (
    meter TEXT NOT NULL,
    customer TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    thousandths INTEGER NOT NULL
)
"""
_COVERING_INDEX: Final = """
CREATE INDEX event_usage ON event (meter, customer, timestamp, thousandths)
"""
_TOTAL_ROWS: Final = """
SELECT 0, coalesce(sum(thousandths), 0)
FROM event
WHERE meter = ? AND customer = ? AND timestamp >= ? AND timestamp < ?
"""
_HOURLY_ROWS: Final = """
SELECT timestamp / 3600000000 AS hour, sum(thousandths)
FROM event
WHERE meter = ? AND customer = ? AND timestamp >= ? AND timestamp < ?
GROUP BY hour
ORDER BY hour DESC
"""
_SORTED: Final = """
SELECT event_name AS meter,
    stripe_customer_id AS customer,
    epoch_us(timestamp) AS moment,
    value
FROM usage
ORDER BY meter, customer, moment
"""
_TOTAL_PARQUET: Final = """
SELECT 0, coalesce(sum(value), 0)
FROM event
WHERE meter = ? AND customer = ? AND moment >= ? AND moment < ?
"""
_HOURLY_PARQUET: Final = """
SELECT moment // 3600000000 AS hour, sum(value)
FROM event
WHERE meter = ? AND customer = ? AND moment >= ? AND moment < ?
GROUP BY hour
ORDER BY hour DESC
"""
