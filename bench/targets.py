"""The figures this project sets itself, and the names that tie them to benchmarks."""

from dataclasses import dataclass
from typing import Final

PROJECT: Final = "this project"
ROW_TABLE: Final = "row table, executemany"
COPY: Final = "row table, COPY (distinct events only)"
COPY_STAGED: Final = "row table, COPY to staging, insert new"
LIMIT: Final = "limit: encode, write, sync"
BARE_INSERT: Final = "bare one-row insert"
ONE_THREAD: Final = "this project, one thread"
INDEXED_ROW_TABLE: Final = "indexed row table"
DUCKDB: Final = "DuckDB over sorted Parquet"
DUCKDB_BY_HAND: Final = "DuckDB, by hand"
DUCKDB_GROUP_BY: Final = "DuckDB, GROUP BY hour"
POLARS: Final = "Polars"
CLICKHOUSE: Final = "ClickHouse (chdb)"
DATAFUSION: Final = "DataFusion"
TWO_WORKERS: Final = "this project, two workers"
ONE_WORKER: Final = "this project, one worker"
WORKER_IN_THREAD: Final = "this project, the worker a thread that is woken"
WITHOUT_ALERTS: Final = "this project, no alerts"
AFTER_HISTORY: Final = "this project, 100 million identifiers known"
EMPTY_LOG: Final = "this project, empty log"
TRANSACTION_AN_INVOICE: Final = "rows, a database transaction an invoice"
CREDIT_ROWS: Final = "rows of grants, summed"
OWN_INGEST: Final = "the library's own ingest, from a file"
BARE_STARLETTE: Final = "bare Starlette route, only parses"

APPEND_SQLITE: Final = "append: SQLite"
APPEND_POSTGRESQL: Final = "append: PostgreSQL"
CREATE: Final = "create: one event, SQLite"
CREATE_THREADS: Final = "create: 64 threads, SQLite"
APPEND_HISTORY: Final = "append: new events after a long history, SQLite"
APPEND_PARQUET: Final = "append: Parquet in bounded memory, SQLite"
REAGGREGATE: Final = "reaggregate: all customers by day, whole process"
REAGGREGATE_DASK: Final = "reaggregate: the same, Dask workers of one thread"
REBUILD: Final = "rebuild: projections of sealed events"
ALERTS: Final = "alerts: catching up with 2 million events, SQLite"
HTTP_POSTS: Final = "http: single v1 posts from 32 connections, SQLite"
HTTP_STREAM: Final = "http: streams of 100 events from 8 connections, SQLite"
HTTP_BULK_ARROW: Final = "http: 500,000 rows as an Arrow stream, SQLite"
HTTP_BULK_PARQUET: Final = "http: 500,000 rows as a Parquet file, SQLite"
OPENING: Final = "summary: first answer of a fresh process, large sealed store"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioTarget:
    """The project's rate is at least `at_least` times that of `against`."""

    group: str
    against: str
    at_least: float
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingTarget:
    """A figure of the project in its record is at most `at_most`."""

    group: str
    figure: str
    at_most: float
    sentence: str


Target = RatioTarget | CeilingTarget


def summary_group(customers: str, window: str, store: str) -> str:
    """Name the group of a question about summaries."""
    return f"summary: {customers} customer, {window}, {store}"


def sealed_summary_group(customers: str, edges: str, store: str) -> str:
    """Name the group of a question about summaries of sealed events."""
    return f"summary: {customers} customer, {edges}, {store} sealed store"


def latency_group(database: str) -> str:
    """Name the group of triggers that a worker records."""
    return f"alerts: from append to trigger, {database}"


def credits_group(database: str) -> str:
    """Name the group of a billing run that is settled."""
    return f"credits: a billing run, {database}"


def credit_balance_group(history: str, database: str) -> str:
    """Name the group of a question about one customer's balance."""
    return f"credits: balance of one customer, {history}, {database}"


