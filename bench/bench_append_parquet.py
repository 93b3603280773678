"""Does the ingest of ten million rows from Parquet stay within bounded memory?

The file has row groups of a million rows, as most writers make them. It is written
beforehand; a fresh process then ingests it and tells its peak memory.
"""

from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import MakeDirectory
from bench.measures import (
    Parameter,
    Size,
    bytes_below,
    expected_answers,
    measure,
    record,
)
from bench.processes.parquet_ingest import ParquetIngest
from bench.processes.running import output_of
from bench.report.targets import APPEND_PARQUET, PROJECT
from bench.stores import project
from metering.cli.demo.traffic import SCHEMA, Traffic

ROWS: Final = Parameter(smoke=50_000, full=10_000_000)
ROW_GROUP_ROWS: Final = Parameter(smoke=20_000, full=1_000_000)


@pytest.mark.benchmark(group=APPEND_PARQUET)
def test_ingest_from_parquet(
    benchmark: BenchmarkFixture, make_directory: MakeDirectory, size: Size
) -> None:
    """Ingest one file in a fresh process; the peak is that of the whole process."""
    traffic = Traffic(ROWS.at(size), ROW_GROUP_ROWS.at(size))
    source = make_directory() / "traffic.parquet"
    store = make_directory()
    _write(source, traffic)

    outcome = measure(benchmark, lambda: _ingest_in_fresh_process(store, source))

    assert outcome.rejected == 0
    assert outcome.duplicates == traffic.events - traffic.distinct
    stored_bytes = bytes_below(store)
    with metering.connect(store) as engine:
        meters = engine.meters.list()
        answers = project.answers(engine, meters, events=outcome.accepted)
    assert answers == expected_answers(traffic)
    record(
        benchmark,
        PROJECT,
        events=traffic.events,
        digest=answers.digest,
        stored_bytes=stored_bytes,
        ingest_seconds=outcome.seconds,
        peak_memory_bytes=outcome.peak_memory_bytes,
    )


def _write(path: Path, traffic: Traffic) -> None:
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for batch in traffic.batches():
            writer.write_table(pa.Table.from_batches([batch]))


def _ingest_in_fresh_process(store: Path, source: Path) -> ParquetIngest:
    told = output_of("bench.processes.parquet_ingest", store, source)
    return msgspec.json.decode(told, type=ParquetIngest)
