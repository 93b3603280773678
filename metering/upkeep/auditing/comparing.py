"""Comparing: what answers are made of, with what the log leads to, piece by piece.

A pass looks at one instant: the tables as one snapshot has them, and hourly usage as this
process had taken it in then. The log is read again up to there, and the same is made of it
anew. The comparisons are those of `Metering.verify`, which reads the log in one go.

* Usage of segments is added up from their events into runs of the pass's own. They stay
  where a process dies, so who goes on with the pass goes on behind them.
* Where alerts on usage are evaluated, they are evaluated anew, for which every commit is
  read. Otherwise of what is sealed only the facts are.
* Memory holds the tail and one segment's worth; the tables made anew are a scratch file.

The chain of digests, which proves the log itself, is verified and not audited.
"""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from types import TracebackType
from typing import Self

import msgspec

from ledger.commits import log_time, read_head
from ledger.entries import Commit
from ledger.errors import (
    LogDamagedError,
    SegmentDamagedError,
    SegmentMissingError,
    StoreDamagedError,
)
from ledger.reading import read_commits, read_fact_commits, sealed_commit
from ledger.records.audits.passes import PassFindings, SegmentFinding
from ledger.runs.run_set import RunSet
from ledger.segments.catalog import read_segments
from ledger.segments.entry import Segment
from ledger.segments.sealed import Sealed
from metering.store.engine import Engine
from metering.upkeep.auditing.usage import UsageComparison
from metering.upkeep.verification.alerts import (
    AlertsBefore,
    AlertsOnCredits,
    AlertsOnUsage,
    are_evaluated,
)
from metering.upkeep.verification.segments import problems_of_content
from metering.upkeep.verification.tables import Tables
from projections.refolding import checkpoint_rows, refolded
from projections.usage.differences import UsageParts
from projections.usage.hourly import HourlyUsage
from projections.usage.run import UsageRuns

# Some milliseconds each.
_COMMITS_AT_A_TIME = 256
_ENTRIES_AT_A_TIME = 65_536
_DIFFERENCES_KEPT = 20
_DIRECTORY = "audit"

_DAMAGE = (LogDamagedError, SegmentDamagedError, SegmentMissingError, StoreDamagedError)
"""What reading a store may come upon, which is a difference and no failure."""


