"""The figures this project sets itself, and the names that tie them to benchmarks."""

import enum
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Final

PROJECT: Final = "this project"
ROW_TABLE: Final = "row table, executemany"
COPY: Final = "row table, COPY (distinct events only)"
COPY_STAGED: Final = "row table, COPY to staging, insert new"
LIMIT: Final = "limit: encode, write, sync"
BARE_INSERT: Final = "bare one-row insert"
TWO_BARE_INSERTS: Final = "two bare one-row inserts"
ONE_THREAD: Final = "this project, one thread"
FEW_INVOICES: Final = "this project, 10 past invoices"
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
CHECK_ROWS: Final = "rows of hours and of grants, by hand"
ADDED_UP: Final = "limit: DuckDB adds up the events, by hand"
ONE_BY_ONE: Final = "this project, one statement a call"
LOOP: Final = "a loop over customers, rated by hand"
OWN_INGEST: Final = "the library's own ingest, from a file"
IMPORTS: Final = "import sqlalchemy, pyarrow, numpy"
NOT_METERED: Final = "the same backend, not metered"
BARE_STARLETTE: Final = "bare Starlette route, only parses"
NOT_FLOODED: Final = "this project, no strangers"
FLOODED_AT_ONCE: Final = "this project, strangers come again at once"
FLOODED_AT_EQUAL_PRIORITY: Final = "this project, strangers compete for the processors"

APPEND_SQLITE: Final = "append: SQLite"
APPEND_POSTGRESQL: Final = "append: PostgreSQL"
CREATE: Final = "create: one event, SQLite"
CREATE_THREADS: Final = "create: 64 threads, SQLite"
APPEND_HISTORY: Final = "append: new events after a long history, SQLite"
APPEND_PARQUET: Final = "append: Parquet in bounded memory, SQLite"
REAGGREGATE: Final = "reaggregate: all customers by day, whole process"
REAGGREGATED: Final = {
    name: f"reaggregate: {name}, running process"
    for name in (
        *("day", "month", "payload key", "max", "last", "Berlin"),
        "as of a position",
    )
}
"""What is asked in a process that runs, by the name of the question."""
REAGGREGATE_DASK: Final = "reaggregate: the same, Dask workers of one thread"
USAGE_BY_DAY: Final = "usage: all customers by day, running process"
USAGE_BY_MONTH: Final = "usage: all customers by month, running process"
USAGE_GROWTH: Final = "usage: by day, ten times the events in the same hours"
RATING: Final = "rating: a month of three meters and their prices, SQLite"
STATEMENTS: Final = "rating: statements of a billing run, SQLite"
PREVIEW: Final = "rating: preview of one statement, SQLite"
REBUILD: Final = "rebuild: projections of sealed events"
ALERTS: Final = "alerts: catching up with 2 million events, SQLite"
HTTP_POSTS: Final = "http: single v1 posts from 32 connections, SQLite"
HTTP_STREAM: Final = "http: streams of 100 events from 8 connections, SQLite"
HTTP_BULK_ARROW: Final = "http: 500,000 rows as an Arrow stream, SQLite"
HTTP_BULK_PARQUET: Final = "http: 500,000 rows as a Parquet file, SQLite"
FLOOD: Final = "everyday: 16 clients in a flood of strangers, SQLite"
EVERYDAY_WEB: Final = "everyday: FastAPI, two workers, every request metered"
EXPLANATION: Final = "explain: one customer's month, ten million sealed events"
EXPLANATION_EVENTS: Final = (
    "explain: the same, and each of its events, ten million sealed events"
)
OPENING: Final = "summary: first answer of a fresh process, large sealed store"


class Role(enum.Enum):
    """What a contestant is in its group.

    A limit does less than was asked (it answers nothing), so it may only be approached.
    """

    PROJECT = "project"
    PEER = "peer"
    LIMIT = "limit"


def role_of(name: str) -> Role:
    """Return what the contestant of a name is."""
    if name in {LIMIT, IMPORTS, ADDED_UP}:
        return Role.LIMIT
    is_project = name in {PROJECT, AFTER_HISTORY, TWO_WORKERS}
    return Role.PROJECT if is_project else Role.PEER


