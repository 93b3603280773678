"""Own databases that fail on purpose: real ones, but for what happens to a commit.

Each stands around a real database, so that what was recorded, and what was not, can be
read from it afterwards.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from sqlalchemy import Connection

from ledger.database.store import Database
from ledger.errors import StoreUnavailableError


class FaultyDatabase:
    """A database whose next commit, or all reads after it, can be made to fail.

    Attributes:
        fault: what befalls the next append that holds the write lock; None is nothing.
        is_unreachable: whether reads fail.
        loses_what_is_made_at_once: whether the connection breaks when an append in one
            statement was made.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fault: Callable[[], AbstractContextManager[Connection]] | None = None
        self.is_unreachable = False
        self.loses_what_is_made_at_once = False
        self._unfinished = ExitStack()

    @property
    def address(self) -> str:
        return self._database.address

    @property
    def has_server(self) -> bool:
        return self._database.has_server

    @contextmanager
    def read(self) -> Iterator[Connection]:
        if self.is_unreachable:
            raise self._lost()
        with self._database.read() as connection:
            yield connection

    def read_once(self) -> AbstractContextManager[Connection]:
        return self.read()

    @contextmanager
    def watch(self) -> Iterator[Connection]:
        if self.is_unreachable:
            raise self._lost()
        with self._database.watch() as connection:
            yield connection

    @contextmanager
    def write(
        self, body_bytes: int = 0, *, asks_at_once: bool = False
    ) -> Iterator[Connection]:
        if self.is_unreachable:
            raise self._lost()
        # The write lock is only given to the next one when the last commit has ended.
        self.finish()
        fault, self.fault = self.fault, None
        opened = (
            fault()
            if fault
            else self._database.write(body_bytes, asks_at_once=asks_at_once)
        )
        with opened as connection:
            yield connection

    @property
    def can_write_at_once(self) -> bool:
        return self._database.can_write_at_once

    def write_at_once(self, append: Callable[[Connection, int], bool]) -> bool:
        if self.fault is not None or self.is_unreachable:
            return False
        is_made = self._database.write_at_once(append)
        if self.loses_what_is_made_at_once and is_made:
            raise self._lost()
        return is_made

    @contextmanager
    def write_beside(self) -> Iterator[Connection]:
        with self._database.write_beside() as connection:
            yield connection

    def make_place(self, connection: Connection) -> None:
        self._database.make_place(connection)

    def close(self) -> None:
        self.finish()
        self._database.close()

    def finish(self) -> None:
        """Let the server end what it was committing when the connection broke."""
        self._unfinished.close()

    def failing_to_lock(self) -> AbstractContextManager[Connection]:
        """Break the connection before it has the write lock."""
        raise self._lost()

    @contextmanager
    def losing_the_commit(self) -> Iterator[Connection]:
        """Break the connection before COMMIT arrives."""
        with self._database.write() as connection:
            yield connection
            raise self._lost()

    @contextmanager
    def losing_the_acknowledgement(self) -> Iterator[Connection]:
        """Break the connection after the commit was made."""
        with self._database.write() as connection:
            yield connection
        raise self._lost()

    @contextmanager
    def losing_the_acknowledgement_and_the_store(self) -> Iterator[Connection]:
        """Break the connection after the commit, and let nobody connect again."""
        with self._database.write() as connection:
            yield connection
        self.is_unreachable = True
        raise self._lost()

    @contextmanager
    def committing_late(self) -> Iterator[Connection]:
        """Break the connection while the server still commits, lock held."""
        yield self._unfinished.enter_context(self._database.write())
        raise self._lost()

    def _lost(self) -> StoreUnavailableError:
        return StoreUnavailableError(self.address, "the connection was lost")


class GatedDatabase(FaultyDatabase):
    """A database whose first commit waits at a gate."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.gate = threading.Event()

    def write_at_once(self, append: Callable[[Connection, int], bool]) -> bool:
        del append
        return False

    @contextmanager
    def write(
        self, body_bytes: int = 0, *, asks_at_once: bool = False
    ) -> Iterator[Connection]:
        with super().write(body_bytes, asks_at_once=asks_at_once) as connection:
            yield connection
            assert self.gate.wait(timeout=60)
