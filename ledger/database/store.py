"""What the log needs from a database.

A database transaction is opened here and nowhere else: `read` sees one snapshot, and
`write` holds the one write lock of the store from its first statement to its commit, so
that commit order is position order. Errors of the drivers leave translated.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection


class Database(Protocol):
    """A database that holds one log."""

    @property
    def address(self) -> str:
        """Where the database is, without secrets, for messages."""

    @property
    def has_server(self) -> bool:
        """Whether it is on a server, which has a clock of its own."""

    def read(self) -> AbstractContextManager[Connection]:
        """Open a database transaction that sees one snapshot and cannot write."""

    def read_once(self) -> AbstractContextManager[Connection]:
        """Open a connection to read by one statement, which sees one snapshot by itself."""

    def watch(self) -> AbstractContextManager[Connection]:
        """Borrow a connection for one small statement on the latest commit."""

    def write(
        self, body_bytes: int = 0, *, asks_at_once: bool = False
    ) -> AbstractContextManager[Connection]:
        """Open a database transaction that holds the write lock until it ends.

        Args:
            body_bytes: how much is about to be written, for the upkeep afterwards.
            asks_at_once: whether all begins with a statement that waits for an answer.
                It may be what waits for the lock.
        """

    @property
    def can_write_at_once(self) -> bool:
        """Whether there are statements that `write_at_once` runs."""

    def write_at_once(self, append: Callable[[Connection, int], bool]) -> bool:
        """Run an append that is one statement, and takes the write lock if it is free.

        Args:
            append: runs the statement, given a connection and the key of the lock, and
                returns whether it had an effect.

        Returns:
            Whether it had.
        """

    def write_beside(self) -> AbstractContextManager[Connection]:
        """Open a database transaction that writes beside the log, and not to it.

        It takes no lock that an append waits for, where the database has others: it
        locks the rows that it changes.
        """

    def make_place(self, connection: Connection) -> None:
        """Make room for the tables of a store, under the write lock.

        Tables that an earlier release left elsewhere are moved there.
        """

    def alone_at(self, work: str) -> AbstractContextManager[bool]:
        """Take the lock of a kind of work; yield whether it was free.

        It keeps two processes from the same work, and no writer from the log, which the
        write lock keeps right. It ends with the process.

        Args:
            work: a word, such as ``sealing``.
        """

    def reclaim(self) -> None:
        """Give space back to the file system, after much was deleted."""

    def close(self) -> None:
        """Give back all connections."""
