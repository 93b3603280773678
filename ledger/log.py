"""The log: appends to it, reads of it, and what this process knows of it.

An append prepares everything, then takes the store's write lock, takes in what others
committed meanwhile, settles duplicates against it, moves the head, inserts one commit
and lets go; only then it acknowledges. A reader takes in the commits after those it
has. What is taken in feeds the known identifiers and the followers, in the order of the
log, once each.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.appends import UsageDraft, UsageOutcome, combine, stale_outcome
from ledger.chain import genesis_digest, genesis_head, next_commit
from ledger.columns import usage_rows
from ledger.commits import (
    commit_holding,
    create_tables,
    format_version,
    insert_commit,
    move_head,
    read_head,
)
from ledger.database.store import Database
from ledger.deduplication import Draft
from ledger.digest import facts_digest
from ledger.entries import Commit, CommitKind, Head
from ledger.errors import (
    CommitOutcomeUnknownError,
    LedgerError,
    LogDamagedError,
    StoreClosedError,
    StoreError,
    StoreForkedError,
    StoreFullError,
    StoreMissingError,
    StoreVersionError,
)
from ledger.facts import Fact, encode_facts
from ledger.folds import FactFold, Follower
from ledger.group_commit import GroupCommit
from ledger.identifiers import identifier_hash
from ledger.intake import Intake
from ledger.preparation import Preparation, UsageAppend
from ledger.reading import read_commit_holding, read_commits, read_commits_at
from ledger.schema import FORMAT_VERSION
from ledger.stored_events import StoredEvents

_COMMITS_AT_A_TIME = 256


class Log:
    """The log of one store, as this process sees it. Thread-safe.

    Args:
        database: where the log is stored; closed with the log.
        fold: the tables that facts fold into.
        followers: what is told of every commit, in order.
        epoch: identity for the log, should it not exist yet; None where it must exist.
        identifier_retention: how long an identifier cannot be used again; None is for
            ever.

    Raises:
        StoreMissingError: the log does not exist, and was not to be made.
        StoreVersionError: the store was written by a later release.
    """

    def __init__(
        self,
        database: Database,
        *,
        fold: FactFold,
        followers: Sequence[Follower],
        epoch: str | None,
        identifier_retention: timedelta | None,
    ) -> None:
        self._database = database
        self._fold = fold
        self._retention = identifier_retention
        self._process = os.getpid()
        self._is_closed = False
        self._stored = StoredEvents(self._fetch_holding, self._fetch_at)
        self._group = GroupCommit(self._commit_usage)
        try:
            self._intake = Intake(self._open(epoch), followers)
        except LedgerError:
            database.close()
            raise

    # What is recorded.

    def head(self) -> Head:
        """Read where the log ends now."""
        self._check_usable()
        with self._database.watch() as connection:
            return read_head(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a database transaction on one snapshot of the log and its tables."""
        self._check_usable()
        with self._database.read() as connection:
            yield connection

    def commits(self, up_to: int | None = None) -> Iterator[tuple[Commit, Head]]:
        """Read all commits up to a position, checked, each with the head it makes."""
        with self.read() as connection:
            head = read_head(connection)
            end = head.position if up_to is None else min(up_to, head.position)
            yield from read_commits(connection, genesis_head(head.epoch), end)

    def events_at(self, positions: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read events by position, with the time each was recorded."""
        self._check_usable()
        return self._stored.take(positions)

    def commits_at(self, first_positions: Sequence[int]) -> Iterator[Commit]:
        """Read the commits that begin at some positions, ascending."""
        self._check_usable()
        for start in range(0, len(first_positions), _COMMITS_AT_A_TIME):
            portion = first_positions[start : start + _COMMITS_AT_A_TIME]
            yield from self._stored.commits_at(portion)

    # What this process has taken in.

    def catch_up(self) -> Head:
        """Take in every commit that any process made so far."""
        head = self.head()
        if head.position != self._intake.head.position:
            with self.read() as connection:
                head = read_head(connection)
                self._intake.take_in_up_to(connection, head)
        return head

    def find_event(self, event_name: str, identifier: str) -> int | None:
        """Find the position of the latest event under an identifier taken in so far."""
        needle = np.array([identifier_hash(event_name, identifier)], np.uint64)
        _, (_, positions) = self._intake.find(needle)
        if len(positions) == 0:
            return None
        events, _ = self.events_at(positions)
        rows = usage_rows(events)
        for row, position in zip(reversed(rows), reversed(positions), strict=True):
            if (row.event_name, row.identifier) == (event_name, identifier):
                return int(position)
        return None

    # Appends.

    def append_usage(
        self, draft: UsageDraft, combined: Draft | None = None
    ) -> UsageOutcome:
        """Record the new events of a draft, durably, and say what became of each.

        Threads that append at the same time share a commit. Repeating the call, after
        whatever failure, records nothing twice.

        Args:
            draft: the events.
            combined: what `ledger.appends.combine` makes of the draft alone, where the
                caller has had it made ahead.

        Raises:
            StoreError: nothing was recorded.
            CommitOutcomeUnknownError: it may have been; send the same events again.
        """
        self._check_usable()
        return self._group.submit(UsageAppend(draft, combined))

    def append_facts(
        self,
        decide: Callable[[Connection], Sequence[Fact]],
        *,
        recorded_at: int,
        needs_events: bool,
    ) -> Commit | None:
        """Record the facts that are decided on under the write lock.

        Args:
            decide: is called with the lock held; raises, or returns no facts, to record
                nothing.
            recorded_at: now, microseconds since 1970 UTC.
            needs_events: whether everything committed so far must be taken in before
                it decides.

        Returns:
            The commit, or None where there was nothing to record.
        """
        self._check_usable()
        if needs_events:
            self.catch_up()
        with self._group.leading:
            with self._attempt() as attempt:
                known = read_head(attempt.connection)
                if needs_events:
                    self._intake.take_in_up_to(attempt.connection, known)
                facts = tuple(decide(attempt.connection))
                if not facts:
                    return None
                body = encode_facts(facts)
                commit, head = next_commit(
                    known, facts, CommitKind.FACTS, facts_digest(body), recorded_at
                )
                is_moved = move_head(attempt.connection, known, head)
                assert is_moved, "the head was read under the write lock"
                attempt.insert(commit, head, body)
                self._fold.fold(attempt.connection, commit)
            self._intake.take_in(commit, head)
        return commit

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Make all that follows from the log anew.

        Args:
            progress: is called with the position reached and the last one.
        """
        self._check_usable()
        with self._group.leading, self._database.write() as connection:
            self._rebuild_tables(connection)
        with self._intake.rebuilding():
            end = self.head().position
            for commit, head in self.commits(end):
                self._intake.take_in(commit, head)
                if progress is not None:
                    progress(head.position, end)

    def close(self) -> None:
        """Let go of the store; using the log afterwards is an error."""
        if not self._is_closed:
            self._is_closed = True
            if os.getpid() == self._process:
                self._database.close()

    # Opening.

    def _open(self, epoch: str | None) -> Head:
        with self._database.read() as connection:
            found = format_version(connection)
            is_current = found == FORMAT_VERSION and self._fold.is_current(connection)
        if found is not None and found != FORMAT_VERSION:
            raise StoreVersionError(self._database.address, found, FORMAT_VERSION)
        if found is None and epoch is None:
            raise StoreMissingError(self._database.address)
        if not is_current:
            with self._database.write() as connection:
                if epoch is not None:
                    create_tables(connection, epoch, genesis_digest(epoch))
                if not self._fold.is_current(connection):
                    self._rebuild_tables(connection)
        with self._database.read() as connection:
            return genesis_head(read_head(connection).epoch)

    def _rebuild_tables(self, connection: Connection) -> None:
        head = read_head(connection)
        commits = read_commits(connection, genesis_head(head.epoch), head.position)
        self._fold.rebuild(connection, (commit for commit, _ in commits))

    def _check_usable(self) -> None:
        if self._is_closed:
            raise StoreClosedError(self._database.address)
        if os.getpid() != self._process:
            raise StoreForkedError(self._database.address)

    def _fetch_holding(self, position: int) -> Commit:
        with self._database.read() as connection:
            return read_commit_holding(connection, position)

    def _fetch_at(self, first_positions: Sequence[int]) -> list[Commit]:
        with self._database.read() as connection:
            return read_commits_at(connection, first_positions)

    # Committing usage.

    def _prepare(self, drafts: Sequence[UsageDraft], combined: Draft) -> Preparation:
        known, candidates = self._intake.find(combined.hashes)
        live_since = None
        if self._retention is not None:
            now = max(known.recorded_at, *(draft.recorded_at for draft in drafts))
            live_since = now - self._retention // timedelta(microseconds=1)
        return Preparation.of(
            drafts, combined, known, candidates, self._stored.take, live_since
        )

    def _brought_up(self, preparation: Preparation) -> Preparation:
        """Look for duplicates in what was taken in since a preparation."""
        known, may_repeat = self._intake.holds_any_after(
            preparation.known.position, preparation.combined.hashes
        )
        if may_repeat:
            return self._prepare(preparation.drafts, preparation.combined)
        return preparation.known_up_to(known)

    def _commit_usage(self, appends: Sequence[UsageAppend]) -> list[UsageOutcome]:
        """Commit what is new in some drafts; the group commit calls this, one by one."""
        facts_position = self._intake.head.facts_position
        if any(append.draft.facts_position != facts_position for append in appends):
            # Also where nothing was taken in so far: that is done before the lock is
            # taken, not under it. What others commit later shows at the head.
            facts_position = self.catch_up().facts_position
        current = [
            append
            for append in appends
            if append.draft.facts_position == facts_position
        ]
        answers = iter(self._commit_current(current, facts_position) if current else ())
        return [
            next(answers)
            if append.draft.facts_position == facts_position
            else stale_outcome(append.draft)
            for append in appends
        ]

    def _commit_current(
        self, appends: Sequence[UsageAppend], facts_position: int
    ) -> list[UsageOutcome]:
        drafts = [append.draft for append in appends]
        combined = appends[0].combined if len(appends) == 1 else None
        preparation = self._prepare(drafts, combined or combine(drafts))
        if not preparation.has_survivors:
            return preparation.outcomes_without_commit()
        with self._attempt(preparation.body_bytes) as attempt:
            while True:
                survivors = preparation.survivors
                if survivors is None:
                    return preparation.outcomes_without_commit()
                if preparation.known.facts_position != facts_position:
                    return [stale_outcome(draft) for draft in drafts]
                commit, head = next_commit(
                    preparation.known,
                    survivors.events,
                    CommitKind.USAGE,
                    survivors.digest,
                    preparation.recorded_at,
                )
                if move_head(attempt.connection, preparation.known, head):
                    break
                # Others committed since: what they recorded may be in our drafts.
                actual = read_head(attempt.connection)
                if actual.position <= preparation.known.position:
                    reason = "the store was replaced by an older one; connect again"
                    raise LogDamagedError(actual.position, reason)
                self._intake.take_in_up_to(attempt.connection, actual)
                preparation = self._brought_up(preparation)
            attempt.insert(commit, head, survivors.body)
        self._stored.keep(commit)
        self._intake.take_in(commit, head, survivors.hashes)
        return preparation.outcomes(commit.first_position, commit.recorded_at)

    @contextmanager
    def _attempt(self, body_bytes: int = 0) -> Iterator["_Attempt"]:
        """Open a database transaction whose outcome is found out in any case."""
        attempt = None
        try:
            with self._database.write(body_bytes) as connection:
                attempt = _Attempt(connection)
                yield attempt
        except StoreError as error:
            if attempt is None or not self._is_recorded(attempt.commit, error):
                raise

    def _is_recorded(self, commit: Commit | None, error: StoreError) -> bool:
        """Tell whether a commit that failed to be acknowledged was made all the same."""
        if commit is None:
            return False
        # Under the write lock: the server lets go of it only when it is done with the
        # transaction whose acknowledgement was lost. A full disk leaves none in doubt,
        # and may refuse the lock.
        is_full = isinstance(error, StoreFullError)
        database = self._database
        try:
            with database.read() if is_full else database.write() as connection:
                row = commit_holding(connection, commit.first_position)
        except StoreError:
            raise CommitOutcomeUnknownError(
                self._database.address, error.message
            ) from error
        return row is not None and bytes(row.digest) == commit.digest


class _Attempt:
    """A database transaction that may record one commit."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.commit: Commit | None = None

    def insert(self, commit: Commit, head: Head, body: bytes) -> None:
        """Insert a commit, for which the head was moved."""
        insert_commit(self.connection, commit, head, body)
        self.commit = commit
