"""How fast is durable, deduplicated ingest?

Five million events, one in a hundred repeated, from Arrow in batches of 50,000, each
batch durable before the next. Against a row table with a unique index in the same
database, and against the limit: encoding, compressing, writing and syncing the same
batches to a file without looking for duplicates.

The batches are made beforehand. A peer's time holds the conversion from Arrow to what
its driver takes, because no driver takes Arrow; `conversion_seconds` tells how much
that was. All contestants that deduplicate must give the same answers.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench import project
from bench.conftest import MakeDatabase, MakeDirectory
from bench.measures import (
    Answers,
    Contestant,
    Parameter,
    Role,
    Size,
    bytes_below,
    digest,
    expected_answers,
    measure,
    reader,
    record,
)
from bench.row_tables import PostgresqlRowTable, SqliteRowTable, postgresql_bytes
from bench.targets import (
    APPEND_POSTGRESQL,
    APPEND_SQLITE,
    COPY,
    COPY_STAGED,
    LIMIT,
    PROJECT,
    ROW_TABLE,
)
from metering.cli.demo.traffic import SCHEMA, Traffic

EVENTS: Final = Parameter(smoke=20_000, full=5_000_000)
BATCH_EVENTS: Final = Parameter(smoke=5_000, full=50_000)
# The row tables take minutes for what the others do in seconds.
QUICK_ROUNDS: Final = Parameter(smoke=1, full=3)

Converted = TypeVar("Converted")


@pytest.fixture(scope="module")
def traffic(size: Size) -> Traffic:
    """The events that every contestant takes."""
    return Traffic(EVENTS.at(size), BATCH_EVENTS.at(size))


@pytest.fixture(scope="module")
def batches(traffic: Traffic) -> list[pa.RecordBatch]:
    """The same as Arrow, made before anything is timed."""
    return list(traffic.batches())


@pytest.fixture(scope="module")
def expected(traffic: Traffic) -> Answers:
    """What every contestant must answer."""
    return expected_answers(traffic)


@pytest.mark.benchmark(group=APPEND_SQLITE)
def test_project_on_sqlite(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    expected: Answers,
    size: Size,
) -> None:
    """Ingest one Arrow stream into a store in a directory."""
    directories: list[Path] = []

    def target() -> str:
        directories.append(make_directory())
        return str(directories[-1])

    _measure_project(benchmark, target, batches, expected, QUICK_ROUNDS.at(size))

    _record_project(benchmark, batches, expected, bytes_below(directories[-1]))


@pytest.mark.benchmark(group=APPEND_SQLITE)
def test_limit_beside_sqlite(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    size: Size,
) -> None:
    """Write the batches to a file, on the disk and in the run of the SQLite group."""
    _measure_limit(benchmark, make_directory, batches, QUICK_ROUNDS.at(size))


@pytest.mark.benchmark(group=APPEND_SQLITE)
def test_row_table_on_sqlite(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    expected: Answers,
) -> None:
    """Insert row by row, ignoring what the unique index refuses."""
    directory = make_directory()
    with closing(SqliteRowTable(directory / "rows.db")) as table:
        conversion_seconds = measure(
            benchmark, lambda: _insert_all(batches, table.convert, table.insert)
        )

        answers = table.answers()

    assert answers == expected
    record(
        benchmark,
        Contestant(name=ROW_TABLE, role=Role.PEER),
        events=_rows(batches),
        digest=answers.digest,
        stored_bytes=bytes_below(directory),
        conversion_seconds=conversion_seconds,
    )


@pytest.mark.postgresql
@pytest.mark.benchmark(group=APPEND_POSTGRESQL)
def test_project_on_postgresql(
    benchmark: BenchmarkFixture,
    make_database: MakeDatabase,
    batches: list[pa.RecordBatch],
    expected: Answers,
    size: Size,
) -> None:
    """Ingest one Arrow stream into a store in a database."""
    empty_bytes = postgresql_bytes(make_database())
    urls: list[str] = []

    def target() -> str:
        urls.append(make_database())
        return urls[-1]

    _measure_project(benchmark, target, batches, expected, QUICK_ROUNDS.at(size))

    stored_bytes = postgresql_bytes(urls[-1]) - empty_bytes
    _record_project(benchmark, batches, expected, stored_bytes)


@pytest.mark.postgresql
@pytest.mark.benchmark(group=APPEND_POSTGRESQL)
def test_limit_beside_postgresql(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    size: Size,
) -> None:
    """Write the batches to a file, in the run of the PostgreSQL group."""
    _measure_limit(benchmark, make_directory, batches, QUICK_ROUNDS.at(size))


@pytest.mark.postgresql
@pytest.mark.benchmark(group=APPEND_POSTGRESQL)
@pytest.mark.parametrize("name", [ROW_TABLE, COPY_STAGED, COPY])
def test_row_table_on_postgresql(
    benchmark: BenchmarkFixture,
    make_database: MakeDatabase,
    traffic: Traffic,
    expected: Answers,
    name: str,
) -> None:
    """Insert or copy into the row table, in the three ways it has."""
    taken = traffic.without_duplicates() if name == COPY else traffic
    batches = list(taken.batches())
    url = make_database()
    empty_bytes = postgresql_bytes(url)
    with closing(PostgresqlRowTable(url)) as table:
        ways: dict[str, Callable[[], float]] = {
            ROW_TABLE: lambda: _insert_all(batches, table.rows, table.executemany),
            COPY_STAGED: lambda: _insert_all(batches, table.block, table.copy_staged),
            COPY: lambda: _insert_all(batches, table.block, table.copy),
        }
        conversion_seconds = measure(benchmark, ways[name])

        answers = table.answers()

    assert answers == expected
    record(
        benchmark,
        Contestant(name=name, role=Role.PEER),
        events=_rows(batches),
        digest=answers.digest,
        stored_bytes=postgresql_bytes(url) - empty_bytes,
        conversion_seconds=conversion_seconds,
    )


def _measure_project(
    benchmark: BenchmarkFixture,
    target: Callable[[], str],
    batches: list[pa.RecordBatch],
    expected: Answers,
    rounds: int,
) -> None:
    """Ingest into a new store each round; every round's answers are asserted."""
    meters: list[metering.Meter] = []
    positions: list[int] = []
    receipts: list[metering.IngestReceipt] = []

    def opened() -> tuple[metering.Metering]:
        engine = metering.connect(target(), seal_events=None)
        meters[:] = project.create_meters(engine).values()
        positions.append(engine.position)
        return (engine,)

    def ingested(engine: metering.Metering) -> None:
        receipts.append(engine.meter_events.ingest(reader(batches), backfill=True))

    def closed(engine: metering.Metering) -> None:
        receipt = receipts[-1]
        assert receipt.rejected == 0
        assert receipt.duplicates == _rows(batches) - expected.events
        stored = engine.position - positions[-1]
        assert receipt.accepted == stored
        assert project.answers(engine, meters, events=stored) == expected
        engine.close()

    measure(benchmark, ingested, setup=opened, teardown=closed, rounds=rounds)


