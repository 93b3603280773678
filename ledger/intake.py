"""What this process has taken in of the log: identifiers and usage.

Commits of the tail are taken in once each and in order, by the first thread that comes:
the one that made a commit, or one that reads what others made. What lies before the tail
is known from segments and their runs. When any process has sealed more of the log,
everything begins again behind it.
"""

import logging
import threading
from collections.abc import Callable

import msgspec
import numpy as np
from sqlalchemy import Connection

from ledger.appending.deduplication import Candidates
from ledger.appending.identifier_table import IdentifierTable
from ledger.background import BackgroundLoops, Backoff
from ledger.commits import log_time, read_head
from ledger.entries import Commit, Head, Passage, TailSize
from ledger.errors import LogDamagedError, MeteringError, RunsDirectoryError
from ledger.facts.instants import LogTime
from ledger.facts.union import FACTS, TERMS, changes_checks
from ledger.folds import UsageFold
from ledger.reading import corrections_of
from ledger.runs.identifiers import SealedIdentifiers
from ledger.runs.passages import KeptPassages
from ledger.segments.catalog import read_segments
from ledger.segments.entry import Segment
from ledger.segments.sealed import Sealed
from ledger.usage.identifiers import identifier_hashes
from ledger.usage.rows import content_bytes

_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=60.0)

_LOG = logging.getLogger(__name__)