@dataclass(frozen=True, slots=True)
class Target:
    """What a group is to show.

    Attributes:
        against: with it, the project's rate is at least `bound` times this contestant's.
        figure: without, this figure of the project's record is at most `bound`.
    """

    group: str
    bound: float
    sentence: str
    _: KW_ONLY
    against: str | None = None
    figure: str = "seconds"


def summary_group(customers: str, window: str, store: str) -> str:
    """Name the group of a question about summaries."""
    return f"summary: {customers} customer, {window}, {store}"


def sealed_summary_group(customers: str, edges: str, store: str) -> str:
    """Name the group of a question about summaries of sealed events."""
    return f"summary: {customers} customer, {edges}, {store} sealed store"


def latency_group(database: str) -> str:
    """Name the group of triggers that a worker records."""
    return f"alerts: from append to trigger, {database}"


def hold_pair_group(database: str) -> str:
    """Name the group of a hold that is settled at once."""
    return f"holds: hold and settle, {database}"


def hold_callers_group(database: str) -> str:
    """Name the group of callers who hold and settle together."""
    return f"holds: 64 callers of one customer, {database}"


CHECK: Final = "holds: check of usage, five million events, 1,000 invoices, SQLite"
BALANCE_GROWTH: Final = "holds: balance after 10,000 past invoices, SQLite"


def credits_group(database: str) -> str:
    """Name the group of a billing run that is settled."""
    return f"credits: a billing run, {database}"


def credit_balance_group(history: str, database: str) -> str:
    """Name the group of a question about one customer's balance."""
    return f"credits: balance of one customer, {history}, {database}"


_DEDUPLICATED: Final = (
    "Durable, deduplicated ingest of 5 million events in 50,000-event batches is at "
    "least {} times a row table with a unique index on {}"
)
_OF_THE_LIMIT: Final = (
    "The same ingest is at least 0.25 of encoding, compressing, writing and syncing "
    "the batches without deduplication"
)
_AFTER_HISTORY: Final = (
    "With 100 million identifiers in history, 50,000-event batches are ingested at "
    "0.5 times the rate of an empty log, or more"
)
_CREATE: Final = (
    "A single create is at least 0.4 of a bare one-row durable SQLite insert"
)
_THREADS: Final = "64 threads together create at least 4 times what one thread does"
_PARQUET: Final = "Ten million rows from Parquet take at most 1.5 GB of memory"
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
_OPENING: Final = "A store of 50 million sealed events answers 2 s after it is opened"
_EXPLAINED: Final = "The p50 is at most 20 ms: {}"
_BY_HAND: Final = (
    "As a whole process, usage of all customers by day takes at most 1.3 times as long as "
    "hand-written DuckDB over the same 10 million sealed events"
)
_ENGINES: Final = "The same is at least 1.2 times as fast as the other engines"
_REAGGREGATED: Final = (
    "In a process that runs, a re-aggregation takes at most 1.15 times as long as DuckDB "
    "by hand: {name}"
)
_DASK: Final = "Two Dask workers are at least 1.6 times as fast as one"
_USAGE_BY_DAY: Final = (
    "Summed up from hourly totals, usage of all customers by day is at least 4 times as "
    "fast as hand-written DuckDB over the same 10 million sealed events"
)
_USAGE_BY_MONTH: Final = "By month it is at least 8 times as fast"
_USAGE_GROWTH: Final = (
    "By day it takes at most 1.5 times as long at 100 million events as at 10 million of "
    "the same customers and hours"
)
_REBUILD: Final = (
    "A rebuild takes at most 4 times as long as a bare DuckDB GROUP BY of the same 10 "
    "million sealed events by hour"
)
_CREDITS: Final = (
    "Credits are applied to 100,000 invoices of three lines at least 20 times as fast "
    "as by a hand-written database transaction an invoice"
)
_RATED: Final = (
    "The usage of 100,000 customers on three meters is summed up and rated in at most 3 "
    "times what DuckDB takes to add up the same 10 million events"
)
_RATED_IN_A_LOOP: Final = "The same is at least 20 times as fast as a loop of summaries that are rated by hand"
_STATED: Final = (
    "Statements of 100,000 customers are finalised in one run at least 20 times as fast as "
    "one by one"
)
_PREVIEW: Final = "One preview of a statement has a p50 of at most 2 ms"
_BALANCE: Final = "The credit balance of one customer has a p50 of at most 1 ms"
_BALANCE_BY_HAND: Final = (
    "It is at least 0.3 times as fast as rows summed by hand, on SQLite"
)
_PAIR: Final = (
    "A hold that is settled is at least 0.4 of two bare one-row durable inserts, on {}"
)
_CALLERS: Final = (
    "64 callers hold and settle the credits of one customer at least 5 times as fast as "
    "one, on {}"
)
_CHECK: Final = (
    "A check of usage has a p50 of at most 1 ms at five million events and 1,000 "
    "invoices of the customer"
)
_CHECK_BY_HAND: Final = (
    "It is at least 0.3 times as fast as hours and grants added up by hand"
)
_BALANCE_GROWTH: Final = (
    "A balance takes at most 1.5 times as long after 10,000 invoices as after 10"
)
_LATENCY: Final = (
    "With a worker in another process, 99 of 100 triggers are recorded within a quarter "
    "of a second of the append of their event"
)
_ALERTS: Final = (
    "Catching up with 2 million events of 10,000 customers takes at most 1.25 times as "
    "long with 1,000 active alerts as without"
)
_POSTS: Final = (
    "Single v1 posts of meter events from 32 connections are recorded at 0.3 times the "
    "rate of a bare Starlette route that parses the same form, or more"
)
_STREAM: Final = (
    "Streams of 100 meter events from 8 connections are recorded at 0.3 times the "
    "requests a second of a bare Starlette route that parses the same JSON, or more"
)
_IN_A_FLOOD: Final = (
    "In a flood of 2,000 strangers, clients with a key keep 0.5 of their rate, or more"
)
_EVERYDAY_WEB: Final = (
    "A backend on FastAPI with two workers of uvicorn that meters every request answers "
    "at least 0.7 times the requests a second of the same backend without"
)
_BULK: Final = (
    "Rows as {} over HTTP are recorded at 0.7 times the rate of the library's own ingest "
    "of the same bytes, or more"
)