def _record_project(
    benchmark: BenchmarkFixture,
    batches: list[pa.RecordBatch],
    answers: Answers,
    stored_bytes: int,
) -> None:
    record(
        benchmark,
        Contestant(name=PROJECT, role=Role.PROJECT),
        events=_rows(batches),
        digest=answers.digest,
        stored_bytes=stored_bytes,
    )


def _measure_limit(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    rounds: int,
) -> None:
    path = measure(
        benchmark,
        lambda path: _write_all(path, batches),
        setup=lambda: (make_directory() / "batches.arrows",),
        rounds=rounds,
    )

    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stored:
        rows = sum(batch.num_rows for batch in stored)
    assert rows == _rows(batches)
    record(
        benchmark,
        Contestant(name=LIMIT, role=Role.LIMIT),
        events=rows,
        digest=digest(rows),
        stored_bytes=path.stat().st_size,
    )


def _write_all(path: Path, batches: Sequence[pa.RecordBatch]) -> Path:
    """Encode, compress, write and sync batch after batch; keep the duplicates."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        path.open("wb", buffering=0) as file,
        pa.ipc.new_stream(file, SCHEMA, options=options) as stream,
    ):
        for batch in batches:
            stream.write_batch(batch)
            os.fsync(file.fileno())
    return path


def _insert_all(
    batches: Sequence[pa.RecordBatch],
    convert: Callable[[pa.RecordBatch], Converted],
    insert: Callable[[Converted], None],
) -> float:
    """Convert and insert batch after batch; tell the seconds of the conversion."""
    conversion_seconds = 0.0
    for batch in batches:
        started = time.perf_counter()
        converted = convert(batch)
        conversion_seconds += time.perf_counter() - started
        insert(converted)
    return conversion_seconds


def _rows(batches: Sequence[pa.RecordBatch]) -> int:
    return sum(batch.num_rows for batch in batches)
