"""The append of usage: from checked drafts to one durable commit.

Everything that can be is prepared before the write lock is taken: duplicates are settled
against what this process has taken in, and the new events encoded. Under the lock the
head is moved. If it is not where it was known to be, what others committed is taken in
and the draft settled against that. Only then the commit is inserted. Where a database can
do all of it in one statement, that is tried first, and does nothing where it would wait.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import compress
from math import inf
from time import monotonic

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from ledger.appending.ahead import ExpectedEvents, SettlingAhead
from ledger.appending.attempts import append_at_once, attempting
from ledger.appending.deduplication import (
    NO_CANDIDATES,
    Candidates,
    EventReader,
    settle,
)
from ledger.appending.drafts import Draft, Outcome, SettledAhead
from ledger.appending.judging import ClockJudge, ClockReading, read_clock
from ledger.appending.writing import Writing
from ledger.commits import read_head_and_time
from ledger.database.store import Database
from ledger.entries import Commit, CommitKind, Head, next_commit
from ledger.errors import LogDamagedError
from ledger.intake import Intake
from ledger.records.requests import Requests
from ledger.stored_events import StoredEvents
from ledger.usage.arrow import compute as pc
from ledger.usage.columns import usage_rows
from ledger.usage.identifiers import identifier_hash, identifier_hashes
from ledger.usage.rows import FewEvents

_LATELY_SECONDS = 5.0
_JUST_NOW = timedelta(seconds=1) // timedelta(microseconds=1)

_SettledDraft = tuple[Head, Outcome, Draft]
"""The head up to which a draft is settled, what becomes of it, and its new events."""


class UsageAppends:
    """Commits drafts of usage, for one thread at a time.

    Args:
        database: where the log is stored.
        intake: what this process has taken in.
        judge: of the clock.
        stored: reads events that a draft may repeat.
        identifier_retention: how long an identifier cannot be used again; None is for
            ever.
        catch_up: takes in what others committed, without the write lock.
    """

    def __init__(  # the parts of one append
        self,
        database: Database,
        intake: Intake,
        judge: ClockJudge,
        stored: StoredEvents,
        identifier_retention: timedelta | None,
        catch_up: Callable[[], Head],
    ) -> None:
        self._database = database
        self._intake = intake
        self._judge = judge
        self._stored = stored
        self._retention = identifier_retention
        self._catch_up = catch_up
        self._met_others = -inf
        self._own_position = 0

    @property
    def is_shared(self) -> bool:
        """Whether an append of this process lately came after another process's."""
        return monotonic() - self._met_others < _LATELY_SECONDS

    def settle(self, draft: Draft) -> Outcome:
        """Return what becomes of a draft by what was taken in, without recording it."""
        _, outcome, _ = self._settle(draft)
        return outcome

    def find_event(self, event_name: str, identifier: str) -> int | None:
        """Return the position of the latest event under an identifier, None of none."""
        needle = np.array([identifier_hash(event_name, identifier)], np.uint64)
        _, candidates = self._intake.find(needle)
        if candidates is None or len(candidates) == 0:
            return None
        positions = candidates.positions
        events, _ = self.events_at(positions)
        rows = usage_rows(events)
        for row, position in zip(reversed(rows), reversed(positions), strict=True):
            if (row.event_name, row.identifier) == (event_name, identifier):
                return int(position)
        return None

    def find_events(self, named: pa.RecordBatch) -> np.ndarray:
        """Return the positions of the latest events under identifiers (int64), or 0.

        Args:
            named: the columns event_name and identifier of usage.
        """
        hashes = identifier_hashes(named)
        found = np.zeros(len(hashes), np.int64)
        _, candidates = self._intake.find(hashes)
        if candidates is None or len(candidates) == 0:
            return found
        rows, positions = candidates.rows, candidates.positions
        events, _ = self.events_at(positions)
        are_equal = np.ones(len(rows), bool)
        for name in ("event_name", "identifier"):
            known, wanted = (
                each.column(name).cast(pa.string()) for each in (events, named)
            )
            equal = pc.equal(known, wanted.take(pa.array(rows)))
            are_equal &= equal.to_numpy(zero_copy_only=False)
        # Ascending within a row: the latest is written last.
        found[rows[are_equal]] = positions[are_equal]
        return found

    def look_around(self, head: Head, now: int) -> None:
        """Look whether another process has just recorded events.

        Args:
            head: of the log, just read.
            now: microseconds since 1970 UTC.
        """
        is_event = head.position > max(self._own_position, head.facts_position)
        if is_event and now - head.recorded_at < _JUST_NOW:
            self._met_others = monotonic()

    def take_in_written(self, writing: Writing) -> None:
        """Take in what a write transaction of this process recorded."""
        assert writing.commit is not None, "it recorded something"
        if writing.has_several:
            self._own_position = writing.head.position
            self._catch_up()
        else:
            self.take_in(writing.commit, writing.head, writing.hashes)

    def take_in(self, commit: Commit, head: Head, hashes: np.ndarray | None) -> None:
        """Take in a commit that this process made; see `Intake.take_in`."""
        self._own_position = head.position
        self._intake.take_in(commit, head, hashes)

    def commit(self, drafts: Sequence[Draft]) -> list[Outcome]:
        """Commit what is new in some drafts together, and return an outcome for each.

        A draft that was checked against other meters than those of now is stale.

        Raises:
            StoreError: nothing was recorded.
        """
        latest = self._intake.head.facts_position
        if any(draft.facts_position != latest for draft in drafts):
            known = self._intake.meters_position
            # Before the lock is taken, even where nothing was taken in so far. What
            # others commit later shows at the head.
            latest = self._catch_up().facts_position
            if latest < known:
                # Or every draft would be stale, however often it is checked.
                reason = f"its head says {latest}, and a meter changed at {known}"
                raise LogDamagedError(latest, reason)
        since = self._intake.meters_position
        are_current = [since <= draft.facts_position <= latest for draft in drafts]
        current = list(compress(drafts, are_current))
        outcomes = iter(self._commit_together(current) if current else ())
        return [
            next(outcomes) if is_current else Outcome.stale(len(draft))
            for draft, is_current in zip(drafts, are_current, strict=True)
        ]

    def _commit_together(self, drafts: Sequence[Draft]) -> list[Outcome]:
        draft = Draft.together(drafts)
        while True:
            try:
                return self._commit(draft).split(drafts)
            except _SealedMeanwhileError:
                # Without the lock: reading segments takes time.
                self._catch_up()

    def _commit(self, draft: Draft) -> Outcome:
        ahead = draft.take_ahead()
        if ahead is None:
            return self._append(draft, self._settle(draft))
        outcome = self._append(draft, self._settled(draft, ahead))
        ahead.appended(outcome)
        return outcome

    def _append(self, draft: Draft, settled: _SettledDraft) -> Outcome:
        _, outcome, new = settled
        if len(new) == 0:
            return outcome
        if self._database.can_write_at_once and not new.requests:
            at_once = self._commit_at_once(draft, settled)
            if at_once is not None:
                return at_once
        return self._commit_in_turn(draft, settled)

    def _commit_at_once(self, draft: Draft, settled: _SettledDraft) -> Outcome | None:
        """Commit if nobody else writes and nothing was recorded since; None if not."""
        known, _, new = settled
        if self._intake.meters_position > draft.facts_position:
            return None
        body, digest = new.encoded
        reading = read_clock(draft.now)
        self._judge.check(reading, known, checked_at=draft.checked_at)
        now = reading.clock
        commit, head = next_commit(known, new.events, CommitKind.USAGE, digest, now)
        earliest = self._judge.earliest_server_time(now)
        if not append_at_once(self._database, known, head, commit, body, earliest):
            return None
        self._judge.accepted(reading)
        return self._recorded(settled, commit, head)

    def _commit_in_turn(self, draft: Draft, settled: _SettledDraft) -> Outcome:
        """Wait for the write lock, take in what others recorded, and commit."""
        known, outcome, new = settled
        body, digest = new.encoded
        with attempting(self._database, len(body)) as attempt:
            while True:
                if self._intake.meters_position > draft.facts_position:
                    return Outcome.stale(len(draft))
                reading = read_clock(draft.now)
                self._judge.check(reading, known, checked_at=draft.checked_at)
                now = reading.clock
                commit, head = next_commit(
                    known, new.events, CommitKind.USAGE, digest, now
                )
                earliest = self._judge.earliest_server_time(now)
                if attempt.append(known, head, commit, body, earliest):
                    break
                # Others committed since: what they recorded may be in this draft.
                self._take_in(attempt.connection, known, reading)
                known, outcome, new = settled = self._settle_again(draft, settled)
                if len(new) == 0:
                    return outcome
                body, digest = new.encoded
            if new.requests:
                requests = [request for _, request in new.requests]
                real_now = self._judge.real(now, commit.recorded_at, None)
                Requests(attempt.connection).claim(requests, real_now)
        self._judge.accepted(reading)
        return self._recorded(settled, commit, head)

    def _recorded(self, settled: _SettledDraft, commit: Commit, head: Head) -> Outcome:
        """Take in a commit that was made, and return what became of its draft."""
        _, outcome, new = settled
        if not isinstance(new.events, FewEvents):
            # Few are read from the database as fast as they are found in memory.
            self._stored.keep(commit, new.known_fingerprints)
        self.take_in(commit, head, new.hashes)
        return outcome.recorded(commit.first_position, commit.recorded_at)

    def _take_in(
        self, connection: Connection, known: Head, reading: ClockReading
    ) -> None:
        """Take in what others committed since a head, under the write lock.

        Args:
            connection: holds the lock.
            known: the head.
            reading: of the clock.

        Raises:
            ClockSkewError: the server did not append because the clock is wrong.
        """
        actual, server = read_head_and_time(connection)
        self._judge.check(reading, actual, server)
        if actual.has_entries_of(known):
            # By now the server's clock has come near enough.
            return
        if actual.position <= known.position:
            reason = "the store was replaced by an older one; connect again"
            raise LogDamagedError(actual.position, reason)
        self._met_others = monotonic()
        if self._intake.must_restart(actual):
            raise _SealedMeanwhileError
        self._intake.take_in_up_to(connection, actual)

    def _settle_again(self, draft: Draft, settled: _SettledDraft) -> _SettledDraft:
        """Settle a draft against what was taken in since it was settled."""
        before, outcome, new = settled
        known, may_repeat = self._intake.holds_any_after(before.position, draft.hashes)
        return self._settle(draft) if may_repeat else (known, outcome, new)

    def _settled(self, draft: Draft, ahead: SettledAhead) -> _SettledDraft:
        """Take what was settled ahead where it holds, or settle the draft."""
        known = self._intake.head
        if ahead.came_true(known):
            return known, ahead.outcome, ahead.new
        if ahead.may_repeat_expected:
            return self._settle(draft)
        return self._settle_again(draft, (ahead.known, ahead.outcome, ahead.new))

    def settling_ahead(self) -> SettlingAhead:
        """Return what settles the drafts of one sender on another thread."""
        return SettlingAhead(self._settle_behind)

    def _settle_behind(
        self, draft: Draft, pending: Sequence[SettledAhead]
    ) -> SettledAhead:
        """Settle a draft against all that was taken in, and what is to be recorded."""
        known, found = self._intake.find(draft.hashes)
        candidates = NO_CANDIDATES if found is None else found
        events = ExpectedEvents(self, known, pending)
        rows, positions = events.find(draft.hashes)
        outcome = self._compare(
            draft, known, candidates.with_tail(rows, positions), events
        )
        return SettledAhead(
            known=known,
            expected=events.expected,
            may_repeat_expected=len(rows) > 0,
            outcome=outcome,
            new=draft.take(outcome.are_new),
        )

    def _settle(self, draft: Draft) -> _SettledDraft:
        """Settle a draft against all that was taken in."""
        known, candidates = self._intake.find(draft.hashes)
        if candidates is None:
            if len(draft) == 1:
                return known, Outcome.of_new(1), draft
            candidates = NO_CANDIDATES
        outcome = self._compare(draft, known, candidates, self)
        return known, outcome, draft.take(outcome.are_new)

    def _compare(
        self, draft: Draft, known: Head, candidates: Candidates, events: EventReader
    ) -> Outcome:
        live_since: int | np.ndarray | None = None
        if self._retention is not None:
            # Whether an append by this clock is accepted is judged later.
            now = self._judge.real(draft.now(), known.recorded_at, None)
            retention = self._retention // timedelta(microseconds=1)
            live_since = draft.sent_by(now) - retention
        return settle(draft, candidates, events, live_since=live_since)

    def events_at(self, positions: np.ndarray) -> tuple[pa.RecordBatch, np.ndarray]:
        """Read events by position, with the time at which each counts as recorded."""
        events, recorded_at = self._stored.take(positions, self._intake.sealed)
        return events, self._intake.time.of_many(positions, recorded_at)

    def fingerprints_at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return fingerprints, where known, with the time at which each was recorded."""
        kept, recorded_at = self._stored.fingerprints(positions, self._intake.sealed)
        return kept, self._intake.time.of_many(positions, recorded_at)


class _SealedMeanwhileError(Exception):
    """What others appended since lies in segments already."""
