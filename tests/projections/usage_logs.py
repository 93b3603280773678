"""Own a log whose usage is followed: on SQLite, with segments and runs in a directory.

Each `OpenUsage` is what one process has: a log, and the usage that follows it.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.appending.judging import ClockJudge
from ledger.database.sqlite import SQLiteDatabase
from ledger.database.store import Database
from ledger.facts.adjustments import MeterEventCancelled
from ledger.facts.meters import EventTimeWindow, Formula, MeterCreated
from ledger.facts.union import Fact
from ledger.log import Log
from ledger.segments.store import open_segment_store
from ledger.usage.columns import UsageRow
from projections.folds import FactTables
from projections.usage.hourly import HourlyUsage
from tests.ledger.drafts import NOW, append

EPOCH = "epoch-1"


@dataclass(frozen=True, kw_only=True)
class OpenUsage:
    """A log and its usage."""

    log: Log
    usage: HourlyUsage

    def record(self, *facts: Fact) -> int:
        """Record facts; get the position of the last."""
        with self.log.writing(lambda: NOW, needs_events=True) as writing:
            writing.record(facts)
        assert writing.commit is not None
        return writing.commit.last_position

    def append(self, events: Sequence[UsageRow]) -> int:
        """Append events under identifiers of their own; get the first position."""
        first = self.log.catch_up().position + 1
        named = [
            event._replace(identifier=f"event-{position}")
            for position, event in enumerate(events, first)
        ]
        append(self.log, *named)
        return first


@contextmanager
def log_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="metering-usage-") as directory:
        yield Path(directory)


@contextmanager
def open_usage(directory: Path) -> Iterator[OpenUsage]:
    """Open the log of a directory, made where it is absent, and catch up."""
    usage = HourlyUsage()
    # What a power cut would leave is no question here.
    database = SQLiteDatabase(directory / "log.db", is_durable=False)
    log = Log(
        database,
        fold=FactTables(),
        usage=usage,
        epoch=EPOCH,
        segments=open_segment_store(directory / "segments"),
        runs=directory / "runs",
        identifier_retention=None,
        judge=ClockJudge(database, None, lambda: 0),
    )
    with closing(log):
        log.catch_up()
        yield OpenUsage(log=log, usage=usage)


def fact_log(database: Database) -> Log:
    """Open a log that nothing is ever sealed of."""
    return Log(
        database,
        fold=FactTables(),
        usage=HourlyUsage(),
        epoch=EPOCH,
        segments=open_segment_store("absent"),
        runs=Path(),
        identifier_retention=None,
        judge=ClockJudge(database, None, lambda: 0),
    )


def created(
    name: str, formula: Formula, window: EventTimeWindow | None
) -> MeterCreated:
    """A meter of the events of its own name."""
    return MeterCreated(
        meter_id=name,
        event_name=name,
        display_name=name,
        formula=formula,
        customer_payload_key="c",
        value_payload_key="v",
        event_time_window=window,
    )


def cancellation_of(event: UsageRow, position: int) -> MeterEventCancelled:
    """The cancellation of an event recorded at a position."""
    return MeterEventCancelled(
        event_position=position,
        event_name=event.event_name,
        identifier=event.identifier,
        customer=event.customer,
        timestamp=event.timestamp,
        value=event.value,
    )


def usage_runs(directory: Path) -> list[Path]:
    return sorted((directory / "runs" / EPOCH).glob("usage-*.arrow"))


def refolded(opened: OpenUsage) -> HourlyUsage:
    """Usage as one fold of the whole log knows it, without runs."""
    fresh = HourlyUsage()
    for commit, _ in opened.log.commits():
        fresh.take_in(commit)
    return fresh