_DEDUPLICATED_SQLITE: Final = (
    "Durable, deduplicated ingest of 5 million events in 50,000-event batches is at "
    "least 10 times a row table with a unique index on SQLite"
)
_DEDUPLICATED_POSTGRESQL: Final = (
    "Durable, deduplicated ingest of 5 million events in 50,000-event batches is at "
    "least 8 times a row table with a unique index on PostgreSQL"
)
_OF_THE_LIMIT: Final = (
    "The same ingest is at least 0.4 of encoding, compressing, writing and syncing "
    "the batches without deduplication"
)
_AFTER_HISTORY: Final = (
    "With 100 million identifiers in history, 50,000-event batches are ingested at "
    "0.5 times the rate of an empty log, or more"
)
_P50: Final = (
    "An hour-aligned 30-day summary of one customer has a p50 of at most 1 ms on "
    "SQLite at one million events"
)
_THREE_TIMES: Final = (
    "The same summary is at least 3 times as fast as an indexed row table at five "
    "million events"
)
_SEALED_P50: Final = (
    "An hour-aligned 30-day summary of one customer has a p50 of at most 1 ms at one "
    "million sealed events and at 50 million"
)
_SEALED_GROWTH: Final = (
    "From one million to 50 million sealed events that p50 grows to at most 1.5 times"
)
_SEALED_EDGES: Final = (
    "With edges inside hours it is at most 10 ms at 50 million sealed events"
)

