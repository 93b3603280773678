"""How much slower is ingestion when the log already knows very many identifiers?

The same batches of 50,000 new events are ingested into an empty log and into one that
has many million events, sealed, whose identifiers must all be looked through for
duplicates. They take turns; the best round counts.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import metering
from bench.conftest import FindSealedStore
from bench.measures import (
    CLOCK,
    Parameter,
    Race,
    Size,
    digest,
    events_asked_for,
    reader,
    record,
)
from bench.report.targets import AFTER_HISTORY, APPEND_HISTORY, EMPTY_LOG
from bench.stores import project
from metering.cli.demo.traffic import Traffic

HISTORY: Final = Parameter(smoke=200_000, full=100_000_000)
EVENTS: Final = Parameter(smoke=100_000, full=1_000_000)
ROUNDS: Final = Parameter(smoke=1, full=3)
_OTHER_SEED: Final = 7


@pytest.fixture(scope="module")
def race(find_sealed_store: FindSealedStore, size: Size) -> Race[float]:
    """Ingestion after a history, and into an empty log."""
    history = find_sealed_store(events_asked_for(HISTORY, size))
    traffic = Traffic(EVENTS.at(size), 50_000, duplicate_share=0.0, seed=_OTHER_SEED)
    batches = list(traffic.batches())

    def ingested_into(make: Callable[[Path], object]) -> float:
        # Beside the history, so that its files can be linked.
        with tempfile.TemporaryDirectory(dir=history.directory.parent) as directory:
            target = Path(directory) / "usage"
            make(target)
            return _ingest(target, batches)

    contestants: dict[str, Callable[[], float]] = {
        AFTER_HISTORY: lambda: ingested_into(history.copied),
        EMPTY_LOG: lambda: ingested_into(_make_empty),
    }
    return Race(contestants, ROUNDS.at(size), float)


@pytest.mark.benchmark(group=APPEND_HISTORY, timer=CLOCK.now)
@pytest.mark.parametrize("name", [AFTER_HISTORY, EMPTY_LOG])
def test_append_after_a_history(
    benchmark: BenchmarkFixture, race: Race[float], name: str, size: Size
) -> None:
    """Ingest new events, each of which may be known."""
    seconds = race.report(benchmark, name)

    events = EVENTS.at(size)
    record(benchmark, name, events=events, digest=digest(events), seconds=seconds[0])


def _ingest(directory: Path, batches: list[pa.RecordBatch]) -> float:
    with metering.connect(directory, seal_events=None) as engine:
        before = engine.catch_up()
        # Files of identifiers are checked when they are first needed.
        engine.meter_events.ingest(reader(batches[:1]), backfill=True)
        started = time.perf_counter()
        receipt = engine.meter_events.ingest(reader(batches[1:]), backfill=True)
        seconds = time.perf_counter() - started
        assert receipt.accepted == sum(batch.num_rows for batch in batches[1:])
        assert engine.position == before + receipt.accepted + batches[0].num_rows
    return seconds


def _make_empty(directory: Path) -> None:
    with metering.connect(directory) as engine:
        project.create_meters(engine)
