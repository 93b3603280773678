"""What this process has taken in of the log: identifiers, and whatever follows along.

Commits are taken in once each and in order, by whichever thread comes first: the one
that made a commit, or one that reads what others made.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
from sqlalchemy import Connection

from ledger.chain import genesis_head
from ledger.entries import Commit, Head
from ledger.errors import LogDamagedError
from ledger.few_events import batch_of
from ledger.folds import Follower
from ledger.identifier_table import IdentifierTable
from ledger.identifiers import identifier_hashes
from ledger.reading import read_commits


class Intake:
    """The commits taken in so far. Thread-safe.

    Args:
        genesis: the head before the first commit.
        followers: what is told of every commit, in order.
    """

    def __init__(self, genesis: Head, followers: Sequence[Follower]) -> None:
        self._lock = threading.RLock()
        self._followers = followers
        self._identifiers = IdentifierTable()
        self._head = genesis

    @property
    def head(self) -> Head:
        """The head up to which commits were taken in."""
        return self._head

    def find(self, hashes: np.ndarray) -> tuple[Head, tuple[np.ndarray, np.ndarray]]:
        """Find where identifiers' hashes were recorded, up to the head returned."""
        with self._lock:
            return self._head, self._identifiers.find(hashes)

    def holds_any_after(self, position: int, hashes: np.ndarray) -> tuple[Head, bool]:
        """Tell whether identifiers were recorded after a position, up to the head."""
        with self._lock:
            return self._head, self._identifiers.holds_any_after(position, hashes)

    def take_in_up_to(self, connection: Connection, head: Head) -> None:
        """Take in the commits up to a head, as a database transaction sees them.

        Raises:
            LogDamagedError: they are not what was committed, or of another log.
        """
        with self._lock:
            if head.epoch != self._head.epoch:
                reason = "the store was replaced by another one; connect to it again"
                raise LogDamagedError(head.position, reason)
            if head.position > self._head.position:
                for commit, reached in read_commits(
                    connection, self._head, head.position
                ):
                    self.take_in(commit, reached)

    def take_in(
        self, commit: Commit, head: Head, hashes: np.ndarray | None = None
    ) -> None:
        """Take in a commit, if it is the next one.

        It is not where another thread read it from the store already, or where facts
        were appended by a process that has not taken in the log, and will read them.

        Args:
            commit: any commit.
            head: the head that it makes.
            hashes: of its identifiers, where they are known.
        """
        with self._lock:
            if commit.first_position != self._head.position + 1:
                return
            if not isinstance(commit.content, tuple):
                if hashes is None:
                    hashes = identifier_hashes(batch_of(commit.content))
                self._identifiers.add(hashes, commit.first_position)
            for follower in self._followers:
                follower.take_in(commit)
            self._head = head

    @contextmanager
    def rebuilding(self) -> Iterator[None]:
        """Forget everything and let nobody read, until all commits are taken in."""
        with self._lock, ExitStack() as rebuilding:
            for follower in self._followers:
                rebuilding.enter_context(follower.rebuilding())
            self._identifiers = IdentifierTable()
            self._head = genesis_head(self._head.epoch)
            yield