class Intake:
    """The commits taken in so far. Thread-safe.

    Args:
        genesis: the head before the first commit.
        sealed: reads segments, of which none is known yet.
        usage: takes in every commit, in order.
        kept: keeps small commits of the tail.
        background: is told whether runs can be made of what others sealed.
    """

    def __init__(  # its parts
        self,
        genesis: Head,
        sealed: Sealed,
        usage: UsageFold,
        kept: KeptPassages,
        background: BackgroundLoops,
    ) -> None:
        self._restarting = background.begin(
            "runs",
            _BACKOFF,
            complain="What was sealed stays in memory",
            logger=_LOG,
        )
        self._kept = kept
        self._lock = threading.RLock()
        self._usage = usage
        self._genesis = genesis
        self._sealed = sealed
        self._sealed_identifiers = SealedIdentifiers(self._sealed)
        self._identifiers = IdentifierTable()
        self._time = LogTime()
        self._head = genesis
        self._meters_position = self._terms_position = genesis.facts_position
        self._tail_events = self._tail_commits = self._tail_bytes = 0
        # Whether an interrupt left identifiers, usage and head apart.
        self._is_torn = False

    @property
    def head(self) -> Head:
        """The head up to which commits were taken in."""
        return self._head

    @property
    def time(self) -> LogTime:
        """When what was taken in counts as recorded."""
        return self._time

    @property
    def meters_position(self) -> int:
        """A position since which no fact about meters was taken in.

        Events that were checked against the meters as of it, or later, need no other
        check, whatever facts of other kinds came since.
        """
        return self._meters_position

    @property
    def terms_position(self) -> int:
        """A position since which no fact about what is billed, and when, was taken in."""
        return self._terms_position

    @property
    def tail_size(self) -> TailSize:
        """How much was taken in after the last segment."""
        # Without the lock, since it is looked at after every append.
        return TailSize(
            events=self._tail_events,
            commits=self._tail_commits,
            content_bytes=self._tail_bytes,
        )

    def count_events(self) -> int:
        """Count the meter events that were taken in, sealed or not."""
        with self._lock:
            sealed = sum(segment.rows for segment in self._sealed.segments)
            return sealed + self._tail_events

    @property
    def sealed(self) -> Sealed:
        """What is known to lie in segments."""
        return self._sealed

    def is_current(self, head: Head) -> bool:
        """Whether everything up to a head was taken in from where it lies now."""
        is_torn = self._is_torn or self._usage.is_torn
        return not is_torn and (head.position, head.sealed_position) == (
            self._head.position,
            self._sealed.position,
        )

    def find(self, hashes: np.ndarray) -> tuple[Head, Candidates | None]:
        """Find where identifiers' hashes were recorded, up to the head returned.

        None says without much ado that none was.
        """
        with self._lock:
            in_tail = self._identifiers.find(hashes)
            if not self._sealed.segments:
                is_found = len(in_tail[0]) > 0
                return self._head, Candidates.in_tail(*in_tail) if is_found else None
            return self._head, self._sealed_identifiers.find(hashes).with_tail(*in_tail)

    def holds_any_after(self, position: int, hashes: np.ndarray) -> tuple[Head, bool]:
        """Whether identifiers may have been recorded after a position."""
        with self._lock:
            if position < self._sealed.position:
                return self._head, True
            return self._head, self._identifiers.holds_any_after(position, hashes)

    def knows_identifiers_of(self, segment: Segment) -> bool:
        """Whether every identifier of a segment is known where it was recorded."""
        with self._lock:
            identifiers, reader = self._sealed_identifiers, self._sealed.reader
        table = reader.table(segment, ["identifier_hash", "position", "content_hash"])
        hashes, positions, contents = (column.to_numpy() for column in table.columns)
        found = identifiers.find(hashes)
        is_it = (found.positions == positions[found.rows]) & (
            found.content_hashes == contents[found.rows]
        )
        return _are_all(len(hashes), found.rows[is_it])

    def knows_identifiers_at(self, positions: np.ndarray, hashes: np.ndarray) -> bool:
        """Whether the identifiers that were taken in of the tail are known as they are.

        Others are passed over: another thread may be taking them in anew.

        Args:
            positions: int64, where the identifiers were recorded.
            hashes: uint64, of the identifiers.
        """
        with self._lock:
            after, up_to = self._sealed.position, self._head.position
            are_in_tail = (positions > after) & (positions <= up_to)
            positions, hashes = positions[are_in_tail], hashes[are_in_tail]
            rows, found = self._identifiers.find(hashes)
            return _are_all(len(hashes), rows[found == positions[rows]])

    def take_in_up_to(
        self,
        connection: Connection,
        head: Head,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take in the commits up to a head, as a database transaction sees them.

        Args:
            connection: sees the log.
            head: of the log.
            progress: is called with the position reached and the last one.

        Raises:
            LogDamagedError: they are not what was committed, or of another log.
        """
        with self._lock:
            if head.epoch != self._head.epoch:
                reason = "the store was replaced by another one; connect to it again"
                raise LogDamagedError(head.position, reason)
            if self.must_restart(head):
                self._restart(connection)
            if head.position > self._head.position:
                for part, reached in self._kept.read(
                    connection, self._head, head.position
                ):
                    if isinstance(part, Passage):
                        self._take_in_passage(part, reached)
                    else:
                        self.take_in(part, reached)
                    if progress is not None:
                        progress(reached.position, head.position)

    def take_in(
        self, commit: Commit, head: Head, hashes: np.ndarray | None = None
    ) -> None:
        """Take in a commit, if it is the next one.

        It is not the next one where another thread has read it from the store, or where
        this process appended facts before it took in the log; it will read them.

        Args:
            commit: any commit.
            head: the head that it makes.
            hashes: of its identifiers, where they are known.
        """
        with self._lock:
            if self._is_torn or commit.first_position != self._head.position + 1:
                return
            self._is_torn = True
            if not isinstance(commit.content, FACTS):
                if hashes is None:
                    hashes = identifier_hashes(commit.content)
                self._identifiers.add(hashes, commit.first_position)
                self._tail_events += commit.entry_count
                self._tail_bytes += content_bytes(commit.content)
            for fact in commit.single_facts:
                if changes_checks(fact):
                    self._meters_position = commit.last_position
                elif isinstance(fact, TERMS):
                    self._terms_position = commit.last_position
            for correction in corrections_of(commit):
                self._time = self._time.corrected(correction)
            self._tail_commits += 1
            self._usage.take_in(commit)
            assert head.position == commit.last_position, "the commit makes the head"
            self._move(head)
            self._is_torn = False
            self._kept.take_in(commit, head)

    def _take_in_passage(self, passage: Passage, head: Head) -> None:
        assert passage.first_position == self._head.position + 1, "it is the next one"
        assert not self._is_torn, "it began anew"
        self._is_torn = True
        self._identifiers.add_at(identifier_hashes(passage.events), passage.positions)
        self._tail_events += passage.events.num_rows
        self._tail_bytes += content_bytes(passage.events)
        self._tail_commits += passage.commit_count
        self._usage.take_in_passage(passage)
        for position, _, fact in passage.facts:
            if isinstance(fact, TERMS):
                self._terms_position = position
        assert head.position == passage.last_position, "the passage makes the head"
        self._move(head)
        self._is_torn = False
        self._kept.take_in(passage, head)

    def _move(self, head: Head) -> None:
        # More may have been sealed, without that this began anew from there.
        sealed = self._head.sealed_position
        if head.sealed_position != sealed:
            head = msgspec.structs.replace(head, sealed_position=sealed)
        self._head = head

    def must_restart(self, head: Head) -> bool:
        """Whether commits to be taken in were sealed, or one was taken in by half."""
        # Under the lock: a thread that is taking in a commit is not torn.
        with self._lock:
            is_torn = self._is_torn or self._usage.is_torn
            return is_torn or head.sealed_position > self._head.position

    def begin_after_segments(self, connection: Connection) -> None:
        """Begin again after what any process has sealed meanwhile."""
        with self._lock:
            head = read_head(connection)
            if head.sealed_position <= self._sealed.position:
                return
            # What has been sealed since is still in memory, which is enough until there
            # is room for runs again. To make them takes long, and readers wait for it.
            is_optional = not self.must_restart(head)
            if is_optional and self._restarting.must_wait:
                return
            try:
                self._restart(connection)
            except RunsDirectoryError as error:
                self._restarting.failed(error)
                if not is_optional:
                    raise
            else:
                self._restarting.succeeded()

    def make_runs(self, connection: Connection) -> Sealed:
        """Make the usage runs of new segments before a reader has to wait for them."""
        sealed = msgspec.structs.replace(
            self._sealed, segments=read_segments(connection)
        )
        self._usage.make_runs(connection, sealed)
        return sealed

    def make_identifier_runs(self, sealed: Sealed) -> None:
        """Make the identifier runs; this may take long, and needs no database."""
        SealedIdentifiers(sealed).make_runs()

    def rebuild(self, connection: Connection) -> None:
        """Forget the tail, and make all that is kept of the sealed part anew."""
        with self._lock:
            self._sealed_identifiers.clear_runs()
            self._kept.clear()
            self._usage.clear_runs()
            self._restart(connection)

    def _restart(self, connection: Connection) -> None:
        was_torn, self._is_torn = self._is_torn, True
        try:
            self._begin_anew(connection)
        except MeteringError:
            # What was taken in before is as good as it was.
            self._is_torn = was_torn
            raise
        except BaseException:
            # No append may believe that it knows the identifiers up to the head.
            self._head = self._genesis
            raise
        self._is_torn = False

    def _begin_anew(self, connection: Connection) -> None:
        segments = read_segments(connection)
        self._time = log_time(connection)
        sealed = msgspec.structs.replace(self._sealed, segments=segments)
        assert sealed.position >= self._sealed.position, "what is sealed stays sealed"
        self._usage.restart(connection, sealed)
        self._sealed_identifiers.restart(sealed)
        self._identifiers = IdentifierTable(after=sealed.position)
        self._kept.restart(sealed.position)
        self._tail_events = self._tail_commits = self._tail_bytes = 0
        self._head = segments[-1].head(self._head.epoch) if segments else self._genesis
        # Which facts came before the tail is not looked at: any may be about meters.
        self._meters_position = self._terms_position = self._head.facts_position
        self._sealed = sealed


def _are_all(count: int, rows: np.ndarray) -> bool:
    """Whether rows, some of them repeated, are all of so many."""
    # Marked, in some milliseconds a million; numpy takes a second to find what differs.
    are_there = np.zeros(count, bool)
    are_there[rows] = True
    return bool(are_there.all())
