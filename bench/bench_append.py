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
from bench.conftest import MakeDatabase, MakeDirectory
from bench.measures import (
    Answers,
    Parameter,
    Size,
    bytes_below,
    digest,
    expected_answers,
    measure,
    reader,
    record,
)
from bench.report.targets import (
    APPEND_POSTGRESQL,
    APPEND_SQLITE,
    COPY,
    COPY_STAGED,
    LIMIT,
    PROJECT,
    ROW_TABLE,
)
from bench.stores import project
from bench.stores.row_tables import PostgresqlRowTable, SqliteRowTable, postgresql_bytes
from bench.stores.usage import without_duplicates
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
    store = _measure_project(benchmark, make_directory, batches, expected, size)

    _record(benchmark, PROJECT, batches, expected.digest, bytes_below(Path(store)))


@pytest.mark.benchmark(group=APPEND_SQLITE)
def test_limit_beside_sqlite(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    size: Size,
) -> None:
    """Write the batches to a file, on the disk and in the run of the SQLite group."""
    _measure_limit(benchmark, make_directory, batches, size)


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

        assert table.answers() == expected
    stored = bytes_below(directory)
    _record(benchmark, ROW_TABLE, batches, expected.digest, stored, conversion_seconds)


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

    url = _measure_project(benchmark, make_database, batches, expected, size)

    stored = postgresql_bytes(url) - empty_bytes
    _record(benchmark, PROJECT, batches, expected.digest, stored)


@pytest.mark.postgresql
@pytest.mark.benchmark(group=APPEND_POSTGRESQL)
def test_limit_beside_postgresql(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    size: Size,
) -> None:
    """Write the batches to a file, in the run of the PostgreSQL group."""
    _measure_limit(benchmark, make_directory, batches, size)


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
    taken = without_duplicates(traffic) if name == COPY else traffic
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

        assert table.answers() == expected
    stored = postgresql_bytes(url) - empty_bytes
    _record(benchmark, name, batches, expected.digest, stored, conversion_seconds)


def _measure_project(
    benchmark: BenchmarkFixture,
    make_target: Callable[[], str | Path],
    batches: list[pa.RecordBatch],
    expected: Answers,
    size: Size,
) -> str:
    """Ingest into a new store each round, and assert its answers; return the last store."""
    targets: list[str] = []

    def opened() -> tuple[metering.Metering, list[metering.IngestReceipt]]:
        targets.append(str(make_target()))
        engine = metering.connect(targets[-1], seal_events=None)
        project.create_meters(engine)
        return engine, []

    def ingested(
        engine: metering.Metering, receipts: list[metering.IngestReceipt]
    ) -> None:
        receipts.append(engine.meter_events.ingest(reader(batches), backfill=True))

    def closed(
        engine: metering.Metering, receipts: list[metering.IngestReceipt]
    ) -> None:
        (receipt,) = receipts
        meters = engine.meters.list()
        assert receipt.rejected == 0
        assert receipt.duplicates == _rows(batches) - expected.events
        assert receipt.accepted == engine.position - len(meters)
        answers = project.answers(engine, meters, events=receipt.accepted)
        assert answers == expected
        engine.close()

    rounds = QUICK_ROUNDS.at(size)
    measure(benchmark, ingested, setup=opened, teardown=closed, rounds=rounds)
    return targets[-1]


def _measure_limit(
    benchmark: BenchmarkFixture,
    make_directory: MakeDirectory,
    batches: list[pa.RecordBatch],
    size: Size,
) -> None:
    path = measure(
        benchmark,
        lambda path: _write_all(path, batches),
        setup=lambda: (make_directory() / "batches.arrows",),
        rounds=QUICK_ROUNDS.at(size),
    )

    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stored:
        rows = sum(batch.num_rows for batch in stored)
    assert rows == _rows(batches)
    _record(benchmark, LIMIT, batches, digest(rows), path.stat().st_size)


def _record(  # what a record holds
    benchmark: BenchmarkFixture,
    name: str,
    batches: list[pa.RecordBatch],
    digest: str,
    stored_bytes: int,
    conversion_seconds: float | None = None,
) -> None:
    record(
        benchmark,
        name,
        events=_rows(batches),
        digest=digest,
        stored_bytes=stored_bytes,
        conversion_seconds=conversion_seconds,
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