class Comparing(AbstractContextManager["Comparing"]):
    """One pass over a store. It changes nothing but the runs of its own.

    Attributes:
        position: the last one that it compares, 0 before it has begun.
        reached: the one up to which it has come.

    Args:
        engine: of the store.
        with_files: whether to read whether the files of segments are what was sealed.
        goes_on: whether to use the runs that the pass left where it was interrupted.
    """

    def __init__(self, engine: Engine, *, with_files: bool, goes_on: bool) -> None:
        self.position = self.reached = 0
        self._engine = engine
        self._with_files = with_files
        self._goes_on = goes_on
        self._closing = ExitStack()
        self._differences: list[str] = []
        self._present = 0
        self._segments: tuple[Segment, ...] = ()
        self._usage = HourlyUsage()
        self._meters = UsageComparison()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the scratch file; runs stay until the pass has ended."""
        self._closing.close()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def pieces(self) -> Iterator[None]:
        """Do the work, and yield after each piece of it.

        Raises:
            StoreError: the store cannot be read now.
        """
        stored = self._begin()
        yield
        try:
            yield from self._through_segments()
            yield from self._through_tail()
        except _DAMAGE as error:
            # What follows from a log that cannot be read is not known.
            self._differences.append(error.message)
            return
        self._differences += self._problems_of_entries()
        if stored is not None:
            for found in self._meters.pieces(stored, self._usage.parts()):
                self._differences += found
                yield
        for found in self._tables.comparisons():
            self._differences += found
            yield
        self._differences += self._alerts.problems()
        self._differences += self._problems_of_credit_alerts()

    def findings(self) -> PassFindings:
        """Return what was found, once all pieces are done."""
        different = tuple(dict.fromkeys(self._differences))
        return PassFindings(
            entries=self.position,
            entries_present=self._present,
            meters=self._meters.meters(),
            segments=tuple(
                SegmentFinding(name=each.name, after=each.after, up_to=each.up_to)
                for each in self._segments
            ),
            differences=different[:_DIFFERENCES_KEPT],
            difference_count=len(different),
        )

    def end(self) -> None:
        """Remove the runs of the pass."""
        self._forget_runs()

    # Beginning.

    def _begin(self) -> UsageParts | None:
        """Look at the store, and return its usage; None where rows of it are damaged."""
        engine = self._engine
        # Read before more is taken in, so that usage passes this position.
        with engine.log.read() as connection:
            head, time = read_head(connection), log_time(connection)
            before = AlertsBefore(checkpoints=checkpoint_rows(connection), time=time)
            refolding = self._closing.enter_context(refolded(connection))
        self._tables = Tables(refolding, head.position, time)
        self._alerts = AlertsOnUsage(self._usage, before, self._tables)
        self._credit_alerts = AlertsOnCredits(before, self._tables)
        self._reads_all = are_evaluated(before)
        self._head = engine.log.lineage.genesis()
        stored: UsageParts | None = None
        self.position = head.position
        try:
            engine.log.catch_up()
            stored = engine.usage.parts()
            self.position = stored.position
        except StoreDamagedError as error:
            self._differences.append(error.message)
        # What is sealed meanwhile is read as the tail that it was.
        self._segments = tuple(
            each
            for each in engine.log.history.segments()
            if each.up_to <= self.position
        )
        if not self._goes_on:
            self._forget_runs()
        return stored

    # Reading the log.

    def _sealed(self, segments: Sequence[Segment]) -> Sealed:
        sealed = self._engine.log.sealed
        runs = sealed.runs / _DIRECTORY
        return msgspec.structs.replace(
            sealed, segments=tuple(segments), runs=runs, shared_runs=()
        )

    def _forget_runs(self) -> None:
        RunSet(self._sealed(()).runs, UsageRuns()).clear()

    def _through_segments(self) -> Iterator[None]:
        """Read what is sealed, and add up its usage segment by segment."""
        for count, segment in enumerate(self._segments, 1):
            if self._reads_all:
                yield from self._through_commits_of(segment)
            else:
                yield from self._through_facts_of(segment)
            sealed = self._sealed(self._segments[:count])
            with self._engine.log.read() as connection:
                self._usage.make_runs(connection, sealed)
            if self._reads_all or count == len(self._segments):
                self._alerts.restart(sealed)
            self._head, self.reached = segment.head(self._head.epoch), segment.up_to
            yield
            if self._with_files:
                self._differences += self._problems_of_file(segment)
                yield

    def _through_facts_of(self, segment: Segment) -> Iterator[None]:
        after = segment.after
        self._present += segment.rows
        while True:
            with self._engine.log.read() as connection:
                facts = read_fact_commits(connection, after, segment.up_to)
                portion = [*_portion(facts)]
            for commit in portion:
                self._tables.take_in(commit)
                self._present += commit.entry_count
            if not portion:
                return
            after = portion[-1].last_position
            yield

    def _through_commits_of(self, segment: Segment) -> Iterator[None]:
        with self._engine.log.read() as connection:
            facts = [*read_fact_commits(connection, segment.after, segment.up_to)]
        yield
        # Without a snapshot, which would last as long as the pieces of a segment do.
        sealed = (
            sealed_commit(*each)
            for each in self._engine.log.sealed.reader.commits(segment)
        )
        commits = heapq.merge(facts, sealed, key=lambda each: each.first_position)
        while portion := [*_portion(commits)]:
            for commit in portion:
                self._take_in(commit)
            yield

    def _through_tail(self) -> Iterator[None]:
        log = self._engine.log
        while self._head.position < self.position:
            with log.read() as connection:
                segments = read_segments(connection)
                read = read_commits(
                    connection, self._head, self.position, segments, log.sealed.reader
                )
                portion = [*_portion(commit for commit, _ in read)]
            for commit in portion:
                self._take_in(commit)
            yield

    def _take_in(self, commit: Commit) -> None:
        if commit.first_position != self._head.position + 1:
            reason = f"the next commit begins at {commit.first_position}"
            raise LogDamagedError(self._head.position + 1, reason)
        # Rows that were read have their place in the chain, sealed commits none.
        self._head = msgspec.structs.replace(
            self._head,
            position=commit.last_position,
            recorded_at=commit.recorded_at,
            digest=commit.digest,
        )
        self._tables.take_in(commit)
        self._alerts.take_in(commit, self._head)
        self._present += commit.entry_count
        self.reached = commit.last_position

    # Comparing.

    def _problems_of_entries(self) -> Iterator[str]:
        if self._present != self.position:
            yield (
                f"{self.position} entries were acknowledged, {self._present} are there;"
                " run `metering verify`"
            )

    def _problems_of_file(self, segment: Segment) -> list[str]:
        try:
            return problems_of_content(self._engine, segment)
        except (SegmentDamagedError, SegmentMissingError) as error:
            return [error.message]

    def _problems_of_credit_alerts(self) -> Iterator[str]:
        position = self._credit_alerts.position
        if position is not None and 0 < position <= self.position:
            commit = self._engine.log.history.commit_holding(position)
            if commit.last_position == position:
                self._credit_alerts.take_in(
                    msgspec.structs.replace(
                        self._head, position=position, recorded_at=commit.recorded_at
                    )
                )
        yield from self._credit_alerts.problems()


def _portion(commits: Iterator[Commit]) -> Iterator[Commit]:
    """Yield the next commits, as many as are a piece."""
    entries = 0
    for commit in islice(commits, _COMMITS_AT_A_TIME):
        yield commit
        entries += commit.entry_count
        if entries >= _ENTRIES_AT_A_TIME:
            return