def _targets() -> Iterator[Target]:
    on_sqlite = _DEDUPLICATED.format(15, "SQLite")
    yield Target(APPEND_SQLITE, 15, on_sqlite, against=ROW_TABLE)
    yield Target(APPEND_SQLITE, 0.25, _OF_THE_LIMIT, against=LIMIT)
    for times, peer in ((12, ROW_TABLE), (12, COPY_STAGED), (8, COPY)):
        on_postgresql = _DEDUPLICATED.format(times, "PostgreSQL")
        yield Target(APPEND_POSTGRESQL, times, on_postgresql, against=peer)
    yield Target(APPEND_POSTGRESQL, 0.25, _OF_THE_LIMIT, against=LIMIT)
    yield Target(APPEND_HISTORY, 0.5, _AFTER_HISTORY, against=EMPTY_LOG)
    yield Target(CREATE, 0.4, _CREATE, against=BARE_INSERT)
    yield Target(CREATE_THREADS, 4, _THREADS, against=ONE_THREAD)
    yield Target(APPEND_PARQUET, 1.5e9, _PARQUET, figure="peak_memory_bytes")
    for customers in ("heavy", "middling"):
        small = summary_group(customers, "total", "small store")
        large = summary_group(customers, "total", "large store")
        yield Target(small, 1e-3, _P50)
        yield Target(large, 3, _THREE_TIMES, against=INDEXED_ROW_TABLE)
    for customers in ("heavy", "middling"):
        small = sealed_summary_group(customers, "whole hours", "small")
        large = sealed_summary_group(customers, "whole hours", "large")
        edges = sealed_summary_group(customers, "edges inside hours", "large")
        yield Target(small, 1e-3, _SEALED_P50)
        yield Target(large, 1e-3, _SEALED_P50)
        yield Target(large, 1.5, _SEALED_GROWTH, figure="growth")
        yield Target(edges, 10e-3, _SEALED_EDGES)
    yield Target(OPENING, 2, _OPENING, figure="first_answer_seconds")
    yield Target(REAGGREGATE, 0.77, _BY_HAND, against=DUCKDB_BY_HAND)
    for group in (EXPLANATION, EXPLANATION_EVENTS):
        yield Target(group, 20e-3, _EXPLAINED.format(group))
    for peer in (POLARS, CLICKHOUSE, DATAFUSION):
        yield Target(REAGGREGATE, 1.2, _ENGINES, against=peer)
    yield from _of_answers()
    yield Target(REAGGREGATE_DASK, 1.6, _DASK, against=ONE_WORKER)
    yield Target(USAGE_BY_DAY, 4, _USAGE_BY_DAY, against=DUCKDB_BY_HAND)
    yield Target(USAGE_BY_MONTH, 8, _USAGE_BY_MONTH, against=DUCKDB_BY_HAND)
    yield Target(USAGE_GROWTH, 1.5, _USAGE_GROWTH, figure="growth")
    yield Target(REBUILD, 0.25, _REBUILD, against=DUCKDB_GROUP_BY)
    yield from _of_money()
    for database in ("SQLite", "PostgreSQL"):
        yield Target(latency_group(database), 0.25, _LATENCY, figure="p99_seconds")
    yield Target(ALERTS, 0.8, _ALERTS, against=WITHOUT_ALERTS)
    yield Target(HTTP_POSTS, 0.3, _POSTS, against=BARE_STARLETTE)
    yield Target(HTTP_STREAM, 0.3, _STREAM, against=BARE_STARLETTE)
    yield Target(FLOOD, 0.5, _IN_A_FLOOD, against=NOT_FLOODED)
    yield Target(EVERYDAY_WEB, 0.7, _EVERYDAY_WEB, against=NOT_METERED)
    for group, format_name in (
        (HTTP_BULK_ARROW, "an Arrow stream"),
        (HTTP_BULK_PARQUET, "a Parquet file"),
    ):
        yield Target(group, 0.7, _BULK.format(format_name), against=OWN_INGEST)


