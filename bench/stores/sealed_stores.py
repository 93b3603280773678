"""Stores of this project whose events are sealed, built once and kept.

Many events take minutes to build, and asking them changes nothing: a store is kept under
a name made of what it was built from and of the versions of its formats, and found
again by the next run. It appears under its name when it is whole.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
from rich.console import Console
from rich.progress import track

import metering
from bench.measures import reader
from bench.stores import project
from ledger.schema import FORMAT_VERSION
from ledger.segments.layout import LAYOUT_VERSION
from metering.cli.demo.traffic import CUSTOMERS, Traffic, customer_id

KEPT: Final = Path(__file__).parents[2] / ".benchmarks" / "stores"
_BATCH_EVENTS: Final = 50_000
_BATCHES_IN_A_SEGMENT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedStore:
    """Where a store is, and the traffic that it took."""

    directory: Path
    traffic: Traffic

    @property
    def segments(self) -> Path:
        """The directory of its Parquet files."""
        return self.directory / "segments"

    def connect(self) -> metering.Metering:
        """Open the store; nothing is sealed while it is measured."""
        return metering.connect(self.directory, create=False, seal_events=None)

    def copied(self, target: Path) -> "SealedStore":
        """Copy it while nobody writes to it; what never changes is linked, as it is large.

        Args:
            target: the new directory, on the same file system.
        """
        linked = ("segments", "runs")
        ignored = shutil.ignore_patterns(*linked)
        shutil.copytree(self.directory, target, ignore=ignored)
        for part in linked:
            shutil.copytree(self.directory / part, target / part, copy_function=_link)
        return replace(self, directory=target)

    def event_names(self) -> dict[str, str]:
        """Return the event name of each meter, by its id."""
        with self.connect() as engine:
            return {meter.id: meter.event_name for meter in engine.meters.list()}


def sealed_store(events: int, within: Path, customers: int = CUSTOMERS) -> SealedStore:
    """Find a store of distinct events in a directory, or build it there.

    Args:
        events: how many.
        within: the directory.
        customers: how many there are; fewer than the traffic has share its ranks.
    """
    traffic = Traffic(
        events,
        _BATCH_EVENTS,
        duplicate_share=0.0,
        customers=max(customers, CUSTOMERS),
        customer_of=lambda rank: customer_id(rank % customers),
    )
    versions = f"seed{traffic.seed}-format{FORMAT_VERSION}-layout{LAYOUT_VERSION}"
    if customers != CUSTOMERS:
        versions = f"customers{customers}-{versions}"
    directory = within / f"{events}-{versions}"
    if not directory.exists():
        unfinished = within / f"{directory.name}.unfinished"
        # Of a run that was interrupted.
        shutil.rmtree(unfinished, ignore_errors=True)
        _build(unfinished, traffic)
        unfinished.rename(directory)
    return SealedStore(directory=directory, traffic=traffic)


def _build(directory: Path, traffic: Traffic) -> None:
    with metering.connect(directory, seal_events=None) as engine:
        project.create_meters(engine)
        parts = -(-traffic.events // (_BATCH_EVENTS * _BATCHES_IN_A_SEGMENT))
        for part in track(
            _parts(traffic),
            f"Building a store of {traffic.events:,} events",
            total=parts,
            console=Console(stderr=True),
        ):
            engine.meter_events.ingest(reader(part), backfill=True)
            engine.seal()


def _parts(traffic: Traffic) -> Iterator[list[pa.RecordBatch]]:
    batches = traffic.batches()
    while part := list(islice(batches, _BATCHES_IN_A_SEGMENT)):
        yield part


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
