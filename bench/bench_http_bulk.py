"""How much slower are rows in bulk over HTTP than the library's own ingest of them?

A body holds the traffic as an Arrow stream or a Parquet file. The project takes it in one
request, on a server of an empty store, and answers when all of it is on the disk; the
peer is the library in a process of its own, which ingests the same bytes from a file.
The contestants take turns, and the best round counts: what disturbs a process only ever
makes it slower.
"""

import http.client
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.bench_http import serving
from bench.measures import (
    CLOCK,
    Answers,
    Parameter,
    Race,
    Size,
    expected_answers,
    record,
)
from bench.processes.parquet_ingest import ParquetIngest
from bench.processes.running import output_of
from bench.report.targets import HTTP_BULK_ARROW, HTTP_BULK_PARQUET, OWN_INGEST, PROJECT
from bench.stores import project
from metering.cli.demo.traffic import SCHEMA, Traffic

ROWS: Final = Parameter(smoke=20_000, full=500_000)
ROUNDS: Final = Parameter(smoke=1, full=5)
ROWS_PER_BATCH: Final = 50_000

_SERVER: Final = ("metering", "serve", "--json", "--port=0", "--rate-limit=0")
_PATH: Final = "/metering/v1/meter_events?backfill=true"


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """What a body came to."""

    seconds: float
    answers: Answers


@dataclass(frozen=True, slots=True)
class Bulk:
    """The same rows as bytes for a server and for the library."""

    traffic: Traffic
    source: Path
    media_type: str

    def sent(self) -> Took:
        """Post the bytes to a server of an empty store."""
        store, body = self.source.with_name("served"), self.source.read_bytes()
        with metering.connect(store) as engine:
            project.create_meters(engine)
            key = engine.api_keys.create(name="bench").secret
        with serving(*_SERVER, "--store", str(store)) as line:
            address = urlsplit(msgspec.json.decode(line)["url"])
            connection = http.client.HTTPConnection(
                str(address.hostname), address.port, timeout=600
            )
            headers = {
                "Authorization": f"Bearer {key}",
                "Content-Type": self.media_type,
            }
            started = time.perf_counter()
            connection.request("POST", _PATH, body, headers)
            receipt = msgspec.json.decode(connection.getresponse().read())
            seconds = time.perf_counter() - started
            connection.close()
        return self._checked(store, receipt, seconds)

    def ingested(self) -> Took:
        """Let the library ingest the file."""
        store = self.source.with_name("ingested")
        told = output_of("bench.processes.parquet_ingest", store, self.source)
        outcome = msgspec.json.decode(told, type=ParquetIngest)
        return self._checked(store, msgspec.to_builtins(outcome), outcome.seconds)

    def _checked(self, store: Path, receipt: dict[str, int], seconds: float) -> Took:
        assert receipt["rejected"] == 0
        assert receipt["duplicates"] == self.traffic.events - self.traffic.distinct
        with metering.connect(store) as engine:
            meters = engine.meters.list()
            answers = project.answers(engine, meters, events=receipt["accepted"])
        shutil.rmtree(store)
        return Took(seconds=seconds, answers=answers)


def _write_arrow(path: Path, traffic: Traffic) -> None:
    with pa.ipc.new_stream(path, SCHEMA) as writer:
        for batch in traffic.batches():
            writer.write_batch(batch)


def _write_parquet(path: Path, traffic: Traffic) -> None:
    pq.write_table(pa.Table.from_batches(traffic.batches()), path)


FORMATS: Final[Mapping[str, tuple[str, str, Callable[[Path, Traffic], None]]]] = {
    HTTP_BULK_ARROW: ("arrow", "application/vnd.apache.arrow.stream", _write_arrow),
    HTTP_BULK_PARQUET: ("parquet", "application/vnd.apache.parquet", _write_parquet),
}


@pytest.fixture(scope="module")
def traffic(size: Size) -> Traffic:
    """What is in the body."""
    return Traffic(ROWS.at(size), ROWS_PER_BATCH)


@pytest.fixture(scope="module")
def races(
    tmp_path_factory: pytest.TempPathFactory, traffic: Traffic, size: Size
) -> Mapping[str, Race[Took]]:
    """A race for each format of a body."""
    found = {}
    for group, (ending, media_type, write) in FORMATS.items():
        source = tmp_path_factory.mktemp("http-bulk") / f"traffic.{ending}"
        write(source, traffic)
        bulk = Bulk(traffic, source, media_type)
        contestants = {PROJECT: bulk.sent, OWN_INGEST: bulk.ingested}
        found[group] = Race(contestants, ROUNDS.at(size), attrgetter("seconds"))
    return found


@pytest.mark.parametrize("name", [PROJECT, OWN_INGEST])
@pytest.mark.parametrize(
    "group",
    [
        pytest.param(group, marks=pytest.mark.benchmark(group=group, timer=CLOCK.now))
        for group in FORMATS
    ],
)
def test_rows_in_bulk(
    benchmark: BenchmarkFixture,
    races: Mapping[str, Race[Took]],
    traffic: Traffic,
    group: str,
    name: str,
) -> None:
    """Take one body of rows, and see all of them counted."""
    rounds = races[group].report(benchmark, name)

    best, expected = rounds[0], expected_answers(traffic)
    assert all(took.answers == expected for took in rounds)
    record(
        benchmark,
        name,
        events=traffic.events,
        digest=best.answers.digest,
        seconds=best.seconds,
    )
