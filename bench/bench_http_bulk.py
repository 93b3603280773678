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
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench import project
from bench.bench_http import serving
from bench.conftest import MakeDirectory
from bench.measures import (
    Answers,
    Contestant,
    Parameter,
    RecordedClock,
    Role,
    Size,
    expected_answers,
    record,
    take_turns,
)
from bench.parquet_ingest import ParquetIngest
from bench.processes import output_of
from bench.targets import HTTP_BULK_ARROW, HTTP_BULK_PARQUET, OWN_INGEST, PROJECT
from metering.cli.demo.traffic import SCHEMA, Traffic

ROWS: Final = Parameter(smoke=20_000, full=500_000)
ROUNDS: Final = Parameter(smoke=1, full=5)
ROWS_PER_BATCH: Final = 50_000
CLOCK: Final = RecordedClock()

_SERVER: Final = ("metering", "serve", "--json", "--port=0", "--rate-limit=0")
_PATH: Final = "/metering/v1/meter_events?backfill=true"
_MEDIA_TYPES: Final = {
    HTTP_BULK_ARROW: "application/vnd.apache.arrow.stream",
    HTTP_BULK_PARQUET: "application/vnd.apache.parquet",
}


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """What a body came to."""

    seconds: float
    answers: Answers


class Race:
    """Server and library with the same bytes, run when the first of them is asked for."""

    def __init__(self, make_directory: MakeDirectory, group: str, size: Size) -> None:
        self._make_directory = make_directory
        self._group = group
        self._size = size

    @property
    def traffic(self) -> Traffic:
        """What is in the body."""
        return Traffic(ROWS.at(self._size), ROWS_PER_BATCH)

    @cached_property
    def rounds(self) -> Mapping[str, list[Took]]:
        """What was taken, by contestant and round."""
        source = self._make_directory() / f"traffic.{_ENDINGS[self._group]}"
        _WRITERS[self._group](source, self.traffic)
        contestants = {
            PROJECT: lambda: self._sent(source),
            OWN_INGEST: lambda: self._ingested(source),
        }
        return take_turns(contestants, ROUNDS.at(self._size))

    def _sent(self, source: Path) -> Took:
        store, body = self._make_directory() / "usage", source.read_bytes()
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
                "Content-Type": _MEDIA_TYPES[self._group],
            }
            started = time.perf_counter()
            connection.request("POST", _PATH, body, headers)
            receipt = msgspec.json.decode(connection.getresponse().read())
            seconds = time.perf_counter() - started
            connection.close()
        return self._checked(store, receipt, seconds)

    def _ingested(self, source: Path) -> Took:
        store = self._make_directory() / "usage"
        told = output_of("bench.parquet_ingest", store, source)
        outcome = msgspec.json.decode(told, type=ParquetIngest)
        return self._checked(store, msgspec.to_builtins(outcome), outcome.seconds)

    def _checked(self, store: Path, receipt: dict[str, int], seconds: float) -> Took:
        assert receipt["rejected"] == 0
        assert receipt["duplicates"] == self.traffic.duplicates
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


_WRITERS: Final[Mapping[str, Callable[[Path, Traffic], None]]] = {
    HTTP_BULK_ARROW: _write_arrow,
    HTTP_BULK_PARQUET: _write_parquet,
}
_ENDINGS: Final = {HTTP_BULK_ARROW: "arrow", HTTP_BULK_PARQUET: "parquet"}


@pytest.fixture(scope="module")
def races(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Mapping[str, Race]:
    """A race for each format of a body."""

    def make() -> Path:
        return tmp_path_factory.mktemp("http-bulk")

    return {group: Race(make, group, size) for group in _MEDIA_TYPES}


@pytest.mark.parametrize("name", [PROJECT, OWN_INGEST])
@pytest.mark.parametrize(
    "group",
    [
        pytest.param(group, marks=pytest.mark.benchmark(group=group, timer=CLOCK.now))
        for group in _MEDIA_TYPES
    ],
)
def test_rows_in_bulk(
    benchmark: BenchmarkFixture,
    races: Mapping[str, Race],
    size: Size,
    group: str,
    name: str,
) -> None:
    """Take one body of rows, and see all of them counted."""
    race = races[group]
    rounds = race.rounds[name]
    best = min(rounds, key=lambda took: took.seconds)

    CLOCK.replay(benchmark, [took.seconds for took in rounds])

    assert all(took.answers == expected_answers(race.traffic) for took in rounds)
    record(
        benchmark,
        Contestant(name=name, role=Role.PROJECT if name == PROJECT else Role.PEER),
        events=ROWS.at(size),
        digest=best.answers.digest,
        seconds=best.seconds,
    )
