"""The log: appends to it, reads of it, and what this process knows of it.

An append prepares everything, takes the store's write lock, takes in what others
committed meanwhile, settles duplicates against it, moves the head, inserts one commit
and releases the lock. Only then it acknowledges. A reader takes in the commits after
those it has. What is taken in feeds known identifiers and the fold of usage in order, once.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.appending.ahead import SettlingAhead
from ledger.appending.attempts import attempting
from ledger.appending.drafts import Draft, Outcome
from ledger.appending.group_commit import GroupCommit
from ledger.appending.judging import ClockJudge, read_clock
from ledger.appending.time_repairs import TimeRepairs
from ledger.appending.writing import Writing
from ledger.background import BackgroundLoops
from ledger.commits import read_head, read_head_and_time
from ledger.database.store import Database
from ledger.entries import Commit, Head, Passage, TailSize
from ledger.errors import LedgerError, StoreClosedError, StoreForkedError
from ledger.facts.instants import LogTime
from ledger.folds import FactFold, UsageFold
from ledger.history import History
from ledger.intake import Intake
from ledger.opening import open_log, rebuild_tables
from ledger.reading import read_commits
from ledger.records.idempotency import Request
from ledger.runs.passages import KeptPassages
from ledger.sealing import Sealing, StepCallback
from ledger.segments.catalog import read_segments
from ledger.segments.entry import Segment
from ledger.segments.sealed import Sealed
from ledger.segments.store import SegmentStore
from ledger.stored_events import StoredEvents
from ledger.usage_appends import UsageAppends


class Log:
    """The log of one store, as this process sees it. Thread-safe.

    Attributes:
        background: the loops of this process that work on it.
        lineage: its epoch, and the logs that it was branched from.

    Args:
        database: where the log is stored; closed with the log.
        fold: the tables that facts fold into.
        usage: takes in every commit, in order.
        epoch: identity for the log, should it not exist yet; None where it must exist.
        segments: where sealed usage lies.
        runs: a directory for what is derived from segments, in one of the log's own.
        identifier_retention: how long an identifier is taken; None is for ever.
        judge: of the clock of appends.

    Raises:
        StoreMissingError: the log does not exist, and was not to be made.
        StoreVersionError: the store was written by a later release.
        SegmentMissingError: a segment of the log is not in the segment store.
        StoreBehindError: the segment store has segments of a longer log.
    """

    def __init__(  # noqa: PLR0913  # a log is made of its parts, in one place
        self,
        database: Database,
        *,
        fold: FactFold,
        usage: UsageFold,
        epoch: str | None,
        segments: SegmentStore,
        runs: Path,
        identifier_retention: timedelta | None,
        judge: ClockJudge,
    ) -> None:
        self._database, self._fold, self.judge = database, fold, judge
        self._process, self._is_closed = os.getpid(), False
        background = self.background = BackgroundLoops()
        try:
            opened = open_log(database, fold, epoch, segments, runs)
        except LedgerError:
            database.close()
            raise
        self._opened, self.lineage = opened, opened.lineage
        genesis, sealed = opened.lineage.genesis(), opened.sealed
        reader = self._reader = sealed.reader
        self._history = History(database, reader)
        stored = self._stored = StoredEvents(self._history)
        self._sealing = Sealing(database, segments, reader, fold, background)
        kept = self._kept = KeptPassages(sealed.runs, reader, background)
        intake = self._intake = Intake(genesis, sealed, usage, kept, background)
        appends = self._appends = UsageAppends(
            database, intake, judge, stored, identifier_retention, self.catch_up
        )
        self._group = GroupCommit(appends.commit)
        leading, catch_up = self._group.leading, self.catch_up
        self.time_repairs = TimeRepairs(
            database, fold, self._history, self.check_usable, leading, catch_up
        )

    # What is recorded.

    def head(self) -> Head:
        """Read where the log ends now."""
        self.check_usable()
        with self._database.watch() as connection:
            return read_head(connection)

    def read(self, *, once: bool = False) -> AbstractContextManager[Connection]:
        """Open a database transaction on one snapshot of the log and its tables.

        Or, once, a connection for one statement, which sees one snapshot by itself.
        """
        self.check_usable()
        return self._database.read_once() if once else self._database.read()

    def commits(self, up_to: int | None = None) -> Iterator[tuple[Commit, Head]]:
        """Read all commits up to a position, checked, each with the head it makes."""
        with self.read() as connection:
            head = read_head(connection)
            end = head.position if up_to is None else min(up_to, head.position)
            genesis, segments = self.lineage.genesis(), read_segments(connection)
            yield from read_commits(connection, genesis, end, segments, self._reader)

    def events_at(self, positions: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read events by position, with the time at which each counts as recorded."""
        self.check_usable()
        return self._appends.events_at(positions)

    @property
    def time(self) -> LogTime:
        """When what was taken in counts as recorded."""
        return self._intake.time

    def commits_at(self, first_positions: Sequence[int]) -> Iterator[Commit]:
        """Read the commits that begin at some positions, ascending."""
        self.check_usable()
        yield from self._stored.commits_by_portions(first_positions)

    def parts_at(self, first_positions: np.ndarray) -> Iterator[Commit | Passage]:
        """Read the commits of usage that begin at some positions (int64), ascending.

        Small ones come in passages, with others that are kept between them.
        """
        self.check_usable()
        at, together_at = 0, self._stored.together_at
        for passage in self._kept.kept():
            start = int(first_positions.searchsorted(passage.first_position))
            end = int(first_positions.searchsorted(passage.last_position, "right"))
            if start < end:
                yield from together_at(first_positions[at:start])
                yield passage
                at = end
        yield from together_at(first_positions[at:])

    def segments_and_tail(
        self, up_to: int
    ) -> tuple[tuple[Segment, ...], list[Commit | Passage]]:
        """Read the catalog, and the commits after the last segment, up to a position.

        The last passage may go further. Facts may be left out.
        """
        with self.read() as connection:
            segments = read_segments(connection)
            after = segments[-1].up_to if segments else 0
            return segments, list(self._kept.tail(connection, after, up_to))

    @property
    def history(self) -> History:
        """What is recorded, wherever it lies."""
        self.check_usable()
        return self._history

    # What this process has taken in.

    @property
    def known_head(self) -> Head:
        """The head up to which commits were taken in."""
        return self._intake.head

    @property
    def terms_position(self) -> int:
        """A position since which nothing changed what is billed, and when."""
        return self._intake.terms_position

    @property
    def sealed(self) -> Sealed:
        """What is known to lie in segments."""
        return self._intake.sealed

    @property
    def tail_size(self) -> TailSize:
        """How much was taken in after the last segment that is known."""
        return self._intake.tail_size

    def count_events(self) -> int:
        """Count the meter events that any process recorded so far."""
        self.catch_up()
        return self._intake.count_events()

    def catch_up(self) -> Head:
        """Take in every commit that any process made so far."""
        head = self.head()
        if not self._intake.is_current(head):
            with self.read() as connection:
                self._intake.begin_after_segments(connection)
                head = read_head(connection)
                self._intake.take_in_up_to(connection, head)
        return head

    def find_event(self, event_name: str, identifier: str) -> int | None:
        """Find the position of the latest event under an identifier taken in so far."""
        self.check_usable()
        return self._appends.find_event(event_name, identifier)

    def find_events(self, named: pa.RecordBatch) -> np.ndarray:
        """Find many at once, by their columns of both; see `UsageAppends.find_events`."""
        self.check_usable()
        return self._appends.find_events(named)

    def knows_identifiers_of(self, segment: Segment) -> bool:
        """Whether every identifier of a segment is known where it was recorded."""
        self.check_usable()
        return self._intake.knows_identifiers_of(segment)

    def knows_identifiers_at(self, positions: np.ndarray, hashes: np.ndarray) -> bool:
        """Whether identifiers are known where they were recorded, or are sealed."""
        self.check_usable()
        return self._intake.knows_identifiers_at(positions, hashes)

    # Appends.

    @property
    def is_shared(self) -> bool:
        """Whether other processes have lately appended between this one's appends."""
        return self._appends.is_shared

    def look_around(self, now: int) -> None:
        """Look whether another process has just recorded events, given the time."""
        self._appends.look_around(self.head(), now)

    def settling_ahead(self) -> SettlingAhead:
        """Return what settles drafts before they are appended, on a thread of its own."""
        return self._appends.settling_ahead()

    def append_usage(self, draft: Draft) -> Outcome:
        """Record the new events of a draft, durably, and return what became of each.

        Threads that append at the same time share a commit. Repeating the call, after
        whatever failure, records nothing twice.

        Raises:
            StoreError: nothing was recorded.
            CommitOutcomeUnknownError: it may have been; send the same events again.
        """
        self.check_usable()
        return self._group.submit(draft)

    def settle(self, draft: Draft) -> Outcome:
        """Return what would become of a draft, were it appended, and record nothing.

        A duplicate or a conflict stays one for good: nothing is ever unrecorded.
        """
        self.catch_up()
        return self._appends.settle(draft)

    @contextmanager
    def writing(
        self,
        now: Callable[[], int],
        *,
        needs_events: bool = False,
        request: Request | None = None,
    ) -> Iterator[Writing]:
        """Open a database transaction that holds the write lock, to decide and record.

        It commits where the block ends, and leaves nothing where the block raises.

        Args:
            now: returns the time, microseconds since 1970 UTC. It is called once the lock
                is held: nothing is recorded at an instant that others have seen pass.
            needs_events: whether everything committed so far must be taken in before.
            request: on whose behalf it records, where it has an idempotency key.

        Raises:
            StoreError: nothing was recorded.
            CommitOutcomeUnknownError: it may have been.
        """
        self.check_usable()
        if needs_events:
            self.catch_up()
        with self._group.leading:
            with attempting(self._database, asks_at_once=True) as attempt:
                known, server = read_head_and_time(attempt.connection)
                moment = self.judge.moment(read_clock(now), known, server)
                calls = self._appends.settle, self._intake.take_in_up_to
                writing = Writing(attempt, known, moment, self._fold, calls, request)
                if needs_events:
                    writing.take_in_events()
                yield writing
            if writing.commit is not None:
                self.judge.accepted(moment.reading)
                self._appends.take_in_written(writing)

    @contextmanager
    def writing_beside(self) -> Iterator[Connection]:
        """Open a database transaction for state beside the log, in which no fact is.

        Appends do not wait for it on PostgreSQL: it locks the rows that it changes.

        Raises:
            StoreError: nothing was written, or it is not known whether it was.
        """
        self.check_usable()
        with self._database.write_beside() as connection:
            yield connection

    # Upkeep.

    def seal(
        self,
        progress: StepCallback | None = None,
        is_wanted: Callable[[TailSize], bool] | None = None,
        *,
        is_brief: bool = False,
    ) -> int:
        """Move usage recorded so far into segments, and return how many were put.

        Safe against a kill at any step, and while others append and read. Where another
        process is sealing, nothing is done.

        Args:
            progress: is called with the position reached and the last one.
            is_wanted: is asked whether to seal a tail of a size, once no other can.
            is_brief: whether to make one segment at most, which takes some seconds.

        Raises:
            SegmentStoreError: the segment store cannot be used; the log is as it was.
        """
        self.check_usable()

        def is_wanted_now() -> bool:
            if is_wanted is not None:
                self.catch_up()
            return is_wanted is None or is_wanted(self.tail_size)

        take_in = self._take_in_sealed
        return self._sealing.seal(progress, is_wanted_now, take_in, is_brief=is_brief)

    def _take_in_sealed(self) -> None:
        with self.read() as connection:
            sealed = self._intake.make_runs(connection)
        self._intake.make_identifier_runs(sealed)
        self.catch_up()

    def rebuild(self, progress: StepCallback | None = None) -> None:
        """Make all that follows from the log anew.

        Args:
            progress: is called with the position reached and the last one.
        """
        self.check_usable()
        with self._group.leading, self._database.write() as connection:
            rebuild_tables(connection, self._fold, is_repair=True)
        with self.read() as connection:
            self._intake.rebuild(connection)
        self._intake.make_identifier_runs(self._intake.sealed)
        with self.read() as connection:
            head = read_head(connection)
            self._intake.take_in_up_to(connection, head, progress)

    def close(self) -> None:
        """Let go of the store; using the log afterwards is an error."""
        is_first, self._is_closed = not self._is_closed, True
        # A child of a fork has connections of its parent's, and must use none of them.
        if is_first and os.getpid() == self._process:
            self._kept.flush()
            self._opened.close()
            self._database.close()

    def check_usable(self) -> None:
        """Check that the log is open, and in the process that opened it.

        Raises:
            StoreClosedError: it is closed.
            StoreForkedError: this process is a child of the one that opened it.
        """
        if self._is_closed:
            raise StoreClosedError(self._database.address)
        if os.getpid() != self._process:
            raise StoreForkedError(self._database.address)
