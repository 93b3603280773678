"""One connection kept open for the small question that every answer begins with.

Where does the log end now? Taking a connection from the pool, beginning and ending a
database transaction would cost four times as much as the question.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError


class Watch:
    """A connection outside of database transactions, for one statement at a time.

    Args:
        engine: its connections begin no database transaction by themselves.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Borrow the connection; each statement sees the latest commit."""
        with self._lock:
            if self._connection is None:
                self._connection = self._engine.connect()
            try:
                yield self._connection
            except SQLAlchemyError:
                self._close()
                raise

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