def _of_answers() -> Iterator[Target]:
    for name, group in REAGGREGATED.items():
        text = _REAGGREGATED.format(name=name)
        yield Target(group, 0.87, text, against=DUCKDB_BY_HAND)


def _of_money() -> Iterator[Target]:
    yield Target(RATING, 0.33, _RATED, against=ADDED_UP)
    yield Target(RATING, 20, _RATED_IN_A_LOOP, against=LOOP)
    yield Target(STATEMENTS, 20, _STATED, against=ONE_BY_ONE)
    yield Target(PREVIEW, 2e-3, _PREVIEW)
    for database in ("SQLite", "PostgreSQL"):
        run = credits_group(database)
        yield Target(run, 20, _CREDITS, against=TRANSACTION_AN_INVOICE)
        for history in ("billing run", "long history"):
            yield Target(credit_balance_group(history, database), 1e-3, _BALANCE)
        pair, callers = hold_pair_group(database), hold_callers_group(database)
        yield Target(pair, 0.4, _PAIR.format(database), against=TWO_BARE_INSERTS)
        yield Target(callers, 5, _CALLERS.format(database), against=ONE_THREAD)
    for history in ("billing run", "long history"):
        group = credit_balance_group(history, "SQLite")
        yield Target(group, 0.3, _BALANCE_BY_HAND, against=CREDIT_ROWS)
    yield Target(CHECK, 1e-3, _CHECK)
    yield Target(CHECK, 0.3, _CHECK_BY_HAND, against=CHECK_ROWS)
    yield Target(BALANCE_GROWTH, 0.67, _BALANCE_GROWTH, against=FEW_INVOICES)
    yield Target(BALANCE_GROWTH, 0.3, _BALANCE_BY_HAND, against=CREDIT_ROWS)


TARGETS: Final = tuple(_targets())