TARGETS: Final[tuple[Target, ...]] = (
    RatioTarget(
        group=APPEND_SQLITE,
        against=ROW_TABLE,
        at_least=10,
        sentence=_DEDUPLICATED_SQLITE,
    ),
    RatioTarget(
        group=APPEND_SQLITE, against=LIMIT, at_least=0.4, sentence=_OF_THE_LIMIT
    ),
    *(
        RatioTarget(
            group=APPEND_POSTGRESQL,
            against=peer,
            at_least=8,
            sentence=_DEDUPLICATED_POSTGRESQL,
        )
        for peer in (ROW_TABLE, COPY_STAGED, COPY)
    ),
    RatioTarget(
        group=APPEND_POSTGRESQL, against=LIMIT, at_least=0.4, sentence=_OF_THE_LIMIT
    ),
    RatioTarget(
        group=APPEND_HISTORY,
        against=EMPTY_LOG,
        at_least=0.5,
        sentence=_AFTER_HISTORY,
    ),
    RatioTarget(
        group=CREATE,
        against=BARE_INSERT,
        at_least=0.4,
        sentence=(
            "A single create is at least 0.4 of a bare one-row durable SQLite insert"
        ),
    ),
    RatioTarget(
        group=CREATE_THREADS,
        against=ONE_THREAD,
        at_least=4,
        sentence="64 threads together create at least 4 times what one thread does",
    ),
    CeilingTarget(
        group=APPEND_PARQUET,
        figure="peak_memory_bytes",
        at_most=1.5e9,
        sentence="Ten million rows from Parquet take at most 1.5 GB of memory",
    ),
    *(
        CeilingTarget(
            group=summary_group(customers, "total", "small store"),
            figure="seconds",
            at_most=1e-3,
            sentence=_P50,
        )
        for customers in ("heavy", "middling")
    ),
    *(
        RatioTarget(
            group=summary_group(customers, "total", "large store"),
            against=INDEXED_ROW_TABLE,
            at_least=3,
            sentence=_THREE_TIMES,
        )
        for customers in ("heavy", "middling")
    ),
    *(
        CeilingTarget(
            group=sealed_summary_group(customers, "whole hours", store),
            figure="seconds",
            at_most=1e-3,
            sentence=_SEALED_P50,
        )
        for store in ("small", "large")
        for customers in ("heavy", "middling")
    ),
    *(
        CeilingTarget(
            group=sealed_summary_group(customers, "whole hours", "large"),
            figure="growth",
            at_most=1.5,
            sentence=_SEALED_GROWTH,
        )
        for customers in ("heavy", "middling")
    ),
    *(
        CeilingTarget(
            group=sealed_summary_group(customers, "edges inside hours", "large"),
            figure="seconds",
            at_most=10e-3,
            sentence=_SEALED_EDGES,
        )
        for customers in ("heavy", "middling")
    ),
    CeilingTarget(
        group=OPENING,
        figure="first_answer_seconds",
        at_most=2,
        sentence="A store of 50 million sealed events answers 2 s after it is opened",
    ),
    RatioTarget(
        group=REAGGREGATE,
        against=DUCKDB_BY_HAND,
        at_least=0.87,
        sentence=(
            "Usage of all customers by day takes at most 1.15 times as long as "
            "hand-written DuckDB over the same 10 million sealed events"
        ),
    ),
    *(
        RatioTarget(
            group=REAGGREGATE,
            against=peer,
            at_least=1.2,
            sentence="The same is at least 1.2 times as fast as the other engines",
        )
        for peer in (POLARS, CLICKHOUSE, DATAFUSION)
    ),
    RatioTarget(
        group=REAGGREGATE_DASK,
        against=ONE_WORKER,
        at_least=1.6,
        sentence="Two Dask workers are at least 1.6 times as fast as one",
    ),
    RatioTarget(
        group=REBUILD,
        against=DUCKDB_GROUP_BY,
        at_least=0.25,
        sentence=(
            "A rebuild takes at most 4 times as long as a bare DuckDB GROUP BY of the "
            "same 10 million sealed events by hour"
        ),
    ),
    *(
        RatioTarget(
            group=credits_group(database),
            against=TRANSACTION_AN_INVOICE,
            at_least=20,
            sentence=(
                "Credits are applied to 100,000 invoices of three lines at least 20 "
                "times as fast as by a hand-written database transaction an invoice"
            ),
        )
        for database in ("SQLite", "PostgreSQL")
    ),
    *(
        CeilingTarget(
            group=credit_balance_group(history, database),
            figure="seconds",
            at_most=1e-3,
            sentence="The credit balance of one customer has a p50 of at most 1 ms",
        )
        for database in ("SQLite", "PostgreSQL")
        for history in ("billing run", "long history")
    ),
    *(
        CeilingTarget(
            group=latency_group(database),
            figure="p99_seconds",
            at_most=0.25,
            sentence=(
                "With a worker in another process, 99 of 100 triggers are recorded "
                "within a quarter of a second of the append of their event"
            ),
        )
        for database in ("SQLite", "PostgreSQL")
    ),
    RatioTarget(
        group=ALERTS,
        against=WITHOUT_ALERTS,
        at_least=0.8,
        sentence=(
            "Catching up with 2 million events of 10,000 customers takes at most 1.25 "
            "times as long with 1,000 active alerts as without"
        ),
    ),
    RatioTarget(
        group=HTTP_POSTS,
        against=BARE_STARLETTE,
        at_least=0.3,
        sentence=(
            "Single v1 posts of meter events from 32 connections are recorded at 0.3 "
            "times the rate of a bare Starlette route that parses the same form, or more"
        ),
    ),
    RatioTarget(
        group=HTTP_STREAM,
        against=BARE_STARLETTE,
        at_least=0.3,
        sentence=(
            "Streams of 100 meter events from 8 connections are recorded at 0.3 times "
            "the requests a second of a bare Starlette route that parses the same JSON, "
            "or more"
        ),
    ),
    *(
        RatioTarget(
            group=group,
            against=OWN_INGEST,
            at_least=0.7,
            sentence=(
                f"Rows as {format_name} over HTTP are recorded at 0.7 times the rate of "
                "the library's own ingest of the same bytes, or more"
            ),
        )
        for group, format_name in (
            (HTTP_BULK_ARROW, "an Arrow stream"),
            (HTTP_BULK_PARQUET, "a Parquet file"),
        )
    ),
)
